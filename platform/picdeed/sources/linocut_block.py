"""How does one carve and print a block of lino? Ink left standing, gouges, chatter, one hand.

Coordinates are units of a hundredth of the side, x to the right and y downwards. A block is
carved at four times the size of the print. Every tremor of the hand comes from a generator
seeded by the block's name, so the same name gives the same pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIDE = 256
"""Pixels of a print's side."""

INK = (22, 19, 18)
PAPER = (246, 240, 226)

Point = tuple[float, float]
Points = Sequence[Point]

_SCALE = 4
_FULL = SIDE * _SCALE
_UNIT = _FULL / 100
_EDGE = 99  # units
_KEPT = 0.7  # share of the ridges that the gouge left
_FIELD = 64  # cells of the flow of the background's marks


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows of gouges: `rows` at an angle, `rings` around a centre, `rays` from a centre.

    `tone` is the share of light, 0 leaves solid ink. Lengths are units, angles degrees.
    """

    kind: str = "rows"
    tone: float = 0.5
    angle: float = -35
    bend: float = 0
    center: Point | None = None
    spacing: float = 3.4
    length: float = 11
    width: float = 2.1
    flat: bool = False  # the same light everywhere


class Block:
    """One block of lino, carved shape by shape from the back to the front."""

    def __init__(self, name: str) -> None:
        self._rng = Random(f"linocut/{name}")  # noqa: S311 (a hand's tremor, no secret)
        self._ink = Image.new("L", (_FULL, _FULL), 0)
        self._cover = Image.new("L", (_FULL, _FULL), 0)

    def ink(self, *shapes: Points) -> None:
        """Solid ink."""
        for shape in shapes:
            self._fill(self._cut_edge(shape), 255)

    def body(self, shape: Points, cut: Cut | None = None, outline: float = 2.4) -> None:
        """Ink with gouges that follow the form, thick towards the light at the upper left."""
        self._shaded(shape, cut or Cut(), outline, ink=True)

    def paper(self, shape: Points, cut: Cut | None = None, outline: float = 2.4) -> None:
        """Cleared paper within an outline, with ridges of ink towards the shadow."""
        self._shaded(shape, cut, outline, ink=False)

    def clear(self, *shapes: Points) -> None:
        """Cleared paper without an outline."""
        for shape in shapes:
            ImageDraw.Draw(self._ink).polygon(self._cut_edge(shape), fill=0)

    def line(self, path: Points, width: float = 2.4) -> None:
        """A line of ink that ends in points."""
        self._stroke(path, width, 255)

    def gouge(self, *paths: Points, width: float = 2.0) -> None:
        """One pass of the gouge each: a white line that swells and ends in points."""
        for path in paths:
            self._stroke(path, width, 0)

    def print(self, *, chatter: bool = True) -> Image.Image:
        """The print: RGB, SIDE by SIDE, ink on paper."""
        if chatter:
            self._chatter()
        ink = self._worn().reduce(_SCALE)
        return Image.composite(
            Image.new("RGB", ink.size, INK), Image.new("RGB", ink.size, PAPER), ink
        )

    def _shaded(self, shape: Points, cut: Cut | None, outline: float, *, ink: bool) -> None:
        edge = self._cut_edge(shape)
        self._fill(edge, 255 if ink else 0)
        if cut is not None:
            self._hatch(shape, edge, cut, ink=ink)
        if outline:
            ImageDraw.Draw(self._ink).line(
                [*edge, *edge[:2]], fill=255, width=round(outline * _UNIT), joint="curve"
            )

    def _hatch(self, shape: Points, edge: Points, cut: Cut, *, ink: bool) -> None:
        """Marks inside an edge only; both are drawn on a piece as large as the shape."""
        left, top, right, bottom = (int(bound) for bound in _box(edge))
        inside = Image.new("L", (right - left + 2, bottom - top + 2), 0)
        marks = inside.copy()
        ImageDraw.Draw(inside).polygon([(x - left, y - top) for x, y in edge], fill=255)
        draw = ImageDraw.Draw(marks)
        for path in _paths(shape, cut, self._rng):
            width = cut.width * self._light(shape, path, cut, toward=ink)
            if width > cut.width / 6:
                draw.polygon([(x - left, y - top) for x, y in _taper(path, width)], fill=255)
        self._ink.paste(0 if ink else 255, (left, top), ImageChops.darker(marks, inside))

    def _light(self, shape: Points, path: Points, cut: Cut, *, toward: bool) -> float:
        """0 to 1: how strongly a mark is cut, by where it lies in its shape."""
        left, top, right, bottom = _box(shape)
        x, y = path[len(path) // 2]
        across = (x - left) / max(right - left, 1) - 0.5
        down = (y - top) / max(bottom - top, 1) - 0.5
        light = 0.5 - 0.62 * across - 0.72 * down
        if not toward:
            light = 1 - light
        if cut.flat:
            light = 0.5
        strength = 0.34 + 1.7 * (light + cut.tone - 1)
        return min(max(strength, 0.0), 1.0) * self._rng.uniform(0.8, 1.1)

    def _cut_edge(self, shape: Points) -> list[Point]:
        """The knife's edge in block pixels: short facets that stray a little from the line."""
        edge = []
        for (x, y), (nx, ny) in _even(shape, 2.6):
            stray = self._rng.uniform(-0.38, 0.38)
            edge.append(((x + nx * stray) * _UNIT, (y + ny * stray) * _UNIT))
        return edge

    def _fill(self, edge: Points, value: int) -> None:
        ImageDraw.Draw(self._ink).polygon(edge, fill=value)
        ImageDraw.Draw(self._cover).polygon(edge, fill=255)

    def _stroke(self, path: Points, width: float, fill: int) -> None:
        shape = _taper(path, width * self._rng.uniform(0.9, 1.1))
        ImageDraw.Draw(self._ink).polygon(shape, fill=fill)
        if fill:
            ImageDraw.Draw(self._cover).polygon(shape, fill=255)

    def _chatter(self) -> None:
        """Ridges that the gouge left standing in the cleared ground, flowing round the subject."""
        near = self._cover.resize((_FIELD, _FIELD), Image.Resampling.BOX)
        height = near.filter(ImageFilter.GaussianBlur(9))
        levels = height.tobytes()
        near = near.filter(ImageFilter.MaxFilter(7))
        taken = near.tobytes()
        draw = ImageDraw.Draw(self._ink)
        for x, y in _grid(self._rng, 6.4):
            path = _flow(levels, (x, y), self._rng.uniform(5.0, 9.5))
            free = all(taken[_cell(px) + _FIELD * _cell(py)] == 0 for px, py in path)
            if free and self._rng.random() < _KEPT:
                draw.polygon(_taper(path, self._rng.uniform(1.1, 1.9)), fill=255)

    def _worn(self) -> Image.Image:
        """Where the ink did not take: specks."""
        worn = self._ink.copy()
        draw = ImageDraw.Draw(worn)
        for _ in range(150):
            x, y = self._rng.randrange(_FULL), self._rng.randrange(_FULL)
            size = self._rng.randrange(2, 6)
            draw.ellipse((x, y, x + size, y + size), fill=0)
        return worn


def _cell(value: float) -> int:
    return min(max(int(value * _FIELD / 100), 0), _FIELD - 1)


def _grid(rng: Random, step: float) -> Iterator[Point]:
    """Scattered but even places all over the block."""
    y = 2.0
    while y < _EDGE:
        x: float = rng.uniform(0, step)
        while x < _EDGE:
            yield x, y + rng.uniform(-1.6, 1.6)
            x += step * rng.uniform(0.9, 1.4)
        y += step * 0.62


def _flow(levels: bytes, start: Point, length: float) -> list[Point]:
    """A short path along a line of equal height: round the subject and never into it."""
    x, y = start
    path = [start]
    for _ in range(4):
        cx, cy = min(max(_cell(x), 1), _FIELD - 2), min(max(_cell(y), 1), _FIELD - 2)
        at = cx + _FIELD * cy
        across: float = levels[at + 1] - levels[at - 1]
        down: float = levels[at + _FIELD] - levels[at - _FIELD]
        if not across and not down:
            across, down = x - 50, y - 50
        size = math.hypot(across, down) or 1.0
        x, y = x - down / size * length / 4, y + across / size * length / 4
        path.append((x, y))
    return path


def _box(shape: Points) -> tuple[float, float, float, float]:
    xs, ys = [x for x, _ in shape], [y for _, y in shape]
    return min(xs), min(ys), max(xs), max(ys)


def _even(shape: Points, step: float) -> Iterator[tuple[Point, Point]]:
    """Points at about equal distances on a closed outline, corners kept, each with its normal."""
    for index, (x, y) in enumerate(shape):
        nx_, ny_ = shape[(index + 1) % len(shape)]
        dx, dy = nx_ - x, ny_ - y
        size = math.hypot(dx, dy)
        if not size:
            continue
        pieces = max(1, round(size / step))
        for piece in range(pieces):
            share = piece / pieces
            yield (x + dx * share, y + dy * share), (-dy / size, dx / size)


def _taper(path: Points, width: float) -> list[Point]:
    """A gouge's mark in block pixels: it enters thin, swells and leaves in a point."""
    left, right = [], []
    last = len(path) - 1
    for index, (x, y) in enumerate(path):
        ax, ay = path[max(index - 1, 0)]
        bx, by = path[min(index + 1, last)]
        size = math.hypot(bx - ax, by - ay) or 1.0
        half = width / 2 * math.sin(math.pi * (index / last) ** 0.75) ** 0.7
        nx, ny = -(by - ay) / size * half, (bx - ax) / size * half
        left.append(((x + nx) * _UNIT, (y + ny) * _UNIT))
        right.append(((x - nx) * _UNIT, (y - ny) * _UNIT))
    return left + right[::-1]


def _paths(shape: Points, cut: Cut, rng: Random) -> Iterable[list[Point]]:
    left, top, right, bottom = _box(shape)
    center = cut.center or ((left + right) / 2, (top + bottom) / 2)
    reach = max(math.hypot(x - center[0], y - center[1]) for x, y in shape)
    if cut.kind == "rings":
        return _rings(center, reach, cut, rng)
    if cut.kind == "rays":
        return _rays(center, reach, cut, rng)
    return _rows(center, reach, cut, rng)


def _rows(center: Point, reach: float, cut: Cut, rng: Random) -> Iterator[list[Point]]:
    turn = math.radians(cut.angle)
    ux, uy = math.cos(turn), math.sin(turn)
    across = -reach
    while across < reach:
        along = -reach + rng.uniform(-cut.length, 0)
        while along < reach:
            long = cut.length * rng.uniform(0.75, 1.3)
            path = []
            for step in range(6):
                a = along + long * step / 5
                b = across + cut.bend * (1 - (a / reach) ** 2)
                path.append((center[0] + ux * a - uy * b, center[1] + uy * a + ux * b))
            yield path
            along += long * 1.08
        across += cut.spacing * rng.uniform(0.92, 1.08)


def _rings(center: Point, reach: float, cut: Cut, rng: Random) -> Iterator[list[Point]]:
    radius = max(cut.spacing * 0.8, reach * 0.26)  # a bull's eye would draw every look
    while radius < reach:
        turn = rng.uniform(0, 6.28)
        end = turn + 6.1
        while turn < end:
            sweep = min(cut.length * rng.uniform(0.75, 1.3) / radius, 1.5)
            yield [
                (
                    center[0] + radius * math.cos(turn + sweep * step / 5),
                    center[1] + radius * math.sin(turn + sweep * step / 5),
                )
                for step in range(6)
            ]
            turn += sweep * 1.1
        radius += cut.spacing * rng.uniform(0.95, 1.08)


def _rays(center: Point, reach: float, cut: Cut, rng: Random) -> Iterator[list[Point]]:
    radius = cut.spacing
    while radius < reach:
        count = max(4, round(6.283 * (radius + cut.length / 2) / (cut.spacing * 1.15)))
        first = rng.uniform(0, 6.28)
        for index in range(count):
            turn = first + 6.283 * index / count + rng.uniform(-0.04, 0.04)
            start = radius + rng.uniform(-1, 1)
            long = cut.length * rng.uniform(0.7, 1.15)
            yield [
                (
                    center[0] + (start + long * step / 5) * math.cos(turn),
                    center[1] + (start + long * step / 5) * math.sin(turn),
                )
                for step in range(6)
            ]
        radius += cut.length
