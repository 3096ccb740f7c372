"""Of many pictures with one code, which are worth comparing with each other?

Blank and featureless pictures share one code by the thousand, and all pairs of them would be
quadratic work. What else is known of them tells copies from strangers: the colour grid, and the
published hashes. Those that agree in all of it are one *look*. Each picture is proposed with the
best of its look, each look with the best of the group, and with the few looks nearest to it by
colours and by hashes. The number of pairs is at most some ten times that of the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.dealing import Codes
from picdeed.imaging.join import Pairs, join, sorted_rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEAREST = 4  # by colours, of each look
_COLOURS_APART = 8.0  # levels of 255 over six measures; saving again moves them by 1 to 3
_HASH_RADII = (8, 4, 0)  # bits of 128, narrower where hashes are crowded
_HASHED_MOST = 4  # pairs by hashes for each look


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What is known of n pictures beside their codes.

    `colours` is uint8[n, 192] (`codes.Code.colours`), `hashes` uint64[n, 2] (pHash and dHash),
    `shape` int64[n, 3] (width, height, bytes of the file), `tie` uint64[n]: who comes first of two
    files of one shape, whatever the order in which they came.
    """

    colours: NDArray[np.uint8]
    hashes: Codes
    shape: Ints
    tie: Codes

    def standing(self) -> Ints:
        """int64[n]: each picture's place when the best comes first: most pixels, most bytes."""
        width, height, size = self.shape.T
        place = np.empty(len(self.shape), dtype=np.int64)
        place[np.lexsort((self.tie, -size, -width * height))] = np.arange(len(place))
        return place


class Looks:
    """The pictures of one group by how they look; all numbers are places in `members`."""

    def __init__(self, members: Ints, marks: Marks | None) -> None:
        """`members` are pictures' numbers, best first; without marks all look alike."""
        if marks is None:
            self.look = np.zeros(len(members), dtype=np.int64)
            self.features: Floats = np.zeros((1, 0))
            self.hashes: Codes = np.zeros((1, 2), dtype=np.uint64)
        else:
            colours, hashes = marks.colours[members], marks.hashes[members]
            whole = np.ascontiguousarray(np.hstack((colours, hashes.view(np.uint8))))
            self.look = _first_places(whole.view(f"V{whole.shape[1]}").reshape(-1))
            heads = self.look == np.arange(len(members))
            self.features, self.hashes = measures(colours[heads]), hashes[heads]
        self.heads: Ints = np.flatnonzero(self.look == np.arange(len(members)))

    def pairs(self) -> Pairs:
        """int64[m, 2], first before second: what is worth comparing within the group."""
        places = np.arange(len(self.look), dtype=np.int64)
        found = [_stars(self.look, places), _stars(np.zeros_like(self.heads), self.heads)]
        if len(self.heads) > 1:
            found.append(self.heads[self._by_hashes()])
            near, far = self._by_colours(self.features)
            found.append(np.stack((self.heads[near], self.heads[far]), axis=1))
        rows = [np.sort(one, axis=1) for one in found]
        return sorted_rows([one[one[:, 0] < one[:, 1]] for one in rows], len(self.look))

    def nearest(self, features: Floats) -> Pairs:
        """int64[m, 2] (row of `features`, member): the looks nearest to others by colours."""
        asked, near = self._by_colours(features)
        return np.stack((asked, self.heads[near]), axis=1)

    def _by_colours(self, asked: Floats) -> tuple[Ints, Ints]:
        from scipy.spatial import cKDTree

        if not self.features.shape[1]:
            nothing = np.zeros(0, dtype=np.int64)
            return nothing, nothing
        # One look, the best, for each set of colours: a tree of equal points would be a list.
        points, first = np.unique(self.features, axis=0, return_index=True)
        near, found = cKDTree(points, balanced_tree=False, compact_nodes=False).query(
            asked, k=NEAREST + 1, distance_upper_bound=_COLOURS_APART
        )
        rows, columns = np.nonzero(np.isfinite(near))
        return rows.astype(np.int64), first[found[rows, columns]].astype(np.int64)

    def _by_hashes(self) -> Pairs:
        """Looks with near hashes; looks with equal ones each with the next."""
        first = _first_places(np.ascontiguousarray(self.hashes).view("V16").reshape(-1))
        order = np.argsort(first, kind="stable")
        same = first[order[1:]] == first[order[:-1]]
        chain = np.stack((order[:-1][same], order[1:][same]), axis=1)
        alone = np.flatnonzero(first == np.arange(len(first)))
        most = _HASHED_MOST * len(alone)
        for radius in _HASH_RADII:
            try:
                near = join(self.hashes[alone], None, radius, most=most)
            except OverflowError:
                continue
            return np.concatenate((chain, alone[near]))
        return chain


def measures(colours: NDArray[np.uint8]) -> Floats:
    """float64[n, 6]: mean and spread of L*, a* and b* over the grid; the same in every turn."""
    cells = colours.reshape(len(colours), -1, 3).astype(np.float32)
    found: Floats = np.hstack((cells.mean(axis=1), cells.std(axis=1))).astype(np.float64)
    return np.round(found, 3)


def _first_places(values: NDArray[np.void]) -> Ints:
    """For each value the place of the first equal one."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    found: Ints = first[inverse].astype(np.int64)
    return found


def _stars(heads: Ints, places: Ints) -> Pairs:
    return np.stack((heads, places), axis=1)
