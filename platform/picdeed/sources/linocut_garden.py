"""Which fruits and plants can the demo draw?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from picdeed.sources.linocut_block import Block, Cut
from picdeed.sources.linocut_shapes import (
    blob,
    ellipse,
    half,
    lower_half,
    mirror,
    path,
    poly,
    turned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def apple(b: Block) -> None:
    b.body(
        half((50, 30), (64, 22), (84, 30), (90, 52), (80, 78), (63, 93), (50, 88)),
        Cut("rings", center=(66, 62), tone=0.66, length=12),
    )
    b.ink(half((50, 37), (60, 29), (50, 27)))
    b.line(path((50, 35), (50, 20), (57, 6)), 5)
    leaf = blob((53, 22), (62, 8), (82, 6), (90, 10), (78, 22), (64, 26))
    b.paper(leaf, Cut(angle=-20, tone=0.4, width=1.5))
    b.line(path((54, 22), (70, 15), (88, 10)), 1.8)
    b.clear(blob((24, 46), (30, 36), (36, 36), (30, 48), (27, 58)))


def pear(b: Block) -> None:
    b.body(
        half((50, 20), (61, 23), (65, 40), (80, 58), (80, 80), (66, 94), (50, 96)),
        Cut("rings", center=(58, 72), tone=0.7, length=11, spacing=3.8),
    )
    b.line(path((50, 24), (49, 12), (55, 2)), 4.6)
    leaf = blob((51, 15), (40, 3), (24, 4), (16, 10), (28, 19), (42, 20))
    b.body(leaf, Cut(angle=30, tone=0.75))
    b.gouge(path((18, 10), (34, 11), (49, 15)), width=1.8)
    for x, y in ((43, 82), (50, 88), (56, 82), (49, 76)):
        b.clear(ellipse(x, y, 1.3))


def lemon(b: Block) -> None:
    shape = blob(
        (8, 66),
        (15, 60),
        (22, 40),
        (44, 26),
        (68, 28),
        (84, 40),
        (94, 38),
        (90, 50),
        (84, 68),
        (64, 84),
        (38, 84),
        (20, 72),
    )
    b.paper(shape, Cut(angle=20, tone=0.62, length=4, spacing=3.8, width=2.2), outline=3.2)
    b.line(path((22, 62), (24, 50), (34, 40)), 1.8)
    leaf = blob((80, 38), (70, 26), (70, 10), (80, 4), (93, 14), (92, 30))
    b.body(leaf, Cut(angle=60, tone=0.7))
    b.gouge(path((80, 7), (81, 22), (84, 36)), width=2)


def strawberry(b: Block) -> None:
    b.body(
        half((50, 28), (70, 24), (88, 36), (86, 56), (70, 82), (57, 96), (50, 98)),
        Cut("rows", tone=0.2, angle=70),
    )
    for row, y in enumerate((42, 53, 64, 75, 86)):
        for step in range(-4, 5):
            x = 50 + step * 13 + (6.5 if row % 2 else 0)
            if abs(x - 50) < 35 - row * 7:
                b.clear(blob((x, y - 4), (x + 2.6, y + 1), (x, y + 3.4), (x - 2.6, y + 1)))
    for turn in (-78, -40, 0, 40, 78):
        leaf = turned(blob((50, 26), (42, 36), (50, 48), (58, 36)), turn, 50, 24)
        b.paper(leaf, outline=2.4)
        b.line(turned(path((50, 28), (50, 34), (50, 42)), turn, 50, 24), 1.8)
    b.line(path((50, 26), (48, 14), (54, 4)), 5)


def watermelon(b: Block) -> None:
    rind = lower_half(50, 26, 47, 62)
    b.body(rind, Cut("rays", center=(50, 26), tone=0.7, length=8))
    b.paper(lower_half(50, 24, 39, 53), outline=1.6)
    flesh = lower_half(50, 22, 34, 47)
    b.body(flesh, Cut("rays", center=(50, 8), tone=0.5, length=7))
    for x, y, turn in (
        (28, 33, 20),
        (42, 34, 8),
        (58, 34, -8),
        (72, 33, -20),
        (35, 46, 14),
        (50, 48, 0),
        (65, 46, -14),
        (44, 59, 6),
        (57, 59, -6),
    ):
        seed = turned(blob((x, y - 5), (x + 3, y + 2), (x, y + 4), (x - 3, y + 2)), turn, x, y)
        b.paper(seed, outline=1)


def cherries(b: Block) -> None:
    b.line(path((66, 10), (48, 26), (34, 44), (29, 58)), 4)
    b.line(path((66, 10), (68, 28), (72, 44), (72, 58)), 4)
    leaf = blob((66, 10), (50, 4), (30, 6), (16, 18), (34, 26), (54, 22))
    b.paper(leaf, Cut(angle=-15, tone=0.4, width=1.6))
    b.line(path((19, 17), (42, 14), (64, 10)), 2)
    for x, y in ((28, 73), (72, 74)):
        b.body(ellipse(x, y, 21, 20), Cut("rings", center=(x + 9, y + 9), tone=0.62, length=9))
        b.clear(blob((x - 13, y - 4), (x - 8, y - 11), (x - 4, y - 11), (x - 9, y - 3)))
        b.ink(ellipse(x, y - 17, 5, 2.4))


def mushroom(b: Block) -> None:
    b.paper(
        half((50, 50), (62, 50), (63, 66), (70, 84), (64, 93), (50, 95)),
        Cut(angle=86, tone=0.5, width=1.7),
        outline=3,
    )
    b.ink(half((50, 52), (66, 52), (60, 61), (50, 63)))
    for x in (40, 45, 50, 55, 60):
        b.gouge(path((50 + (x - 50) * 1.2, 53), (x, 57), (50 + (x - 50) * 0.8, 61)), width=1.2)
    cap = half((50, 7), (72, 12), (92, 34), (95, 50), (80, 57), (50, 55))
    b.body(cap, Cut("rings", center=(50, 70), tone=0.35, length=9))
    for x, y, rx, ry in (
        (50, 26, 10, 8),
        (25, 35, 8, 8),
        (75, 35, 8, 8),
        (38, 46, 5, 4),
        (62, 46, 5, 4),
        (32, 19, 4.4, 4),
        (68, 19, 4.4, 4),
        (13, 48, 3, 4),
        (87, 48, 3, 4),
    ):
        b.clear(ellipse(x, y, rx, ry))


def cactus(b: Block) -> None:
    for arm in (
        blob((42, 66), (24, 66), (14, 56), (14, 36), (20, 31), (26, 36), (27, 52), (42, 54)),
        blob((58, 56), (74, 56), (86, 46), (86, 26), (80, 21), (74, 26), (73, 42), (58, 44)),
    ):
        b.body(arm, Cut(angle=90, tone=0.55, length=6))
    b.body(
        half((50, 4), (60, 8), (64, 22), (64, 60), (62, 84), (50, 86)),
        Cut(angle=90, tone=0.6, length=7, spacing=4.6, width=2.6),
    )
    b.paper(poly((26, 76), (74, 76), (72, 84), (28, 84)), outline=3)
    b.paper(poly((30, 84), (70, 84), (64, 97), (36, 97)), Cut(angle=80, tone=0.6), outline=3)
    for x, y in ((20, 29), (80, 19)):
        for turn in (-50, 0, 50):
            b.line(turned(path((x, y), (x + 0.5, y - 4), (x, y - 8)), turn, x, y), 3)


def tree(b: Block) -> None:
    b.body(poly((43, 82), (57, 82), (58, 97), (42, 97)), Cut(angle=88, tone=0.7))
    for top, bottom, reach in ((46, 86, 38), (24, 64, 31), (3, 42, 23)):
        skirt = poly(
            (50, top),
            (50 + reach * 0.5, (top + bottom) / 2),
            (50 + reach, bottom - 2),
            (50 + reach * 0.62, bottom - 3),
            (50 + reach * 0.3, bottom + 2),
            (50, bottom - 3),
            (50 - reach * 0.3, bottom + 2),
            (50 - reach * 0.62, bottom - 3),
            (50 - reach, bottom - 2),
            (50 - reach * 0.5, (top + bottom) / 2),
        )
        cut = Cut("rays", center=(50, top - 12), tone=0.6, length=9, spacing=3)
        b.body(skirt, cut, outline=2)
        hem = path((50 - reach, bottom - 1), (50 - reach / 2, bottom + 1), (50, bottom - 0.5))
        b.gouge(hem, mirror(hem), width=1.8)


def sunflower(b: Block) -> None:
    b.line(path((50, 60), (52, 80), (48, 99)), 6)
    leaf = blob((51, 90), (60, 76), (78, 72), (88, 76), (78, 90), (62, 94))
    b.body(leaf, Cut(angle=-25, tone=0.7))
    b.body(mirror(leaf), Cut(angle=25, tone=0.7))
    for ring, (radius, size) in enumerate(((31, 13), (27, 12))):
        for step in range(14):
            turn = (step + ring / 2) * 360 / 14
            petal = blob(
                (50, 42 - radius - size),
                (55, 42 - radius),
                (53, 42 - 15),
                (47, 42 - 15),
                (45, 42 - radius),
            )
            b.paper(turned(petal, turn, 50, 42), outline=2)
            vein = path((50, 42 - 18), (50, 42 - radius + 3), (50, 42 - radius - size + 6))
            b.line(turned(vein, turn, 50, 42), 1.4)
    b.ink(ellipse(50, 42, 19))
    for step in range(70):
        reach, turn = 2.05 * math.sqrt(step), step * 2.39996
        x, y = 50 + reach * math.cos(turn), 42 + reach * math.sin(turn)
        b.clear(ellipse(x, y, 0.9))


def tulip(b: Block) -> None:
    b.line(path((50, 50), (51, 74), (50, 99)), 5.6)
    leaf = blob((51, 97), (60, 72), (76, 52), (85, 50), (78, 76), (64, 94))
    b.body(leaf, Cut(angle=-55, tone=0.7))
    b.body(mirror(leaf), Cut(angle=55, tone=0.7))
    side = blob((50, 56), (32, 54), (22, 38), (24, 8), (38, 22), (50, 40))
    b.body(side, Cut(angle=80, tone=0.6))
    b.body(mirror(side), Cut(angle=100, tone=0.6))
    petal = blob((50, 4), (62, 22), (64, 42), (50, 58), (36, 42), (38, 22))
    b.paper(petal, Cut(angle=90, tone=0.5, width=1.8))
    b.line(path((50, 14), (50, 32), (50, 48)), 1.6)


def clover(b: Block) -> None:
    b.line(path((50, 52), (51, 80), (45, 99)), 6)
    for turn in (45, 135, 225, 315):
        leaf = blob(
            (50, 47),
            (37, 36),
            (29, 20),
            (34, 8),
            (45, 7),
            (50, 19),
            (55, 7),
            (66, 8),
            (71, 20),
            (63, 36),
        )
        cut = Cut("rays", center=(50, 46), tone=0.66, length=10, width=2.4)
        b.paper(turned(leaf, turn, 50, 47), cut, outline=3)
        b.line(turned(path((50, 46), (50.4, 36), (50, 24)), turn, 50, 47), 2.4)


def maple_leaf(b: Block) -> None:
    right = [
        (50, 4),
        (58, 20),
        (68, 14),
        (66, 36),
        (80, 24),
        (83, 34),
        (95, 32),
        (90, 46),
        (96, 52),
        (76, 64),
        (78, 72),
        (56, 70),
        (50, 76),
    ]
    b.body([*right, *mirror(right)[::-1]], Cut("rays", center=(50, 74), tone=0.6, length=9))
    b.line(path((50, 72), (51, 86), (48, 98)), 4.4)
    for vein in (
        path((50, 74), (50, 44), (50, 14)),
        path((50, 72), (68, 52), (84, 38)),
        path((50, 72), (66, 64), (84, 54)),
    ):
        b.gouge(vein, mirror(vein), width=2.6)


def grapes(b: Block) -> None:
    b.line(path((50, 26), (50, 14), (58, 4)), 5)
    leaf = blob((49, 20), (36, 4), (20, 8), (8, 6), (12, 20), (6, 30), (24, 30), (38, 30))
    for x, y in (
        (50, 88),
        (40, 74),
        (60, 74),
        (30, 59),
        (50, 59),
        (70, 59),
        (22, 43),
        (41, 43),
        (60, 43),
        (79, 43),
        (52, 29),
        (70, 29),
    ):
        b.body(ellipse(x, y, 10.4), Cut("rings", center=(x + 4, y + 4), tone=0.55, spacing=2.8))
        b.clear(blob((x - 6, y - 2), (x - 3, y - 6), (x - 1, y - 6), (x - 3.4, y - 2)))
    b.paper(leaf, Cut("rays", center=(48, 20), tone=0.4, width=1.5))


def carrot(b: Block) -> None:
    for turn in (-34, -12, 12, 34):
        leaf = blob((64, 36), (58, 20), (62, 2), (70, 2), (72, 20))
        b.body(turned(leaf, turn + 38, 64, 36), Cut(angle=90 + turn + 38, tone=0.6))
    root = blob((58, 28), (70, 32), (74, 44), (62, 62), (34, 86), (8, 97), (16, 72), (40, 40))
    b.body(root, Cut(angle=-45, tone=0.68, length=8))
    for x, y in ((40, 48), (56, 58), (30, 66), (44, 70), (22, 80)):
        b.gouge(path((x - 5, y - 4), (x, y + 1), (x + 4, y + 4)), width=2.6)


SUBJECTS: Mapping[str, Callable[[Block], None]] = {
    "apple": apple,
    "pear": pear,
    "lemon": lemon,
    "strawberry": strawberry,
    "watermelon": watermelon,
    "cherries": cherries,
    "mushroom": mushroom,
    "cactus": cactus,
    "tree": tree,
    "sunflower": sunflower,
    "tulip": tulip,
    "clover": clover,
    "maple leaf": maple_leaf,
    "grapes": grapes,
    "carrot": carrot,
}
