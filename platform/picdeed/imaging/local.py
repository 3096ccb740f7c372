"""Which pictures share a part, though no code of the whole picture says so?

128 corners a picture at 384 pixels, each with a 256-bit code (ORB) and its place. Corners of two
pictures within 40 bits vote for one way to lay one picture on the other: a scale, a turn and a
shift; three votes for one way make a candidate. Corners that more than five other pictures have
(letters, frames, skies) are stopped first, the commonest 4 %. Crops, screenshots and sheets are
found so; mirrored ones are not, unless the mirrored picture's corners are given too.

Meant for up to `MOST` pictures: the search is exact, and the pairs of corners grow with n squared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from picdeed.imaging.align import cv, evened
from picdeed.imaging.decode import flatten
from picdeed.imaging.neighbours import distances, pairs_within

SIDE = 384
ALGORITHM = "orb128/1"
CORNERS = 128  # with 64, a crop of 30 % is found half as often
RADIUS = 40
LEAST_VOTES = 3
MOST = 50_000  # pictures: 300 MB of codes and places, 6.4 million codes to join
_COMMON = 5  # other pictures that may have a corner too
_STOPPED = 0.04  # of all corners at most
_LEAST_SIDE = 32
_CELLS = 5  # a picture's best corners are taken from 5 x 5 cells, so that they lie apart
_SCALE_STEP, _TURN_STEP, _SHIFT_STEP = 0.5, np.pi / 6, 48.0
_CODE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Local:
    """Of one picture, k <= 128 corners: `codes` uint64[k, 4]; `geometry` float32[k, 4].

    A row of `geometry` is x, y and size in pixels at 384 on the longer side, and the angle in
    radians.
    """

    codes: NDArray[np.uint64]
    geometry: NDArray[np.float32]


def descriptors(image: Image.Image) -> Local:
    """The corners of a decoded picture of any size and mode; none on a plain or tiny one."""
    flat = flatten(image)
    by = min(1.0, SIDE / max(flat.size))
    small = max(1, round(flat.width * by)), max(1, round(flat.height * by))
    grey = np.asarray(flat.resize(small, Image.Resampling.BILINEAR).convert("L"))
    nothing = Local(np.zeros((0, 4), np.uint64), np.zeros((0, 4), np.float32))
    if min(grey.shape) < _LEAST_SIDE:
        return nothing
    found, codes = (
        cv().ORB_create(4 * CORNERS, fastThreshold=8).detectAndCompute(evened(grey), None)
    )
    if codes is None:
        return nothing
    chosen = _spread_out(found, grey.shape)
    geometry = [(*found[at].pt, found[at].size, np.radians(found[at].angle)) for at in chosen]
    words = np.ascontiguousarray(codes[chosen]).view(np.uint64).reshape(-1, _CODE_BYTES // 8)
    return Local(words, np.array(geometry, dtype=np.float32).reshape(-1, 4))


def both_ways(image: Image.Image) -> tuple[Local, Local]:
    """The corners of a picture and of its mirrored one: corners alone do not match mirrored."""
    return descriptors(image), descriptors(ImageOps.mirror(image))


def candidates_by_votes(
    pictures: Sequence[Local], *, least: int = LEAST_VOTES
) -> NDArray[np.int64]:
    """Pairs i < j of pictures with `least` or more corners in one geometry: int64[m, 2], sorted.

    Raises ValueError for more than 50,000 pictures.
    """
    if len(pictures) > MOST:
        raise ValueError(f"{len(pictures):,} pictures are more than {MOST:,} for local corners")
    sizes = [len(one.codes) for one in pictures]
    owner = np.repeat(np.arange(len(pictures), dtype=np.int64), sizes)
    none = np.zeros((0, 2), dtype=np.int64)
    if len(owner) < 2:  # noqa: PLR2004 (a pair needs two)
        return none
    codes = np.concatenate([one.codes for one in pictures])
    geometry = np.concatenate([one.geometry for one in pictures])
    left, right = _matches(codes, owner)
    if not len(left):
        return none
    return _voted(owner, geometry, left, right, least)


def _spread_out(found: Sequence[object], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Positions of the 128 strongest corners, taken in turn from cells of the picture."""
    at = np.array([one.pt for one in found])  # type: ignore[attr-defined]
    strength = np.array([one.response for one in found])  # type: ignore[attr-defined]
    column = np.minimum(at[:, 0] * _CELLS // shape[1], _CELLS - 1)
    row = np.minimum(at[:, 1] * _CELLS // shape[0], _CELLS - 1)
    order = np.lexsort((-strength, row * _CELLS + column))
    cell = (row * _CELLS + column)[order]
    starts = np.r_[True, cell[1:] != cell[:-1]]
    rank = np.arange(len(cell)) - np.maximum.accumulate(np.where(starts, np.arange(len(cell)), 0))
    taken = order[np.lexsort((-strength[order], rank))][:CORNERS]
    return np.sort(taken).astype(np.int64)


def _matches(
    codes: NDArray[np.uint64], owner: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Corners of different pictures within the radius, without the commonest."""
    pairs = pairs_within(codes, RADIUS)
    pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    both = np.concatenate((pairs, pairs[:, ::-1]))
    seen = np.unique(np.stack((both[:, 0], owner[both[:, 1]]), axis=1), axis=0)
    others = np.bincount(seen[:, 0], minlength=len(codes))
    common = np.flatnonzero(others > _COMMON)
    most = max(1, int(_STOPPED * len(codes)))
    if len(common) > most:
        common = common[np.argsort(-others[common], kind="stable")[:most]]
    stopped = np.zeros(len(codes), dtype=bool)
    stopped[common] = True
    pairs = pairs[~(stopped[pairs[:, 0]] | stopped[pairs[:, 1]])]
    # Twice the first picture's order: i < j in corners is i < j in pictures.
    return pairs[:, 0], pairs[:, 1]


def _voted(
    owner: NDArray[np.int64],
    geometry: NDArray[np.float32],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    least: int,
) -> NDArray[np.int64]:
    """Pairs of pictures of which enough corners agree with one of them as the reference.

    Each match says how its picture would be scaled, turned and shifted; a reference match counts
    those whose saying is near its own. A corner counts once however many it matched.
    """
    n = int(owner.max()) + 1
    keys = owner[left] * n + owner[right]
    order = np.argsort(keys, kind="stable")
    keys, left, right = keys[order], left[order], right[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    counts = np.diff(np.r_[starts, len(keys)])
    found = []
    for start, count in zip(starts[counts >= least], counts[counts >= least], strict=True):
        some = slice(start, start + count)
        if _votes(geometry[left[some]], geometry[right[some]], left[some], right[some]) >= least:
            found.append(divmod(int(keys[start]), n))
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


def _votes(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    of_a: NDArray[np.int64],
    of_b: NDArray[np.int64],
) -> int:
    scale = np.log(b[:, 2] / a[:, 2])
    turn = b[:, 3] - a[:, 3]
    most = 0
    for at in range(min(len(a), CORNERS)):
        by, angle = float(np.exp(scale[at])), float(turn[at])
        spin = by * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        predicted = (a[:, :2] - a[at, :2]) @ spin.T + b[at, :2]
        off = np.sqrt(((predicted - b[:, :2]) ** 2).sum(1))
        away = np.abs((turn - angle + np.pi) % (2 * np.pi) - np.pi)
        # Far corners may be off by more: a small error of turn or scale grows with the distance.
        reach = np.sqrt(((b[:, :2] - b[at, :2]) ** 2).sum(1))
        agree = (np.abs(scale - scale[at]) < _SCALE_STEP) & (away < _TURN_STEP)
        agree &= off < np.maximum(10.0, np.minimum(_SHIFT_STEP, 0.2 * reach))
        witnesses = min(_apart(a[agree], of_a[agree]), _apart(b[agree], of_b[agree]))
        most = max(most, witnesses)
    return most


def _apart(places: NDArray[np.float32], corners: NDArray[np.int64]) -> int:
    """Different spots among the corners: one corner found at two sizes is one witness."""
    return min(len(np.unique(corners)), len(np.unique((places[:, :2] / 12).round(), axis=0)))


def code_distances(a: Local, b: Local) -> NDArray[np.int64]:
    """Bits between every corner of a and every one of b: int64[k, l]."""
    codes = np.concatenate((a.codes, b.codes))
    left = np.repeat(np.arange(len(a.codes)), len(b.codes))
    right = np.tile(np.arange(len(b.codes)), len(a.codes)) + len(a.codes)
    return distances(codes, left, right).reshape(len(a.codes), len(b.codes))
