"""Which corners of a picture would be found again in a crop, a screenshot or a sheet of it?

Corners with 256-bit codes (ORB, Rublee 2011) at three sizes of the picture, 448, 224 and 112 pixels
on the longer side: a crop is looked at larger than the whole, so that its coarse corners are the
whole's fine ones. With one size a quarter of a sheet was proposed for 15 of 24 photographs, with
three for all. Corners of mirrored pictures do not match: they are taken of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from picdeed.imaging.align import cv, evened
from picdeed.imaging.decode import Decoded, flat_of
from picdeed.imaging.neighbours import distances

ALGORITHM = "orb384/1"
SIDE = 448
SIZES = ((SIDE, 256), (SIDE // 2, 96), (SIDE // 4, 32))  # pixels, and corners kept there
CORNERS = sum(kept for _, kept in SIZES)
_LEAST_SIDE = 32
_CELLS = 5  # a picture's best corners are taken from 5 x 5 cells, so that they lie apart
_MARGIN = 16  # pixels: ORB's own 31 would leave a fifth of the smallest size
_LEVELS = 4  # of ORB's own pyramid, 1.2 a level: between two of our sizes
_CODE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Local:
    """Of one picture, k <= 384 corners: `codes` uint64[k, 4]; `geometry` float32[k, 4].

    A row of `geometry` is x, y and size in pixels at 448 on the longer side, and the angle in
    radians.
    """

    codes: NDArray[np.uint64]
    geometry: NDArray[np.float32]


def descriptors(picture: Image.Image | Decoded) -> Local:
    """The corners of a decoded picture of any size and mode; none on a plain or tiny one."""
    return _described(_framed(picture))


def both_ways(picture: Image.Image | Decoded) -> tuple[Local, Local]:
    """The corners of a picture and of its mirrored one: corners alone do not match mirrored."""
    frame = _framed(picture)
    return _described(frame), _described(ImageOps.mirror(frame))


def code_distances(a: Local, b: Local) -> NDArray[np.int64]:
    """Bits between every corner of a and every one of b: int64[k, l]."""
    codes = np.concatenate((a.codes, b.codes))
    left = np.repeat(np.arange(len(a.codes)), len(b.codes))
    right = np.tile(np.arange(len(b.codes)), len(a.codes)) + len(a.codes)
    return distances(codes, left, right).reshape(len(a.codes), len(b.codes))


def _framed(picture: Image.Image | Decoded) -> Image.Image:
    """In grey, at most 448 pixels wide or high."""
    flat = flat_of(picture)
    by = min(1.0, SIDE / max(flat.width, flat.height))
    size = max(1, round(flat.width * by)), max(1, round(flat.height * by))
    return flat.grey.resize(size, Image.Resampling.BILINEAR, flat.box, reducing_gap=3.0)


def _described(frame: Image.Image) -> Local:
    found, sides = [], []
    for side, kept in SIZES:
        by = min(1.0, side / max(frame.size))
        size = max(1, round(frame.width * by)), max(1, round(frame.height * by))
        if size in sides:  # a small picture is not looked at twice
            continue
        sides.append(size)
        found.append(_at_size(frame.resize(size, Image.Resampling.BILINEAR), kept))
    return Local(
        np.concatenate([one.codes for one in found]),
        np.concatenate([one.geometry for one in found]),
    )


def _at_size(small: Image.Image, kept: int) -> Local:
    grey = np.asarray(small)
    nothing = Local(np.zeros((0, 4), np.uint64), np.zeros((0, 4), np.float32))
    if min(grey.shape) < _LEAST_SIDE:
        return nothing
    finder = cv().ORB_create(4 * kept, edgeThreshold=_MARGIN, fastThreshold=8, nlevels=_LEVELS)
    found, codes = finder.detectAndCompute(evened(grey), None)
    if codes is None:
        return nothing
    chosen = _spread_out(found, grey.shape, kept)
    to = SIDE / max(grey.shape)  # all sizes speak of one frame
    geometry = [
        (*(to * place for place in (*one.pt, one.size)), np.radians(one.angle))
        for one in (found[at] for at in chosen)
    ]
    words = np.ascontiguousarray(codes[chosen]).view(np.uint64).reshape(-1, _CODE_BYTES // 8)
    return Local(words, np.array(geometry, dtype=np.float32).reshape(-1, 4))


def _spread_out(found: Sequence[object], shape: tuple[int, ...], kept: int) -> NDArray[np.int64]:
    """Positions of the strongest corners, taken in turn from cells of the picture."""
    at = np.array([one.pt for one in found])  # type: ignore[attr-defined]
    strength = np.array([one.response for one in found])  # type: ignore[attr-defined]
    column = np.minimum(at[:, 0] * _CELLS // shape[1], _CELLS - 1)
    row = np.minimum(at[:, 1] * _CELLS // shape[0], _CELLS - 1)
    order = np.lexsort((-strength, row * _CELLS + column))
    cell = (row * _CELLS + column)[order]
    starts = np.r_[True, cell[1:] != cell[:-1]]
    rank = np.arange(len(cell)) - np.maximum.accumulate(np.where(starts, np.arange(len(cell)), 0))
    taken = order[np.lexsort((-strength[order], rank))][:kept]
    return np.sort(taken).astype(np.int64)
