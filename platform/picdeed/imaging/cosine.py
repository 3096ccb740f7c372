"""Which pictures' vectors point almost the same way? All of them, exactly, in bounded memory.

Vectors are kept as whole numbers, 4,000 to the length of one. The products of two such vectors add
up to less than 2^24 in whatever order they are added, so that float32 holds each sum exactly:
blocks of a matrix product give the same answer on any machine, with any number of threads, for one
new picture as for all at once. Rounding moves a cosine by about a ten-thousandth, which is why a
threshold is taken 0.0005 lower than it is said.

A picture proposes at most so many of its nearest; a pair is proposed when either of the two
proposes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Steps = NDArray[np.int16]

UNIT = 4_000
TOLERANCE = 0.0005
MOST = 20  # nearest that one picture proposes
_ROWS = 2_048  # of one block: its product takes 16 MB
_MOST_NUMBERS = 4_096  # (UNIT + sqrt(this) / 2) ^ 2 stays below 2^24


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Pairs i < j, sorted, int64[m, 2], with their cosines, float64[m].

    `cut` is how many pictures have more neighbours above the threshold than they may propose.
    """

    pairs: Ints
    cosine: NDArray[np.float64]
    cut: int


def in_steps(vectors: NDArray[np.floating]) -> Steps:
    """int16[n, d] of n vectors of length one. Raises ValueError for what is no such vector."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if vectors.shape[1] > _MOST_NUMBERS or not (np.abs(lengths - 1) < TOLERANCE).all():
        raise ValueError(f"vectors of length one and at most {_MOST_NUMBERS} numbers are compared")
    steps: Steps = np.rint(vectors * UNIT).astype(np.int16)
    return steps


def alike(
    vectors: Steps, threshold: float, *, most: int = MOST, new: NDArray[np.bool_] | None = None
) -> Alike:
    """Pairs of vectors (int16[n, d] of `in_steps`) with a cosine of `threshold` or more.

    Each picture proposes its `most` nearest, of equally near ones the first. With `new` (bool[n])
    only pairs that hold one of these, at the cost of what is new: the same as of all, restricted.
    """
    nearest = _Nearest(len(vectors), most, threshold)
    if new is None:
        blocks = list(_blocks(np.arange(len(vectors))))
        for at, rows in enumerate(blocks):
            for other in blocks[at:]:
                product = _product(vectors, rows, other)
                nearest.take(rows, other, product)
                if other is not rows:
                    nearest.take(other, rows, product.T)
        return nearest.told()
    fresh = np.flatnonzero(new)
    met = nearest.search(vectors, fresh)
    # An old picture proposes a new one only when that is among its own nearest.
    old = np.flatnonzero(met & ~new)
    nearest.search(vectors, old)
    return nearest.told(np.asarray(new))


class _Nearest:
    """Of each row the nearest others so far, nearest first; `over` counts all above the bar."""

    def __init__(self, n: int, most: int, threshold: float) -> None:
        self.least = np.float32(np.ceil((threshold - TOLERANCE) * UNIT * UNIT))
        self.near = np.full((n, most), -np.inf, dtype=np.float32)
        self.other = np.full((n, most), -1, dtype=np.int64)
        self.over = np.zeros(n, dtype=np.int64)

    def search(self, vectors: Steps, asked: Ints) -> NDArray[np.bool_]:
        """Some rows against all; bool[n]: whom any of them reaches."""
        met = np.zeros(len(vectors), dtype=bool)
        for rows in _blocks(asked):
            for others in _blocks(np.arange(len(vectors))):
                product = _product(vectors, rows, others)
                met[others] |= self.take(rows, others, product)
        return met

    def take(self, rows: Ints, others: Ints, product: Floats) -> NDArray[np.bool_]:
        """Consider a block; bool[others]: who is above the threshold for any of the rows.

        Blocks come with `others` ascending, so that of equally near ones the first stays.
        """
        above = product >= self.least
        above &= rows[:, None] != others[None]
        met = np.asarray(above.any(0))
        if not met.any():
            return met
        self.over[rows] += above.sum(1)
        above &= product > self.near[rows, -1][:, None]
        at, to = np.nonzero(above)
        touched = np.unique(at)
        kept = self.near.shape[1]
        # What each touched row had, and what is new, in one list.
        row = np.concatenate((np.repeat(rows[touched], kept), rows[at]))
        near = np.concatenate((self.near[rows[touched]].ravel(), product[at, to]))
        other = np.concatenate((self.other[rows[touched]].ravel(), others[to]))
        order = np.lexsort((other, -near, row))
        row, near, other = row[order], near[order], other[order]
        starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]]) if len(row) else row
        rank = np.arange(len(row)) - np.repeat(starts, np.diff(np.r_[starts, len(row)]))
        first = rank < kept
        self.near[row[first], rank[first]] = near[first]
        self.other[row[first], rank[first]] = other[first]
        return met

    def told(self, new: NDArray[np.bool_] | None = None) -> Alike:
        row, rank = np.nonzero(self.other >= 0)
        other = self.other[row, rank]
        pairs = np.stack((np.minimum(row, other), np.maximum(row, other)), axis=1)
        near = self.near[row, rank]
        if new is not None:
            held = new[pairs].any(1)
            pairs, near = pairs[held], near[held]
        pairs, first = np.unique(pairs, axis=0, return_index=True)
        cosine = near[first].astype(np.float64) / (UNIT * UNIT)
        cut = int((self.over > self.near.shape[1]).sum())
        return Alike(pairs.reshape(-1, 2), cosine, cut)


def _blocks(rows: Ints) -> Iterator[Ints]:
    return (rows[at : at + _ROWS] for at in range(0, len(rows), _ROWS))


def _product(vectors: Steps, rows: Ints, others: Ints) -> Floats:
    left = vectors[rows].astype(np.float32)
    product: Floats = left @ vectors[others].astype(np.float32).T
    return product
