"""A row that stands for a crowd was found near others: which pairs of pictures follow?

Within a crowd `alike` says. From a crowd to a row outside: the best of the crowd with it, the looks
nearest to it by colours, and, where the row outside is the best of all that the crowd is near to,
the whole crowd with it: it will stand for them all, and a picture that was not compared with the
one that stands for its cluster is no member.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.alike import Looks, measures
from picdeed.imaging.coded import Coded, Crowds
from picdeed.imaging.codes import Turn
from picdeed.imaging.neighbours import Pairs

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """`rows` int64[m, 2]: a row whose turned code (`turn`, int64[m]) is near, and the upright."""

    rows: Pairs
    turn: Ints

    @classmethod
    def of(cls, left: Ints, right: Ints, turn: Ints | Turn) -> Found:
        """One turn for all, or one for each."""
        rows = np.stack((left, right), axis=1).astype(np.int64)
        return cls(rows, np.broadcast_to(np.asarray(turn, dtype=np.int64), len(rows)))

    @classmethod
    def together(cls, several: Collection[Found]) -> Found:
        """All of them, one behind the other; at least one."""
        rows = np.concatenate([one.rows for one in several])
        return cls(rows, np.concatenate([one.turn for one in several]))


@dataclass(frozen=True, slots=True, eq=False)
class _Near:
    """Rows outside one crowd; `asked`: it was the crowd's code that was turned."""

    rows: Ints
    turn: Ints
    asked: NDArray[np.bool_]

    def with_crowd(self, crowd: Ints, which: Ints) -> Found:
        """Pairs of rows of the crowd with those at the places `which`, as they were asked."""
        rows, asked = self.rows[which], self.asked[which]
        return Found.of(
            np.where(asked, crowd, rows), np.where(asked, rows, crowd), self.turn[which]
        )


def expanded(coded: Coded, crowds: Crowds, found: Found, among: Collection[int]) -> Found:
    """What was found, and what follows for the crowds (by the row that stands) `among` all."""
    out = [found]
    looks: dict[int, Looks] = {}

    def looks_of(head: int) -> Looks:
        if head not in looks:
            looks[head] = Looks(coded.owner[crowds.groups[head]], coded.marks)
        return looks[head]

    outside = _outside(coded, found, among)
    for head in among:
        group = crowds.groups[head]
        inner = group[looks_of(head).pairs()]
        out.append(Found.of(inner[:, 0], inner[:, 1], Turn.NONE))
        near = outside.get(head)
        if near is None:
            continue
        standing = crowds.standing[coded.owner[near.rows]]
        if standing.min() < crowds.standing[coded.owner[head]]:
            # All rows of the best: which of them was found first must not decide.
            best = np.flatnonzero(standing == standing.min())
            crowd = np.tile(group, len(best))
            out.append(near.with_crowd(crowd, np.repeat(best, len(group))))
        if coded.marks is None:
            continue
        shown = [
            crowds.groups[row][looks_of(row).heads] if row in crowds.groups else np.array([row])
            for row in near.rows.tolist()
        ]
        which = np.repeat(np.arange(len(shown)), [len(rows) for rows in shown])
        rows = np.concatenate(shown)
        beside = looks_of(head).nearest(measures(coded.marks.colours[coded.owner[rows]]))
        turned = _Near(rows, near.turn[which], near.asked[which])
        out.append(turned.with_crowd(group[beside[:, 1]], beside[:, 0]))
    return Found.together(out)


def _outside(coded: Coded, found: Found, among: Collection[int]) -> dict[int, _Near]:
    """For each crowd the rows that were found near the one that stands for it."""
    if not among:
        return {}
    left, right = found.rows.T
    standing = np.fromiter(among, dtype=np.int64)
    parts = []
    for mine, other, turned in ((left, right, True), (right, left, False)):
        some = np.isin(mine, standing) & (coded.owner[mine] != coded.owner[other])
        parts.append((mine[some], other[some], found.turn[some], np.full(some.sum(), turned)))
    mine, other, turn, asked = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(mine, kind="stable")
    heads, starts = np.unique(mine[order], return_index=True)
    places = np.split(order, starts[1:]) if len(heads) else []
    return {
        head: _Near(other[at], turn[at], asked[at])
        for head, at in zip(heads.tolist(), places, strict=True)
    }
