"""Which pictures may be the same one, turned, mirrored or framed, by their 256-bit codes?

The codes of all pictures as they are and without their borders stand as one base; the codes of
all their turned versions are asked against it. Quarter turns to the right are found from the
other picture's side as turns to the left. What is found is a proposal: pixels decide (`verify`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.codes import BITS, Code, Turn, variants
from picdeed.imaging.neighbours import Codes, Pairs, first_equal, pairs_between, pairs_within

Ints = NDArray[np.int64]

# Measured on photographs and product shots: within 31 bits no false pair, within 49 none of 81
# million, within 80 seven in a million, which only short lists can afford.
SURE_RADIUS = 31
RADIUS = 49
LISTED_RADIUS = 80
WIDE_UP_TO = 1_000_000

# Blank and featureless pictures share one code by the thousand. Of up to this many pictures with
# one code every pair is proposed, of more only each with the first.
EQUAL_CODES = 32

_ASKED = tuple(turn for turn in Turn if turn is not Turn.ROTATE_270)


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Codes of pictures, one row a code: a picture has one, and a second without its border.

    `owner` is int64[k], the picture's number, 0 to n - 1; `turned` is uint64[k, 8, 4] by `Turn`;
    `trimmed` is bool[k].
    """

    n: int
    owner: Ints
    turned: Codes
    trimmed: NDArray[np.bool_]

    @classmethod
    def of(cls, codes: Sequence[Code]) -> Coded:
        """The rows of these pictures' codes."""
        inner = [at for at, code in enumerate(codes) if code.trimmed_coefficients is not None]
        rows = [code.coefficients for code in codes]
        rows += [c.trimmed_coefficients for c in codes if c.trimmed_coefficients is not None]
        spectra = np.stack(rows) if rows else np.zeros((0, BITS), dtype=np.float32)
        owner = np.array([*range(len(codes)), *inner], dtype=np.int64)
        return cls(len(codes), owner, variants(spectra), np.arange(len(rows)) >= len(codes))

    @property
    def upright(self) -> Codes:
        """uint64[k, 4]."""
        return np.ascontiguousarray(self.turned[:, Turn.NONE])


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Pairs of pictures by number, sorted, each once with its best match.

    `pairs` is int64[m, 2]; `distance` int64[m] in bits; `turn` int64[m], what to do to the first
    picture to get the second (a `Turn`); `trimmed` bool[m, 2], on which side the border was
    taken off.
    """

    pairs: Pairs
    distance: Ints
    turn: Ints
    trimmed: NDArray[np.bool_]


def near_pairs(coded: Coded, radius: int | None = None, *, threads: int | None = None) -> Near:
    """Pairs i < j of pictures with a code of one, in some turn, near an upright code of the other.

    `radius` defaults to 49 bits for up to a million pictures and to 31 for more. Complete while
    no more than 32 rows share one code.
    """
    if radius is None:
        radius = RADIUS if coded.n <= WIDE_UP_TO else SURE_RADIUS
    base = coded.upright
    groups = first_equal(base)
    found = [_expanded(pairs_within(base, radius, threads=threads), groups, groups, itself=True)]
    turns = [Turn.NONE]
    for turn in _ASKED[1:]:
        asked = np.ascontiguousarray(coded.turned[:, turn])
        pairs = pairs_between(asked, base, radius, threads=threads)
        found.append(_expanded(pairs, first_equal(asked), groups, itself=False))
        turns.append(turn)
    return _best(coded, coded, found, turns, itself=True)


def near_listed(
    coded: Coded, listed: Coded, radius: int = LISTED_RADIUS, *, threads: int | None = None
) -> Near:
    """Pairs (picture, listed picture), where the list is of protected works.

    `turn` leads from the listed picture to the other one. All turns of the listed ones are
    asked, so that a list of thousands against a million pictures stays cheap.
    """
    base = coded.upright
    groups = first_equal(base)
    found = []
    for turn in Turn:
        asked = np.ascontiguousarray(listed.turned[:, turn])
        pairs = pairs_between(asked, base, radius, threads=threads)
        found.append(_expanded(pairs, first_equal(asked), groups, itself=False))
    near = _best(listed, coded, found, list(Turn), itself=False)
    order = np.lexsort((near.pairs[:, 0], near.pairs[:, 1]))
    return Near(
        near.pairs[order][:, ::-1],
        near.distance[order],
        near.turn[order],
        near.trimmed[order][:, ::-1],
    )


def _best(
    left: Coded, right: Coded, found: Sequence[Pairs], turns: Sequence[Turn], *, itself: bool
) -> Near:
    """Rows become pictures; of several matches of one pair the nearest stands."""
    rows = np.concatenate(found)
    turn = np.repeat(np.array(turns, dtype=np.int64), [len(some) for some in found])
    asked = left.turned[rows[:, 0], turn]
    apart = np.bitwise_count(asked ^ right.turned[rows[:, 1], Turn.NONE]).sum(axis=1)
    pairs = np.stack((left.owner[rows[:, 0]], right.owner[rows[:, 1]]), axis=1)
    trimmed = np.stack((left.trimmed[rows[:, 0]], right.trimmed[rows[:, 1]]), axis=1)
    if itself:
        swap = pairs[:, 0] > pairs[:, 1]
        pairs[swap], trimmed[swap] = pairs[swap][:, ::-1], trimmed[swap][:, ::-1]
        undone = np.array([one.undone for one in Turn], dtype=np.int64)
        turn[swap] = undone[turn[swap]]
        other = pairs[:, 0] != pairs[:, 1]
        pairs, trimmed, turn, apart = pairs[other], trimmed[other], turn[other], apart[other]
    keys = (trimmed[:, 1], trimmed[:, 0], turn, apart, pairs[:, 1], pairs[:, 0])
    order = np.lexsort(keys)
    pairs = pairs[order]
    head = np.ones(len(pairs), dtype=bool)
    head[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    kept = order[head]
    return Near(pairs[head], apart[kept].astype(np.int64), turn[kept], trimmed[kept])


def _expanded(pairs: Pairs, left: Ints, right: Ints, *, itself: bool) -> Pairs:
    """Pairs of first codes become pairs of all codes, where few share one.

    `left` and `right` name each code's first equal one. With `itself`, the pairs come with a
    star for each group of equal codes.
    """
    copies_l, copies_r = _groups(left), _groups(right)
    if not copies_l and not copies_r:
        return pairs
    stars = pairs[:0]
    if itself:  # small groups are given whole instead of as a star
        star = left[pairs[:, 1]] == pairs[:, 0]
        large = [one for one, group in copies_l.items() if len(group) > EQUAL_CODES]
        stars, pairs = pairs[star & np.isin(pairs[:, 0], large)], pairs[~star]
    several = np.isin(pairs[:, 0], list(copies_l)) | np.isin(pairs[:, 1], list(copies_r))
    more = [
        two
        for one, other in pairs[several].tolist()
        for two in _between(copies_l.get(one, [one]), copies_r.get(other, [other]))
    ]
    if itself:
        more += [
            two
            for group in copies_l.values()
            if len(group) <= EQUAL_CODES
            for two in combinations(group, 2)
        ]
    added = np.array(more, dtype=np.int64).reshape(-1, 2)
    return np.concatenate((stars, pairs[~several], added))


def _groups(first: Ints) -> dict[int, list[int]]:
    """The codes that are not alone, by the first of their group."""
    copies = np.flatnonzero(first != np.arange(len(first)))
    found: dict[int, list[int]] = {}
    for copy, head in zip(copies.tolist(), first[copies].tolist(), strict=True):
        found.setdefault(head, [head]).append(copy)
    return found


def _between(left: list[int], right: list[int]) -> Iterator[tuple[int, int]]:
    if len(left) <= EQUAL_CODES and len(right) <= EQUAL_CODES:
        yield from product(left, right)
    else:
        yield from ((left[0], other) for other in right)
        yield from ((one, right[0]) for one in left[1:])
