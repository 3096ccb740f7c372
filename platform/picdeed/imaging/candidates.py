"""Which pairs of pictures are worth a look at their pixels?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise, product

import numpy as np

from picdeed.imaging.neighbours import pairs_within

PHASH_RADIUS = 10
DHASH_RADIUS = 8

# Blank and featureless pictures share one code by the thousand. Of up to this many pictures with
# one code every pair is looked at, of more only each with the first and with its successor.
EQUAL_CODES = 32


def candidate_pairs(phashes: Sequence[int], dhashes: Sequence[int]) -> list[tuple[int, int]]:
    """Index pairs i < j, sorted, with pHash within 10 bits or dHash within 8 of 64.

    The two sequences speak of the same pictures in the same order; all codes must be of one
    algorithm. Complete while no more than 32 pictures share one code.
    """
    found: set[tuple[int, int]] = set()
    for codes, radius in ((phashes, PHASH_RADIUS), (dhashes, DHASH_RADIUS)):
        found.update(_pairs(codes, radius))
    return sorted(found)


def _pairs(codes: Sequence[int], radius: int) -> Iterator[tuple[int, int]]:
    groups: dict[int, list[int]] = {}
    for place, code in enumerate(codes):
        groups.setdefault(code, []).append(place)
    for group in groups.values():
        yield from _within(group)
    values = list(groups)
    distinct = np.array(values, dtype=np.uint64).reshape(-1, 1)
    for left, right in pairs_within(distinct, radius).tolist():
        for one, other in _between(groups[values[left]], groups[values[right]]):
            yield min(one, other), max(one, other)


def _within(group: list[int]) -> Iterator[tuple[int, int]]:
    if len(group) <= EQUAL_CODES:
        yield from combinations(group, 2)
    else:
        yield from ((group[0], other) for other in group[1:])
        yield from pairwise(group)


def _between(left: list[int], right: list[int]) -> Iterator[tuple[int, int]]:
    if len(left) <= EQUAL_CODES and len(right) <= EQUAL_CODES:
        yield from product(left, right)
    else:
        yield from ((left[0], other) for other in right)
        yield from ((one, right[0]) for one in left)
