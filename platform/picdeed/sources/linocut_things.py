"""Which things of sky and house can the demo draw?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from picdeed.sources.linocut_block import Block, Cut
from picdeed.sources.linocut_shapes import (
    blob,
    box,
    ellipse,
    half,
    mirror,
    path,
    poly,
    star,
    turned,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def heart(b: Block) -> None:
    b.body(
        half((50, 27), (64, 12), (84, 14), (94, 34), (84, 58), (66, 78), (50, 94)),
        Cut("rings", center=(58, 60), tone=0.6, length=12),
    )
    b.clear(blob((16, 36), (20, 24), (30, 19), (32, 24), (24, 32), (20, 42)))


def five_points(b: Block) -> None:
    b.body(star(50, 53, 49, 21, 5), Cut("rays", center=(50, 53), tone=0.66, length=10))
    for step in range(5):
        tip = path((50, 53), (50, 34), (50, 12))
        b.gouge(turned(tip, step * 72, 50, 53), width=2.8)


def moon(b: Block) -> None:
    b.body(
        blob(
            (62, 6),
            (38, 8),
            (16, 28),
            (12, 54),
            (26, 82),
            (54, 95),
            (82, 84),
            (92, 68),
            (72, 72),
            (52, 62),
            (44, 44),
            (48, 22),
        ),
        Cut("rings", center=(76, 36), tone=0.6, length=11),
    )
    for x, y, size in ((28, 40, 5), (36, 66, 6), (58, 82, 4.4), (24, 58, 2.6)):
        b.paper(ellipse(x, y, size), outline=1.8)
    b.paper(star(76, 30, 14, 5, 5), outline=2.4)


def sun(b: Block) -> None:
    for step in range(16):
        if step % 2 == 0:
            b.ink(turned(poly((45.5, 25), (50, 2), (54.5, 25)), step * 22.5))
        else:
            b.line(turned(path((50, 24), (52, 17), (50, 9)), step * 22.5), 4)
    b.paper(ellipse(50, 50, 24), Cut("rings", center=(44, 44), tone=0.5, width=1.8), outline=3.4)
    for x in (41, 59):
        b.ink(ellipse(x, 46, 2.6, 3.4))
    b.line(path((39, 56), (50, 63), (61, 56)), 3)


def cloud(b: Block) -> None:
    b.paper(
        blob(
            (14, 70),
            (4, 58),
            (12, 46),
            (22, 44),
            (26, 28),
            (44, 20),
            (60, 28),
            (66, 38),
            (80, 36),
            (92, 46),
            (96, 60),
            (88, 70),
            (50, 73),
        ),
        Cut(angle=4, tone=0.66, width=2, length=12),
        outline=3.4,
    )
    b.line(path((26, 44), (34, 42), (40, 46)), 2.6)
    b.line(path((64, 40), (58, 44), (56, 52)), 2.6)
    for x in (20, 36, 52, 68, 84):
        b.line(path((x + 2, 78), (x - 1, 85), (x - 4, 93)), 4)


def umbrella(b: Block) -> None:
    b.line(path((50, 4), (50.4, 8), (50, 14)), 4)
    for shaft in (
        path((50, 44), (50.4, 66), (50, 86)),
        path((50, 78), (51, 92), (62, 95), (67, 84)),
    ):
        b.line(shaft, 6)
    canopy = path((5, 52), (14, 28), (34, 12), (50, 9), (66, 12), (86, 28), (95, 52))
    canopy += [(84, 47), (72, 51), (61, 46), (50, 51), (39, 46), (28, 51), (16, 47)]
    b.body(canopy, Cut("rays", center=(50, 4), tone=0.5, length=9))
    gore = [(50, 11), (64, 24), (72, 51), (61, 46), (50, 51)]
    b.paper(gore, outline=1.8)
    b.paper([(50, 11), (20, 24), (5, 52), (16, 47), (28, 51), (36, 26)], outline=1.8)
    b.line(path((50, 12), (39, 26), (28, 51)), 2.6)
    b.line(path((50, 12), (62, 26), (72, 51)), 2.6)


def house(b: Block) -> None:
    b.ink(box(68, 12, 79, 34))
    b.paper(box(17, 46, 83, 93), Cut(angle=2, tone=0.6, width=1.8, spacing=5), outline=3.4)
    b.body(poly((50, 8), (97, 50), (88, 56), (12, 56), (3, 50)), Cut(angle=42, tone=0.56))
    b.gouge(path((8, 51), (50, 52.5), (92, 51)), width=2)
    b.body(box(42, 66, 58, 93), Cut(angle=90, tone=0.6))
    b.clear(ellipse(54.5, 80, 1.4))
    for left in (23, 64):
        b.ink(box(left, 64, left + 13, 80))
        b.clear(box(left + 2, 66, left + 5.8, 71), box(left + 7.4, 66, left + 11, 71))
        b.clear(box(left + 2, 73, left + 5.8, 78), box(left + 7.4, 73, left + 11, 78))
    b.paper(ellipse(50, 36, 7), outline=2)
    b.line(path((50, 29), (50.4, 36), (50, 43)), 2)
    b.line(path((43, 36), (50, 36.4), (57, 36)), 2)


def sailboat(b: Block) -> None:
    b.line(path((50, 3), (50.5, 40), (50, 76)), 4.4)
    b.paper(poly((46, 8), (45, 66), (8, 66)), Cut(angle=78, tone=0.5, width=1.8), outline=3)
    b.body(
        blob((54, 10), (74, 30), (86, 66), (70, 67), (54, 66), (55, 40)), Cut(angle=95, tone=0.66)
    )
    b.body(poly((6, 71), (94, 71), (80, 88), (20, 88)), Cut(angle=2, tone=0.55, length=13))
    for y, start in ((90, 2), (96, 8)):
        wave = path((start, y), (start + 12, y + 3), (start + 24, y), (start + 36, y + 3))
        b.line(wave, 3)
        b.line([(x + 48, y + 0.4) for x, y in wave], 3)


def doughnut(b: Block) -> None:
    b.paper(ellipse(50, 52, 45, 42), Cut("rings", tone=0.5, width=1.8), outline=3.4)
    icing = blob(
        (50, 12),
        (74, 17),
        (90, 38),
        (86, 56),
        (80, 52),
        (74, 68),
        (66, 62),
        (58, 76),
        (46, 68),
        (34, 75),
        (28, 64),
        (20, 66),
        (12, 50),
        (18, 26),
    )
    b.body(icing, Cut("rings", center=(50, 46), tone=0.35, length=8))
    for x, y, turn in (
        (30, 26, 30),
        (48, 20, -50),
        (66, 26, 15),
        (78, 38, 80),
        (22, 42, -30),
        (28, 56, 60),
        (74, 54, -20),
        (58, 66, 40),
        (42, 64, -60),
    ):
        b.clear(turned(box(x - 5, y - 1.7, x + 5, y + 1.7, 1), turn, x, y))
    b.paper(ellipse(50, 46, 13, 11), outline=3.2)
    b.line(path((40, 42), (50, 38), (60, 42)), 2)


def rocket(b: Block) -> None:
    parts = (
        (
            blob((50, 80), (59, 80), (56, 92), (50, 99), (44, 92), (41, 80)),
            Cut(angle=90, tone=0.75),
        ),
        (poly((36, 52), (14, 74), (16, 86), (38, 76)), Cut(angle=60, tone=0.55)),
        (poly((64, 52), (86, 74), (84, 86), (62, 76)), Cut(angle=-60, tone=0.55)),
    )
    for shape, cut in parts:
        b.body(turned(shape, 38), cut)
    hull = half((50, 1), (60, 12), (68, 36), (66, 62), (61, 78), (50, 80))
    b.paper(turned(hull, 38), Cut(angle=128, tone=0.55, width=1.8), outline=3.2)
    nose = blob((50, 1), (59, 11), (64, 24), (50, 27), (36, 24), (41, 11))
    b.body(turned(nose, 38), Cut(angle=128, tone=0.4))
    b.body(turned(ellipse(50, 42, 9.5), 38), Cut("rings", tone=0.2))
    b.clear(turned(ellipse(50, 42, 5.4), 38))
    b.ink(turned(box(37, 68, 63, 73), 38))


def crown(b: Block) -> None:
    points = [(50, 14), (64, 46), (92, 22), (84, 78), (50, 82)]
    b.body(
        [*points, *mirror(points[1:-1])[::-1]], Cut("rays", center=(50, 100), tone=0.66, length=9)
    )
    b.paper(blob((16, 74), (50, 79), (84, 74), (84, 88), (50, 93), (16, 88)), outline=3)
    for x in (28, 50, 72):
        b.ink(turned(box(x - 4, 79, x + 4, 87), 45, x, 83.5))
    for x, y in ((50, 11), (8, 20), (92, 20)):
        b.paper(ellipse(x, y, 6), outline=3)


def key(b: Block) -> None:
    ring = ellipse(28, 28, 23)
    b.body(ring, Cut("rings", tone=0.6))
    b.paper(ellipse(28, 28, 10), outline=2.4)
    b.body(turned(box(46, 24.5, 112, 31.5), 45, 28, 28), Cut(angle=45, tone=0.5))
    for start, long in ((88, 15), (102, 18)):
        b.ink(turned(box(start, 29, start + 8, 29 + long), 45, 28, 28))
    b.gouge(path((15, 24), (20, 15), (29, 11)), width=3)


def bell(b: Block) -> None:
    b.body(ellipse(50, 87, 10, 9), Cut("rings", tone=0.4))
    b.paper(ellipse(50, 9, 7), outline=3.6)
    b.body(
        half((50, 14), (64, 18), (71, 36), (76, 60), (92, 78), (80, 83), (50, 85)),
        Cut("rings", center=(70, 20), tone=0.6, length=11),
    )
    b.paper(blob((12, 76), (50, 79), (88, 76), (90, 83), (50, 87), (10, 83)), outline=2.4)
    b.clear(blob((36, 32), (40, 26), (44, 27), (38, 46), (33, 60)))


def cup(b: Block) -> None:
    b.ink(
        blob(
            (70, 46), (90, 42), (97, 56), (86, 70), (66, 74), (68, 66), (80, 62), (86, 55), (72, 54)
        )
    )
    b.body(
        blob((10, 40), (76, 40), (74, 64), (62, 84), (24, 84), (12, 64)),
        Cut(angle=86, tone=0.62, length=9),
    )
    b.paper(ellipse(43, 40, 33, 8), outline=2.8)
    b.ink(ellipse(43, 41, 25, 4.6))
    b.paper(
        blob((6, 88), (43, 85), (80, 88), (66, 97), (20, 97)), Cut(angle=2, tone=0.4), outline=3
    )
    for x in (28, 43, 58):
        b.line(path((x, 30), (x - 5, 22), (x + 4, 14), (x - 1, 4)), 3.8)


def light_bulb(b: Block) -> None:
    for turn in (-100, -62, 62, 100):
        b.line(turned(path((50, 4), (50.6, -4), (50, -12)), turn, 50, 40), 4)
    b.paper(
        half((50, 8), (68, 12), (80, 30), (76, 48), (64, 62), (61, 72), (50, 73)),
        Cut("rings", center=(42, 30), tone=0.4, width=1.7),
        outline=3.2,
    )
    b.line(
        path(
            (43, 71), (42, 54), (36, 40), (43, 44), (50, 38), (57, 44), (64, 40), (58, 54), (57, 71)
        ),
        2.6,
    )
    b.ink(box(38, 72, 62, 91, 3), half((50, 90), (58, 90), (50, 98)))
    for y in (77, 83, 89):
        b.gouge(path((37, y + 1), (50, y), (63, y - 1)), width=2.2)


def hamburger(b: Block) -> None:
    b.paper(
        blob((9, 76), (50, 76), (91, 76), (88, 90), (70, 94), (30, 94), (12, 90)),
        Cut(angle=2, tone=0.6, width=1.8),
        outline=3.2,
    )
    b.body(box(6, 63, 94, 77, 5), Cut(angle=3, tone=0.45, length=6))
    b.paper(poly((8, 56), (92, 56), (74, 64), (62, 72), (50, 64), (30, 64)), outline=2.4)
    b.paper(
        blob(
            (4, 52),
            (16, 50),
            (50, 50),
            (84, 50),
            (96, 52),
            (94, 58),
            (82, 56),
            (70, 60),
            (58, 56),
            (46, 60),
            (34, 56),
            (20, 60),
            (6, 58),
        ),
        outline=3,
    )
    bun = half((50, 8), (72, 12), (90, 30), (93, 46), (76, 51), (50, 51))
    b.body(bun, Cut("rings", center=(60, 60), tone=0.55, length=9))
    for x, y, turn in (
        (34, 20, -30),
        (50, 15, 10),
        (64, 20, 40),
        (26, 32, -50),
        (44, 29, 20),
        (60, 33, -15),
        (76, 32, 60),
    ):
        b.clear(turned(blob((x, y - 3), (x + 2, y), (x, y + 3), (x - 2, y)), turn, x, y))


def anchor(b: Block) -> None:
    b.body(ellipse(50, 13, 11), Cut("rings", tone=0.5))
    b.paper(ellipse(50, 13, 5), outline=2)
    b.body(box(44.5, 22, 55.5, 92), Cut(angle=90, tone=0.6))
    b.body(box(24, 29, 76, 38, 2), Cut(angle=0, tone=0.6))
    arm = blob((50, 97), (28, 90), (14, 74), (10, 58), (18, 60), (26, 72), (40, 82), (50, 82))
    for one in (arm, mirror(arm)):
        b.body(one, Cut("rings", center=(50, 50), tone=0.55))
    fluke = poly((2, 68), (9, 48), (26, 60))
    b.ink(fluke, mirror(fluke))


def balloon(b: Block) -> None:
    b.line(path((50, 78), (44, 84), (54, 90), (48, 99)), 3)
    b.body(
        half((50, 3), (70, 8), (82, 32), (72, 58), (56, 74), (50, 75)),
        Cut(angle=90, tone=0.72, length=9, spacing=5, width=3),
    )
    b.ink(poly((50, 72), (57, 81), (43, 81)))
    b.clear(blob((28, 32), (32, 20), (40, 14), (38, 22), (33, 32), (31, 42)))


def pencil(b: Block) -> None:
    for shape, cut in (
        (box(40, 16, 60, 74), Cut(angle=135, tone=0.6, length=14, spacing=4)),
        (box(40, 2, 60, 11, 3), Cut(angle=45, tone=0.5)),
    ):
        b.body(turned(shape, 45), cut)
    b.paper(turned(box(40, 9, 60, 18), 45), outline=2.6)
    b.line(turned(path((42, 13.5), (50, 13.2), (58, 13.5)), 45), 2)
    b.paper(turned(poly((40, 74), (60, 74), (50, 99)), 45), outline=2.8)
    b.ink(turned(poly((45.5, 87), (54.5, 87), (50, 99)), 45))
    b.gouge(turned(path((46.6, 20), (46.4, 46), (46.6, 72)), 45), width=2.6)
    b.line(path((12, 96), (34, 93), (50, 97), (72, 94), (92, 96)), 3)


def hourglass(b: Block) -> None:
    glass = half(
        (50, 14), (72, 14), (72, 28), (57, 46), (55, 50), (57, 54), (72, 72), (72, 86), (50, 86)
    )
    b.paper(glass, outline=3.2)
    b.body(
        half((50, 31), (66, 30), (60, 40), (52.5, 47), (50, 49)), Cut(angle=90, tone=0.5), outline=1
    )
    b.body(
        half((50, 62), (57, 70), (68, 82), (68, 84), (50, 84)), Cut(angle=60, tone=0.5), outline=1
    )
    b.line(path((50, 47), (50.3, 56), (50, 66)), 2)
    for y in (4, 86):
        b.body(box(18, y, 82, y + 10, 2), Cut(angle=1, tone=0.6, length=12))
    for x in (23, 77):
        b.line(path((x, 13), (x + 0.4, 50), (x, 88)), 5)


SUBJECTS: Mapping[str, Callable[[Block], None]] = {
    "heart": heart,
    "star": five_points,
    "moon": moon,
    "sun": sun,
    "cloud": cloud,
    "umbrella": umbrella,
    "house": house,
    "sailboat": sailboat,
    "doughnut": doughnut,
    "rocket": rocket,
    "crown": crown,
    "key": key,
    "bell": bell,
    "cup": cup,
    "light bulb": light_bulb,
    "hamburger": hamburger,
    "anchor": anchor,
    "balloon": balloon,
    "pencil": pencil,
    "hourglass": hourglass,
}
