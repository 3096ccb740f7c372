"""Which pictures may be the same one, turned, mirrored or framed, by their 256-bit codes?

The codes of all pictures as they are and without their borders stand as one base; the codes of
all their turned versions are asked against it. Quarter turns to the right are found from the
other picture's side as turns to the left. What is found is a proposal: pixels decide (`verify`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.alike import Marks
from picdeed.imaging.coded import EQUAL_CODES, Coded, Crowds
from picdeed.imaging.codes import Turn
from picdeed.imaging.crowded import Found, expanded
from picdeed.imaging.join import join
from picdeed.imaging.neighbours import Codes, Pairs
from picdeed.imaging.reach import LISTED_RADIUS, RADII, RADIUS, SURE_RADIUS, Reach, reach

__all__ = [
    "EQUAL_CODES",
    "LISTED_RADIUS",
    "RADIUS",
    "SURE_RADIUS",
    "Coded",
    "Marks",
    "Near",
    "Reach",
    "near_listed",
    "near_pairs",
]

Ints = NDArray[np.int64]

_ASKED = tuple(turn for turn in Turn if turn not in (Turn.NONE, Turn.ROTATE_270))
_NARROWER = (*RADII, 24, 16, 8, 4)
# Pairs of rows that one join may give, for each row: a family of a thousand near codes among a
# million is still told whole, one of ten thousand only within fewer bits.
_MOST = 32
_MOST_AT_LEAST = 1 << 20
# A pair's match in one number: distance, turn, and which sides are trimmed.
_TURN_BIT, _DISTANCE_BIT, _MATCH_BITS = 2, 5, 14
_MOST_PICTURES = 1 << 24  # whose pairs and their match fit into 63 bits together


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Pairs of pictures by number, sorted, each once with its best match.

    `pairs` is int64[m, 2]; `distance` int64[m] in bits; `turn` int64[m], what to do to the first
    picture to get the second (a `Turn`); `trimmed` bool[m, 2], on which side the border was
    taken off. `within` are the radii that were used: narrower than asked for where more than 32
    pairs a row would have come.
    """

    pairs: Pairs
    distance: Ints
    turn: Ints
    trimmed: NDArray[np.bool_]
    within: Reach


def near_pairs(
    coded: Coded,
    radius: int | None = None,
    *,
    new: NDArray[np.bool_] | Ints | None = None,
    threads: int | None = None,
) -> Near:
    """Pairs i < j of pictures with a code of one, in some turn, near an upright code of the other.

    `radius` defaults to what so many pictures can afford (`reach`). `new`, bool[n] or numbers of
    pictures, leaves only pairs that hold one of these, at the cost of what is new: the answer is
    that of all pictures, restricted. Complete while no more than 32 rows share one code; of more,
    `alike` chooses the pairs. `threads` as in `pairs_within`.
    """
    within = reach(coded.n) if radius is None else Reach(radius, radius)
    crowds = Crowds.of(coded)
    if new is None:
        found, within = _among_all(coded, crowds.kept, within, threads)
        return _best(coded, coded, expanded(coded, crowds, found, crowds.groups), within)
    fresh = np.zeros(coded.n, dtype=bool)
    fresh[new] = True
    asking = crowds.touched(fresh[coded.owner])
    found, within = _asked(coded, crowds.kept, asking, within, threads)
    # A crowd that a new picture is near to: whom else is it near to?
    beside = np.setdiff1d(np.intersect1d(found.rows, _heads(crowds)), asking)
    if len(beside):
        more, within = _asked(coded, crowds.kept, beside, within, threads)
        found = Found.together([found, more])
    among = np.intersect1d(np.concatenate((asking, beside)), _heads(crowds)).tolist()
    near = _best(coded, coded, expanded(coded, crowds, found, among), within)
    return _restricted(near, fresh[near.pairs[:, 0]] | fresh[near.pairs[:, 1]])


def near_listed(
    coded: Coded, listed: Coded, radius: int = LISTED_RADIUS, *, threads: int | None = None
) -> Near:
    """Pairs (picture, listed picture), where the list is of protected works.

    `turn` leads from the listed picture to the other one. All turns of the listed ones are
    asked, so that a list of thousands against a million pictures stays cheap. Crowds of one code
    are told whole, since all copies of a protected work are wanted, but for crowds on both sides.
    """
    crowds, many = Crowds.of(coded), Crowds.of(listed)
    rows = many.kept, crowds.kept
    found, turned = _turned((listed, coded), rows, radius, tuple(Turn), threads)
    left, right, turn = found.rows[:, 0], found.rows[:, 1], found.turn
    whole = _replicated(crowds, right, turn, left)
    works = _replicated(many, left, turn, right)
    left, right = np.concatenate((whole[2], works[0])), np.concatenate((whole[0], works[2]))
    turn = np.concatenate((whole[1], works[1]))
    near = _best(listed, coded, Found.of(left, right, turn), Reach(turned, turned))
    order = np.lexsort((near.pairs[:, 0], near.pairs[:, 1]))
    near = _restricted(near, order)
    return replace(near, pairs=near.pairs[:, ::-1], trimmed=near.trimmed[:, ::-1])


def _among_all(coded: Coded, kept: Ints, within: Reach, threads: int | None) -> tuple[Found, Reach]:
    pairs, upright = _within(coded.upright[kept], None, within.upright, threads)
    found = Found.of(kept[pairs[:, 0]], kept[pairs[:, 1]], Turn.NONE)
    more, turned = _turned((coded, coded), (kept, kept), within.turned, _ASKED, threads)
    return Found.together([found, more]), Reach(upright, turned)


def _asked(
    coded: Coded, kept: Ints, asking: Ints, within: Reach, threads: int | None
) -> tuple[Found, Reach]:
    """What holds one of the rows `asking`: they are turned, and others are turned towards them."""
    both = coded, coded
    one, upright = _turned(both, (asking, kept), within.upright, (Turn.NONE,), threads)
    two, turned = _turned(both, (asking, kept), within.turned, _ASKED, threads)
    three, back = _turned(both, (kept, asking), within.turned, _ASKED, threads)
    return Found.together([one, two, three]), Reach(upright, min(turned, back))


def _turned(
    sides: tuple[Coded, Coded],
    which: tuple[Ints, Ints],
    radius: int,
    turns: Sequence[Turn],
    threads: int | None,
) -> tuple[Found, int]:
    """Rows of the first side, in these turns, against upright rows of the other."""
    rows, others = which
    asked = sides[0].stacked(rows, turns)
    pairs, radius = _within(asked, sides[1].upright[others], radius, threads)
    turned, at = np.divmod(pairs[:, 0], max(1, len(rows)))
    turn = np.array(turns, dtype=np.int64)[turned]
    return Found.of(rows[at], others[pairs[:, 1]], turn), radius


def _within(
    left: Codes, right: Codes | None, radius: int, threads: int | None
) -> tuple[Pairs, int]:
    """The join, and the radius: narrower where there would be more pairs than anyone looks at."""
    rows = len(left) if right is None else min(len(left), len(right))
    most = max(_MOST_AT_LEAST, _MOST * rows)
    for narrower in (radius, *(one for one in _NARROWER if one < radius)):
        try:
            return join(left, right, narrower, threads=threads, most=most), narrower
        except OverflowError:
            continue
    return join(left, right, 0, threads=threads, most=1 << 62), 0


def _heads(crowds: Crowds) -> Ints:
    return np.fromiter(crowds.groups, dtype=np.int64, count=len(crowds.groups))


def _replicated(crowds: Crowds, mine: Ints, turn: Ints, other: Ints) -> tuple[Ints, Ints, Ints]:
    """Where a row stands for a crowd, the whole crowd."""
    groups = [crowds.groups.get(row) for row in mine.tolist()] if crowds.groups else []
    if not any(group is not None for group in groups):
        return mine, turn, other
    whole = [
        np.array([row]) if group is None else group
        for row, group in zip(mine.tolist(), groups, strict=True)
    ]
    sizes = [len(group) for group in whole]
    return np.concatenate(whole), np.repeat(turn, sizes), np.repeat(other, sizes)


def _best(left: Coded, right: Coded, found: Found, within: Reach) -> Near:
    """Rows become pictures; of several matches of one pair the nearest stands."""
    rows, turn = found.rows, found.turn
    one, two = left.owner[rows[:, 0]], right.owner[rows[:, 1]]
    trims = left.trimmed[rows[:, 0]].astype(np.int64), right.trimmed[rows[:, 1]].astype(np.int64)
    apart = _apart(left, right, found)
    if left is right:
        swap = one > two
        undone = np.array([one.undone for one in Turn], dtype=np.int64)
        turn = np.where(swap, undone[turn], turn)
        one, two = np.where(swap, two, one), np.where(swap, one, two)
        trims = np.where(swap, trims[1], trims[0]), np.where(swap, trims[0], trims[1])
    match = apart << _DISTANCE_BIT | turn << _TURN_BIT | trims[0] << 1 | trims[1]
    pair = one * right.n + two
    if left is right:
        pair, match = pair[one != two], match[one != two]
    if max(left.n, right.n) < _MOST_PICTURES:
        both = np.sort(pair << _MATCH_BITS | match)
        pair, match = both >> _MATCH_BITS, both & ((1 << _MATCH_BITS) - 1)
    else:
        order = np.lexsort((match, pair))
        pair, match = pair[order], match[order]
    head = np.flatnonzero(np.diff(pair, prepend=-1))
    pair, match = pair[head], match[head]
    return Near(
        np.stack(np.divmod(pair, max(1, right.n)), axis=1),
        match >> _DISTANCE_BIT,
        (match >> _TURN_BIT) & 7,
        np.stack((match >> 1 & 1, match & 1), axis=1).astype(bool),
        within,
    )


def _apart(left: Coded, right: Coded, found: Found) -> Ints:
    total = np.zeros(len(found.rows), dtype=np.int64)
    for word in range(left.turned.shape[2]):
        asked = left.turned[found.rows[:, 0], found.turn, word]
        total += np.bitwise_count(asked ^ right.turned[found.rows[:, 1], Turn.NONE, word])
    return total


def _restricted(near: Near, which: NDArray[np.bool_] | Ints) -> Near:
    return replace(
        near,
        pairs=near.pairs[which],
        distance=near.distance[which],
        turn=near.turn[which],
        trimmed=near.trimmed[which],
    )
