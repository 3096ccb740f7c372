"""Which codes lie within a Hamming radius of each other, exactly, and what hangs together?

Equal codes are grouped first, so that a hundred thousand blank pictures are no quadratic work;
the join of the different ones stands in `join`, its mathematics in `dealing`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.dealing import Codes
from picdeed.imaging.join import Engine, Pairs, available, join, sorted_rows

__all__ = [
    "MOST_PAIRS",
    "Codes",
    "Engine",
    "Pairs",
    "components",
    "distances",
    "first_equal",
    "pairs_between",
    "pairs_within",
]

MOST_PAIRS = 1 << 27  # 2 GiB as int64 rows: more is a radius that fits no such collection
_COMPILED_FROM = 200_000  # codes; below, sorting is faster than compiling


def pairs_within(
    codes: Codes,
    radius: int,
    *,
    threads: int | None = None,
    engine: Engine | None = None,
    most: int = MOST_PAIRS,
) -> Pairs:
    """All pairs of codes at most `radius` bits apart: int64[m, 2], unique sorted rows i < j.

    `codes` is uint64[n, w], w words of 64 bits a code. A code equal to an earlier one is paired
    with the first such code only, and pairs between different codes are given for the first of
    each value, so that 100,000 copies of one code give 99,999 pairs. `threads` defaults to
    OMP_NUM_THREADS, else to the cores at hand; `engine` to the faster one. Raises ValueError on
    another shape or type and on a negative radius, OverflowError when different codes make more
    than `most` pairs.
    """
    codes = _checked(codes, radius)
    first = first_equal(codes, engine=engine)
    places = np.arange(len(codes), dtype=np.int64)
    copies = first != places
    stars = np.stack((first[copies], places[copies]), axis=1)
    heads = places[~copies]
    if radius == 0:
        return stars[np.argsort(stars[:, 0], kind="stable")]
    found = join(codes[heads], None, radius, threads=threads, engine=engine, most=most)
    pairs = heads[found]
    return sorted_rows([stars, pairs], len(codes)) if len(stars) else pairs


def pairs_between(
    queries: Codes,
    codes: Codes,
    radius: int,
    *,
    threads: int | None = None,
    engine: Engine | None = None,
    most: int = MOST_PAIRS,
) -> Pairs:
    """All (query, code) at most `radius` bits apart: int64[m, 2], unique sorted rows.

    Equal codes are given by the first of each value on either side (`first_equal` names it), so
    that blank pictures on both sides are one pair. Raises as `pairs_within`, and ValueError when
    the two have codes of different length.
    """
    queries, codes = _checked(queries, radius), _checked(codes, radius)
    if queries.shape[1] != codes.shape[1]:
        raise ValueError(f"codes of {queries.shape[1]} and of {codes.shape[1]} words")
    asked = np.flatnonzero(first_equal(queries, engine=engine) == np.arange(len(queries)))
    there = np.flatnonzero(first_equal(codes, engine=engine) == np.arange(len(codes)))
    found = join(queries[asked], codes[there], radius, threads=threads, engine=engine, most=most)
    return np.stack((asked[found[:, 0]], there[found[:, 1]]), axis=1)


def first_equal(codes: Codes, *, engine: Engine | None = None) -> NDArray[np.int64]:
    """For each code the position of the first one equal to it: int64[n]."""
    codes = _checked(codes, 0)
    if engine is None:
        engine = available()[0] if len(codes) >= _COMPILED_FROM else Engine.NUMPY
    if engine is Engine.NUMBA:
        from picdeed.imaging import kernels

        found: NDArray[np.int64] = kernels.first_equal(codes)
        return found
    if not len(codes):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(codes.T)  # stable: equal codes stay in the order given
    ordered = codes[order]
    starts = np.concatenate(([True], (ordered[1:] != ordered[:-1]).any(axis=1)))
    first = np.empty(len(codes), dtype=np.int64)
    first[order] = order[starts][np.cumsum(starts) - 1]
    return first


def components(n: int, pairs: Pairs) -> NDArray[np.int64]:
    """Connected components of n nodes: int64[n] labels, 0 upwards in order of first appearance.

    Raises ValueError when a pair names a node outside 0 to n - 1.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= n):
        raise ValueError(f"a pair names a node outside 0 to {n - 1}")
    if not n:
        return np.zeros(0, dtype=np.int64)
    edges = (np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1]))
    count, labels = connected_components(coo_array(edges, shape=(n, n)), directed=False)
    first = np.empty(count, dtype=np.int64)
    first[labels[::-1]] = np.arange(n - 1, -1, -1)  # the last one written is the earliest node
    number = np.empty(count, dtype=np.int64)
    number[np.argsort(first)] = np.arange(count)
    numbered: NDArray[np.int64] = number[labels]
    return numbered


def distances(codes: Codes, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits in which codes[left] and codes[right] differ: int64[len(left)]."""
    total = np.zeros(len(left), dtype=np.int64)
    for word in range(codes.shape[1]):
        column = codes[:, word]
        total += np.bitwise_count(column[left] ^ column[right])
    return total


def _checked(codes: Codes, radius: int) -> Codes:
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.dtype != np.uint64 or not codes.shape[1]:  # noqa: PLR2004 (rows, words)
        raise ValueError(f"codes must be uint64[n, w], not {codes.dtype}{list(codes.shape)}")
    if radius < 0:
        raise ValueError(f"the radius must not be negative: {radius}")
    return np.ascontiguousarray(codes)
