"""Which outlines is a drawing made of? Closed and open curves as points, in units of 0 to 100."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[float, float]


def ellipse(x: float, y: float, rx: float, ry: float | None = None, turn: float = 0) -> list[Point]:
    """An ellipse around (x, y), turned by degrees."""
    ry = rx if ry is None else ry
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    points = []
    for step in range(28):
        a = rx * math.cos(step * math.tau / 28)
        b = ry * math.sin(step * math.tau / 28)
        points.append((x + a * cos - b * sin, y + a * sin + b * cos))
    return points


def lower_half(x: float, y: float, rx: float, ry: float) -> list[Point]:
    """The part of an ellipse below its middle."""
    return [(a, b) for a, b in ellipse(x, y, rx, ry) if b > y - 0.5]


def blob(*through: Point) -> list[Point]:
    """A smooth closed curve through the points (Catmull-Rom)."""
    count = len(through)
    points: list[Point] = []
    for index in range(count):
        points += _spline(*(through[(index + offset) % count] for offset in (-1, 0, 1, 2)))
    return points


def path(*through: Point) -> list[Point]:
    """A smooth open curve through the points."""
    ends = (through[0], *through, through[-1])
    points: list[Point] = []
    for index in range(len(through) - 1):
        points += _spline(*ends[index : index + 4])
    return [*points, through[-1]]


def poly(*corners: Point) -> list[Point]:
    """Straight edges."""
    return list(corners)


def box(left: float, top: float, right: float, bottom: float, corner: float = 0) -> list[Point]:
    """A rectangle with its corners cut off by `corner`."""
    c = corner
    if not c:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    return [
        (left + c, top),
        (right - c, top),
        (right, top + c),
        (right, bottom - c),
        (right - c, bottom),
        (left + c, bottom),
        (left, bottom - c),
        (left, top + c),
    ]


def mirror(points: Sequence[Point], axis: float = 50) -> list[Point]:
    """The same on the other side of a vertical axis."""
    return [(2 * axis - x, y) for x, y in points]


def half(*through: Point) -> list[Point]:
    """A smooth symmetric outline from points on its right side, top to bottom."""
    left = [(100 - x, y) for x, y in reversed(through) if x != 50]  # noqa: PLR2004 (the axis)
    return blob(*through, *left)


def turned(points: Sequence[Point], degrees: float, x: float = 50, y: float = 50) -> list[Point]:
    """Turned clockwise around (x, y)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (x + (a - x) * cos - (b - y) * sin, y + (a - x) * sin + (b - y) * cos) for a, b in points
    ]


def star(x: float, y: float, outer: float, inner: float, tips: int) -> list[Point]:
    """A star with one tip upwards."""
    points = []
    for step in range(2 * tips):
        radius = inner if step % 2 else outer
        angle = math.radians(step * 180 / tips - 90)
        points.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
    return points


def _spline(a: Point, b: Point, c: Point, d: Point) -> list[Point]:
    points = []
    for step in range(6):
        t = step / 6
        points.append(
            (
                _catmull(a[0], b[0], c[0], d[0], t),
                _catmull(a[1], b[1], c[1], d[1], t),
            )
        )
    return points


def _catmull(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
