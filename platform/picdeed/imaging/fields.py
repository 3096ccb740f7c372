"""What of a picture do its codes look at: its grey, its colours, and what lies inside a border?

Areas are averaged exactly, whatever the picture's size: a cell of 64 x 64 (grey) or 8 x 8
(colours) is the mean of the pixels under it, those at its edges by the share that lies inside.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picdeed.imaging.decode import Flat

Floats = NDArray[np.float32]
Levels = NDArray[np.uint8] | Floats  # whole numbers, 0 to 255
Box = tuple[int, int, int, int]

SIDE = 64
COLOURS = 8

# Sides are averaged in 8 bits down to twice this at most, in floats from there; borders, whose
# edges must not blur, are looked for among more pixels.
_REDUCED, _BORDER_SEEN = 128, 256
_BORDER_STEP = 12.0  # grey levels: what JPEG leaves of an even border
_BORDER_SHARE = 0.98  # of a border's pixels are that even
_MOST_BORDER = 0.45  # of a side, at each end
_LEAST_BORDER = 0.01  # of a side: less is left on the picture
# Sides of so many pixels are averaged in so many parts; sums over longer ones are made in pieces
# by BLAS, and would be rounded otherwise than before.
_PARTS, _LEAST_PARTED, _MOST_PARTED = 4, 64, 320
_KEPT = 1 << 20  # floats (4 MiB) that a thread keeps room for, twice
# Pillow's weights for red, green and blue (65,536ths), and a half for rounding.
_LUMA = np.array([[19595 / 65536, 38470 / 65536, 7471 / 65536, 0.5]], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Fields:
    """What one picture's codes are made of.

    `grey` is float32[64, 64], 0 to 255; `inner` the same of what lies inside the border, whose
    `box` is in the whole picture's pixels; `colours` are float32[8, 8, 3], sRGB, 0 to 255.
    """

    grey: Floats
    inner: Floats | None
    box: Box | None
    colours: Floats


@dataclass(frozen=True, slots=True)
class _Cells:
    """What each pixel of a side weighs in the means of its cells.

    `weights` are float32[cells, pixels]. `parts` holds them once more, by parts of the cells:
    float32[p, cells of one, k], of which part q weighs the k pixels from q * `step` on. All others
    weigh nothing there, and need not be multiplied.
    """

    weights: Floats
    step: int
    parts: Floats

    def across(self, field: Floats) -> Floats:
        """float32[lines, cells] of contiguous float32[lines, pixels]."""
        count, cells, pixels = self.parts.shape
        lines, strides = len(field), (4 * self.step, *field.strides)
        seen = np.ndarray((count, lines, pixels), np.float32, field, 0, strides)
        made = np.empty((lines, count * cells), np.float32)
        each = made.reshape(lines, count, cells).transpose(1, 0, 2)
        np.matmul(seen, self.parts.transpose(0, 2, 1), out=each)
        return made

    def down(self, field: Floats) -> Floats:
        """float32[cells, columns] of contiguous float32[pixels, columns]."""
        count, cells, pixels = self.parts.shape
        columns, strides = field.shape[1], (self.step * field.strides[0], *field.strides)
        seen = np.ndarray((count, pixels, columns), np.float32, field, 0, strides)
        made: Floats = np.matmul(self.parts, seen)
        return made.reshape(count * cells, columns)


@dataclass(frozen=True, slots=True)
class _Axis:
    """How the pixels of one side lie over the whole picture's, and share in its cells."""

    edges: NDArray[np.float64]  # where each pixel begins, and the last one ends
    fine: _Cells  # 64
    coarse: _Cells  # 8


class _Room(threading.local):
    """Where a thread spreads pixels as floats: fresh pages would cost more than the sums."""

    def __init__(self) -> None:
        self.parts: dict[str, Floats] = {}
        self.luma_of: Flat | None = None  # whose luma lies there

    def part(self, name: str, shape: tuple[int, ...]) -> Floats:
        """Floats of this shape, of anything, over what lay there before."""
        size = math.prod(shape)
        if size > _KEPT:
            return np.empty(shape, np.float32)
        there = self.parts.get(name)
        if there is None or there.size < size:
            there = self.parts[name] = np.empty(size, np.float32)
        return there[:size].reshape(shape)


_ROOM = _Room()


def fields_of(flat: Flat) -> Fields:
    """The fields of a flat picture of any size."""
    columns, lines = flat.size
    left, top, right, bottom = flat.box

    def axes(factor: int) -> tuple[_Axis, _Axis]:
        return (
            _axis(columns, factor, left, right, flat.width),
            _axis(lines, factor, top, bottom, flat.height),
        )

    factor, finer = (_factor(flat.size, least) for least in (_REDUCED, _BORDER_SEEN))
    across, down = axes(factor)
    if factor == 1:
        spread, luma = _spread(flat)
        box = _inside(luma, across, down)
    else:
        box = _inside(_array(flat.grey, finer), *axes(finer))
        luma = _array(flat.grey, factor).astype(np.float32)
        spread = as_floats(_array(flat.colours, factor))
    bands = down.coarse.down(spread.reshape(len(luma), -1)).reshape(COLOURS, -1, 3)
    colours = across.coarse.weights @ bands
    inner: Floats | None = None
    if box is not None:
        rows = _average(down.edges, box[1], box[3], SIDE)
        inner = rows @ (luma @ _average(across.edges, box[0], box[2], SIDE).T)
    return Fields(down.fine.down(across.fine.across(luma)), inner, box, colours)


def luma_of(flat: Flat) -> Floats:
    """float32[height, width]: what `flat.grey` holds, until this thread asks for another."""
    if _factor(flat.size, _REDUCED) > 1:
        return as_floats(np.asarray(flat.grey))
    return _spread(flat)[1] if _ROOM.luma_of is not flat else _ROOM.part("luma", flat.size[::-1])


def as_floats(pixels: NDArray[np.uint8]) -> Floats:
    """The same numbers as float32, until this thread asks for others."""
    floats = _ROOM.part("pixels", pixels.shape)
    np.copyto(floats, pixels)
    return floats


def _spread(flat: Flat) -> tuple[Floats, Floats]:
    """float32[height, width, 3] of the colours, and [height, width] of the luma.

    The luma is Pillow's of each of the 2^24 colours, from sums that floats hold exactly.
    """
    import cv2

    colours = as_floats(flat.pixels)
    _ROOM.luma_of = None
    luma = _ROOM.part("luma", colours.shape[:2])
    cv2.transform(colours, _LUMA, dst=luma)
    np.floor(luma, out=luma)
    if colours.size <= _KEPT:  # larger pictures are not held on to
        _ROOM.luma_of = flat
    return colours, luma


def _factor(size: tuple[int, int], least: int) -> int:
    """By how much both sides may be divided so that the shorter one keeps as many pixels."""
    return max(1, min(size) // least)


def _array(image: Image.Image, factor: int) -> NDArray[np.uint8]:
    return np.asarray(image.reduce(factor) if factor > 1 else image)


def _inside(grey: Levels, across: _Axis, down: _Axis) -> Box | None:
    """What is left of the whole picture without its even border, None where it has none."""
    begin, end = _border(grey)
    first, last = _border(grey.T)
    if (begin, end, first, last) == (0, len(grey), 0, grey.shape[1]):
        return None
    x, y = across.edges, down.edges
    return (round(x[first]), round(y[begin]), round(x[last]), round(y[end]))


@lru_cache(maxsize=256)  # collections have few sizes; up to 150 KB each
def _axis(pixels: int, factor: int, begin: float, end: float, whole: int) -> _Axis:
    """One side: `pixels` decoded ones, `factor` of them averaged to one, of which those between
    `begin` and `end` show the picture, `whole` pixels wide in its file."""
    steps = np.minimum(np.arange(-(-pixels // factor) + 1) * factor, pixels)
    edges = ((steps - begin) * (whole / (end - begin))).clip(0, whole)
    fine, coarse = (_parted(_average(edges, 0, whole, cells)) for cells in (SIDE, COLOURS))
    for one in (edges, fine.weights, fine.parts, coarse.weights, coarse.parts):
        one.setflags(write=False)
    return _Axis(edges, fine, coarse)


def _parted(weights: Floats) -> _Cells:
    """Of float32[cells, pixels]; whole where a side is long or short."""
    cells, pixels = weights.shape
    if not _LEAST_PARTED <= pixels <= _MOST_PARTED:
        return _Cells(weights, 0, weights[None])
    step, size = (pixels - 2) // _PARTS, cells // _PARTS
    parts = weights.reshape(_PARTS, size, pixels)
    wide = max(
        int(np.flatnonzero(one.any(axis=0))[-1]) + 1 - q * step for q, one in enumerate(parts)
    )
    cut = [one[:, q * step : q * step + wide] for q, one in enumerate(parts)]
    return _Cells(weights, step, np.stack(cut))


def _average(edges: NDArray[np.float64], begin: float, end: float, cells: int) -> Floats:
    """float32[cells, n]: the share of each source pixel (by its edges) in each cell's mean."""
    cuts = np.linspace(begin, end, cells + 1)
    upper = np.minimum(edges[None, 1:], cuts[1:, None])
    lower = np.maximum(edges[None, :-1], cuts[:-1, None])
    shares: Floats = (np.clip(upper - lower, 0, None) * cells / (end - begin)).astype(np.float32)
    return shares


def _border(grey: Levels) -> tuple[int, int]:
    """First and last row (one behind) of what is left without even rows at both ends."""
    n = len(grey)
    most = int(n * _MOST_BORDER) + 1
    ends = [_even_rows(rows[:most], n) for rows in (grey, grey[::-1])]
    if n in ends:  # hardly anything but border: it is no picture in a frame
        return 0, n
    begin, end = (one if one >= _LEAST_BORDER * n else 0 for one in ends)
    return begin, n - end


def _even_rows(rows: Levels, n: int) -> int:
    """How many rows from the first are as even as it and alike; `n` when all are."""
    width = rows.shape[1]
    edge = rows[0].astype(np.uint8)
    edge.sort()
    ordered = edge.tobytes()
    level = (ordered[(width - 1) // 2] + ordered[width // 2]) / 2
    inside = bisect_left(ordered, level + _BORDER_STEP + 0.5)
    inside -= bisect_left(ordered, level - _BORDER_STEP)
    if inside < _BORDER_SHARE * width:  # the usual case: no border at all
        return 0
    even = (np.abs(rows.astype(np.float32) - level) <= _BORDER_STEP).mean(axis=1) >= _BORDER_SHARE
    return int(np.argmin(even)) if not even.all() else n
