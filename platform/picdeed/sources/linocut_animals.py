"""Which animals can the demo draw?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from picdeed.sources.linocut_block import Block, Cut
from picdeed.sources.linocut_shapes import blob, box, ellipse, half, mirror, path, poly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def cat(b: Block) -> None:
    ear = poly((16, 48), (17, 9), (45, 27))
    b.body(ear, Cut(angle=70, tone=0.4))
    b.body(mirror(ear), Cut(angle=110, tone=0.4))
    inner = poly((22, 34), (22.5, 19), (34, 27))
    b.clear(inner, mirror(inner))
    b.body(
        half((50, 24), (70, 27), (88, 48), (86, 70), (70, 86), (50, 90)),
        Cut("rays", center=(50, 64), tone=0.52, length=9),
    )
    stripe = poly((34, 27), (41, 26), (40, 42))
    b.ink(poly((44, 25), (56, 25), (50, 46)), stripe, mirror(stripe))
    b.paper(
        blob((50, 62), (66, 64), (70, 75), (60, 84), (50, 82), (40, 84), (30, 75), (34, 64)),
        outline=1.2,
    )
    for x in (33, 67):
        b.paper(ellipse(x, 54, 9.5, 8))
        b.ink(ellipse(x, 54, 3.4, 7))
    b.ink(poly((44, 62), (56, 62), (50, 69)))
    for lip in (path((50, 68), (49, 76), (40, 78)), path((50, 68), (51, 76), (60, 78))):
        b.line(lip, 2.2)
    for y, end in ((67, 60), (72, 72), (77, 84)):
        hair = path((34, y + 2), (18, (y + end) / 2), (3, end))
        b.line(hair, 1.5)
        b.line(mirror(hair), 1.5)


def dog(b: Block) -> None:
    b.paper(
        half((50, 14), (72, 18), (80, 40), (78, 62), (68, 80), (50, 86)),
        Cut(angle=80, tone=0.35, width=1.5),
        outline=3,
    )
    patch = blob((54, 16), (72, 19), (78, 40), (70, 56), (57, 50), (53, 34))
    b.body(patch, Cut(angle=70, tone=0.5))
    ear = blob((29, 16), (17, 18), (7, 38), (7, 62), (16, 70), (25, 58), (28, 38))
    b.body(ear, Cut(angle=100, tone=0.55, length=9))
    b.body(mirror(ear), Cut(angle=80, tone=0.6, length=9))
    for x in (36, 64):
        b.paper(ellipse(x, 42, 5.4, 6), outline=1.6)
        b.ink(ellipse(x, 43, 3.6, 4.6))
        b.gouge(path((x - 2, 41), (x - 1, 40), (x + 0.5, 40)), width=1.6)
    b.body(blob((47, 78), (53, 78), (58, 88), (50, 97), (42, 88)), Cut(angle=90, tone=0.7))
    b.paper(
        blob((50, 54), (62, 56), (69, 67), (62, 78), (50, 77), (38, 78), (31, 67), (38, 56)),
        Cut(angle=90, tone=0.2, width=1.3),
    )
    b.ink(blob((38, 57), (50, 53), (62, 57), (50, 68)))
    b.gouge(path((43, 58), (49, 56), (55, 57)), width=1.8)
    b.line(path((50, 66), (50, 72), (50, 77)))
    for x, y in ((40, 70), (44, 73), (60, 70), (56, 73)):
        b.ink(ellipse(x, y, 1.1))


def panda(b: Block) -> None:
    for x in (20, 80):
        b.body(ellipse(x, 24, 15), Cut("rings", tone=0.35))
    b.paper(
        half((50, 14), (74, 19), (92, 48), (85, 74), (66, 87), (50, 89)),
        Cut("rings", center=(44, 44), tone=0.42, width=1.5),
        outline=3,
    )
    patch = blob((27, 40), (39, 38), (43, 48), (38, 62), (26, 64), (20, 54))
    b.body(patch, Cut(angle=-60, tone=0.35, spacing=3))
    b.body(mirror(patch), Cut(angle=60, tone=0.3, spacing=3))
    for x in (34, 66):
        b.clear(ellipse(x, 51, 4.8))
        b.ink(ellipse(x + 0.6, 51, 2.9))
    b.ink(blob((41, 66), (50, 64), (59, 66), (50, 74)))
    b.gouge(path((46, 67), (50, 66.2), (54, 67)), width=1.2)
    b.line(path((50, 73), (48, 80), (39, 79)), 2.2)
    b.line(path((50, 73), (52, 80), (61, 79)), 2.2)


def frog(b: Block) -> None:
    for x in (24, 76):
        b.body(ellipse(x, 28, 17, 16), Cut("rings", tone=0.6))
    b.body(
        half((50, 28), (74, 30), (93, 52), (91, 72), (70, 88), (50, 90)),
        Cut("rings", center=(50, 20), tone=0.55, length=9),
    )
    for x in (24, 76):
        b.paper(ellipse(x, 27, 10.5), outline=2.4)
        b.ink(ellipse(x, 28, 6))
        b.clear(ellipse(x - 2, 25.5, 1.7))
    b.paper(half((50, 64), (74, 60), (87, 58), (80, 78), (62, 86), (50, 87)), outline=2)
    b.ink(half((50, 63), (72, 59), (89, 53), (72, 67), (50, 70)))
    for x in (44, 56):
        b.ink(ellipse(x, 50, 2.6, 3.2))
        b.gouge(path((x - 3.5, 52), (x, 46), (x + 3.5, 52)), width=1.4)
    for x, y in ((34, 76), (42, 79), (50, 80), (58, 79), (66, 76)):
        b.line(path((x - 3, y), (x, y + 1.4), (x + 3, y)), 1.6)


def penguin(b: Block) -> None:
    for x in (37, 63):
        b.ink(blob((x - 11, 92), (x - 6, 86), (x + 6, 86), (x + 11, 92), (x, 95)))
    wing = blob((30, 40), (22, 46), (11, 70), (14, 76), (28, 68))
    b.body(wing, Cut(angle=110, tone=0.6))
    b.body(mirror(wing), Cut(angle=70, tone=0.6))
    b.body(
        half((50, 5), (65, 9), (71, 26), (78, 50), (77, 76), (66, 90), (50, 92)),
        Cut("rays", center=(50, 56), tone=0.5, length=9),
    )
    b.paper(
        half((50, 45), (62, 42), (69, 58), (67, 78), (60, 87), (50, 88)),
        Cut(angle=90, tone=0.3, width=1.5, length=7),
        outline=1.4,
    )
    b.paper(
        blob((50, 25), (58, 18), (66, 24), (64, 37), (50, 42), (36, 37), (34, 24), (42, 18)),
        outline=1.2,
    )
    for x in (42, 58):
        b.ink(ellipse(x, 27, 3.2, 3.8))
        b.clear(ellipse(x - 1, 25.6, 1.1))
    b.ink(blob((43, 33), (50, 30.5), (57, 33), (50, 42)))
    b.gouge(path((44, 34.5), (50, 36), (56, 34.5)), width=1.3)


def fish(b: Block) -> None:
    tail = blob((72, 50), (82, 36), (95, 24), (91, 50), (95, 76), (82, 64))
    b.body(tail, Cut("rays", center=(66, 50), tone=0.6, length=10))
    b.body(blob((32, 32), (42, 14), (62, 17), (70, 38), (50, 38)), Cut(angle=60, tone=0.5))
    b.body(blob((40, 66), (46, 85), (60, 84), (62, 64)), Cut(angle=-60, tone=0.6))
    b.body(
        blob((5, 51), (20, 32), (45, 26), (68, 36), (79, 50), (68, 64), (45, 75), (20, 70)),
        Cut("rings", center=(-6, 50), tone=0.72, length=5.2, spacing=4.6, width=2.7),
    )
    b.paper(
        blob((5, 51), (18, 35), (31, 30), (36, 50), (31, 72), (18, 67)),
        Cut(angle=70, tone=0.3, width=1.4),
    )
    b.ink(ellipse(21, 45, 5.6))
    b.clear(ellipse(19.4, 43.4, 1.8))
    b.line(path((7, 58), (13, 60), (18, 58)), 2)
    b.paper(blob((44, 51), (56, 47), (63, 56), (54, 63), (46, 59)), outline=2.2)
    for y in (52, 55, 58):
        b.line(path((48, 55), (53, y), (59, y + 1)), 1.4)


def whale(b: Block) -> None:
    fluke = blob((80, 44), (70, 26), (82, 28), (87, 36), (92, 26), (99, 24), (92, 46))
    b.body(fluke, Cut(angle=60, tone=0.6))
    body = blob(
        (6, 62),
        (12, 46),
        (32, 38),
        (56, 44),
        (72, 56),
        (81, 44),
        (93, 44),
        (92, 64),
        (76, 82),
        (44, 89),
        (18, 84),
    )
    b.body(body, Cut("rings", center=(50, 150), tone=0.6, length=12, spacing=3.6))
    belly = blob((7, 66), (26, 70), (50, 74), (70, 78), (60, 86), (40, 89), (18, 84))
    b.paper(belly, outline=2.2)
    for y in (73, 77, 81, 85):
        b.line(path((12 + (y - 73), y), (34, y + 3), (60 - (y - 73), y + 3)), 1.6)
    b.paper(ellipse(25, 60, 4), outline=1.4)
    b.ink(ellipse(25, 60, 2.3))
    b.body(blob((44, 72), (58, 72), (62, 86), (52, 92), (46, 82)), Cut(angle=60, tone=0.6))
    for x in (32, 27, 37):
        side = (x - 32) * 2.4
        b.line(path((32, 36), (32 + side / 3, 22), (32 + side * 1.3, 12 + abs(side) / 3)), 3.4)
    for x in (14, 50):
        b.line(path((x, 20), (x - (32 - x) / 8, 13), (x + (32 - x) / 5, 9)), 3)


def butterfly(b: Block) -> None:
    upper = blob((50, 42), (32, 14), (10, 8), (3, 22), (9, 44), (28, 54), (48, 52))
    lower = blob((48, 52), (26, 56), (12, 66), (16, 86), (30, 92), (42, 78), (49, 60))
    for wing in (lower, mirror(lower)):
        b.body(wing, Cut("rays", center=(50, 52), tone=0.75, length=10, width=2.6))
    for wing in (upper, mirror(upper)):
        b.body(wing, Cut("rays", center=(50, 50), tone=0.75, length=11, width=2.8))
    for x, y, size in ((16, 24, 5.5), (26, 74, 6), (27, 34, 4)):
        for side in (x, 100 - x):
            b.paper(ellipse(side, y, size), outline=3.4)
            b.ink(ellipse(side, y, size / 3))
    b.ink(half((50, 30), (54, 34), (54, 60), (52, 76), (50, 82)))
    for y in (44, 52, 60, 68):
        b.gouge(path((47.4, y), (50, y + 1), (52.6, y)), width=1.3)
    b.ink(ellipse(50, 30, 4.6))
    feeler = path((49, 28), (44, 16), (36, 8))
    b.line(feeler, 1.8)
    b.line(mirror(feeler), 1.8)
    b.ink(ellipse(36, 8, 2), ellipse(64, 8, 2))


def ladybug(b: Block) -> None:
    for y, end in ((42, 32), (58, 58), (74, 84)):
        leg = path((24, y), (12, (y + end) / 2 - 2), (5, end))
        b.line(leg, 4.2)
        b.line(mirror(leg), 4.2)
    for feeler in (path((44, 18), (38, 8), (30, 4)), path((56, 18), (62, 8), (70, 4))):
        b.line(feeler, 2.6)
    b.body(half((50, 10), (62, 13), (69, 24), (64, 34), (50, 36)), Cut("rings", tone=0.35))
    b.clear(ellipse(41, 21, 3.4, 4.2), ellipse(59, 21, 3.4, 4.2))
    b.paper(
        half((50, 30), (70, 34), (84, 54), (80, 78), (64, 92), (50, 95)),
        Cut("rings", center=(36, 46), tone=0.5, width=1.7),
        outline=3.2,
    )
    b.line(path((50, 30), (50.6, 60), (50, 97)), 3.6)
    for x, y, size in ((35, 47, 7), (27, 66, 6.4), (41, 78, 6)):
        for side in (x, 100 - x):
            b.body(ellipse(side, y, size), Cut("rings", tone=0.3, spacing=2.6))
    b.ink(half((50, 30), (58, 33), (50, 42)))


def turtle(b: Block) -> None:
    for x, y, turn in ((27, 78, 20), (66, 78, -20)):
        b.body(ellipse(x, y, 9, 13, turn), Cut(tone=0.55))
    b.body(blob((84, 66), (94, 68), (97, 74), (86, 74)), Cut(tone=0.5))
    b.body(blob((22, 62), (8, 58), (2, 46), (8, 37), (18, 38), (26, 50)), Cut("rings", tone=0.6))
    b.paper(ellipse(10.5, 46, 3.2), outline=1.2)
    b.ink(ellipse(10.5, 46, 1.7))
    b.line(path((3, 52), (7, 54), (11, 53)), 1.6)
    shell = blob((15, 68), (20, 42), (40, 24), (62, 26), (82, 44), (88, 68), (52, 74))
    b.body(shell, Cut(tone=0.2))
    plates = (
        ((40, 34), (60, 34), (66, 50), (51, 58), (36, 50)),
        ((36, 33), (32, 49), (21, 52), (26, 40)),
        ((64, 35), (70, 50), (82, 54), (76, 42)),
        ((33, 53), (48, 61), (46, 69), (20, 66), (20, 56)),
        ((69, 54), (54, 61), (55, 69), (84, 66), (82, 58)),
    )
    for plate in plates:
        b.paper(poly(*plate), Cut("rings", tone=0.62, spacing=3.6, width=2), outline=1.8)
    b.ink(blob((12, 68), (52, 71), (91, 67), (88, 75), (52, 78), (15, 75)))
    b.gouge(path((18, 72), (50, 74.5), (84, 71.5)), width=1.8)


def owl(b: Block) -> None:
    ear = poly((22, 30), (18, 5), (44, 18))
    b.body(ear, Cut(angle=70, tone=0.4))
    b.body(mirror(ear), Cut(angle=110, tone=0.4))
    b.body(
        half((50, 13), (68, 16), (79, 34), (80, 62), (70, 86), (50, 93)),
        Cut(angle=85, tone=0.5, length=6, spacing=4.2, width=2.6),
    )
    b.paper(half((50, 48), (64, 50), (68, 66), (60, 84), (50, 88)), outline=1.6)
    for row, y in enumerate((56, 63, 70, 77, 83)):
        for x in (-12, -4, 4, 12) if row % 2 else (-8, 0, 8):
            b.line(path((50 + x - 3.4, y - 1.6), (50 + x, y + 2.6), (50 + x + 3.4, y - 1.6)), 2)
    wing = blob((24, 42), (14, 56), (17, 80), (28, 88), (32, 66))
    b.body(wing, Cut(angle=100, tone=0.75, length=7))
    b.body(mirror(wing), Cut(angle=80, tone=0.75, length=7))
    for x in (35, 65):
        b.paper(ellipse(x, 34, 14.5), Cut("rays", tone=0.7, width=1.6, spacing=2.8), outline=2.4)
        b.clear(ellipse(x, 34, 8.4))
        b.ink(ellipse(x, 34, 7))
        b.clear(ellipse(x - 2.4, 31.5, 2.2))
    b.ink(poly((45, 38), (55, 38), (50, 51)))
    b.gouge(path((48, 40), (49, 43), (49.6, 47)), width=1.3)
    for x in (40, 60):
        b.ink(blob((x - 7, 95), (x - 5, 90), (x + 5, 90), (x + 7, 95)))


def snail(b: Block) -> None:
    for feeler in (path((20, 52), (14, 36), (9, 26)), path((25, 50), (25, 36), (23, 25))):
        b.line(feeler, 4.6)
    b.ink(ellipse(9, 25, 3.4), ellipse(23, 24, 3.4))
    b.paper(
        blob(
            (8, 56),
            (18, 47),
            (29, 54),
            (34, 70),
            (60, 76),
            (88, 76),
            (97, 87),
            (60, 90),
            (24, 88),
            (13, 76),
        ),
        Cut(angle=10, tone=0.5, width=1.6),
        outline=2.8,
    )
    b.line(path((10, 65), (15, 68), (20, 66)), 2)
    b.body(ellipse(60, 50, 31, 30), Cut("rays", center=(58, 52), tone=0.6, length=7))
    for coil in (
        path((34, 66), (31, 44), (50, 27), (74, 34), (80, 54), (66, 71), (47, 66), (42, 50)),
        path((42, 50), (52, 38), (66, 42), (69, 54), (59, 61), (51, 54), (57, 48), (61, 52)),
    ):
        b.line(coil, 8)
        b.gouge(coil, width=3.4)


def lion(b: Block) -> None:
    b.body(
        half(
            (50, 5), (66, 9), (82, 14), (90, 32), (95, 52), (88, 72), (76, 88), (60, 92), (50, 96)
        ),
        Cut("rays", center=(50, 52), tone=0.62, length=12, width=2.6),
    )
    for x in (26, 74):
        b.paper(ellipse(x, 26, 7.5), outline=3)
    b.paper(half((50, 24), (66, 28), (74, 48), (68, 70), (58, 82), (50, 84)), outline=3)
    for x in (38, 62):
        b.ink(ellipse(x, 48, 3.6, 4.4))
        b.clear(ellipse(x - 1, 46.4, 1.2))
    b.line(path((32, 41), (38, 38), (44, 41)), 2.4)
    b.line(path((56, 41), (62, 38), (68, 41)), 2.4)
    b.ink(blob((40, 59), (50, 57), (60, 59), (50, 69)))
    b.line(path((50, 67), (48, 76), (38, 75)), 2.4)
    b.line(path((50, 67), (52, 76), (62, 75)), 2.4)
    b.line(path((46, 40), (46, 50), (43, 58)), 1.8)
    b.line(path((54, 40), (54, 50), (57, 58)), 1.8)
    for x, y in ((38, 69), (42, 71.5), (62, 69), (58, 71.5)):
        b.ink(ellipse(x, y, 1))


def rabbit(b: Block) -> None:
    ear = blob((38, 44), (28, 28), (26, 10), (33, 3), (42, 12), (47, 40))
    b.body(ear, Cut(angle=85, tone=0.5))
    b.body(mirror(ear), Cut(angle=95, tone=0.5))
    inner = blob((38, 36), (32, 22), (33, 10), (39, 20), (42, 36))
    b.clear(inner, mirror(inner))
    b.body(
        half((50, 36), (66, 38), (80, 56), (80, 76), (66, 91), (50, 95)),
        Cut("rays", center=(50, 70), tone=0.6, length=8),
    )
    for x in (36, 64):
        b.paper(ellipse(x, 60, 5.8, 6.6), outline=1.6)
        b.ink(ellipse(x, 60.6, 3.8, 4.8))
        b.clear(ellipse(x - 1.2, 58.8, 1.2))
    b.paper(
        blob((50, 68), (62, 69), (68, 78), (60, 87), (50, 85), (40, 87), (32, 78), (38, 69)),
        outline=1.4,
    )
    b.paper(box(45.5, 82, 54.5, 92, 1), outline=1.8)
    b.line(path((50, 81), (50, 87), (50, 92)), 1.6)
    b.ink(blob((44, 70), (50, 68), (56, 70), (50, 77)))
    b.line(path((50, 76), (48, 82), (40, 82)), 2)
    b.line(path((50, 76), (52, 82), (60, 82)), 2)
    for hair in (path((34, 76), (20, 72), (9, 70)), path((34, 80), (20, 81), (9, 83))):
        b.line(hair, 1.5)
        b.line(mirror(hair), 1.5)


SUBJECTS: Mapping[str, Callable[[Block], None]] = {
    "cat": cat,
    "dog": dog,
    "panda": panda,
    "frog": frog,
    "penguin": penguin,
    "fish": fish,
    "whale": whale,
    "butterfly": butterfly,
    "ladybug": ladybug,
    "turtle": turtle,
    "owl": owl,
    "snail": snail,
    "lion": lion,
    "rabbit": rabbit,
}
