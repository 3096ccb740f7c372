"""Which codes lie within a Hamming radius of each other, exactly, and what hangs together?

The join is Norouzi's multi-index search (arXiv:1307.2982) as a self-join: the bits are dealt
into m chunks with tolerances T_i, sum(T_i + 1) = radius + 1, so that two codes within the radius
agree in at least one chunk up to its T_i bits. Codes are sorted by chunk; only buckets whose
keys differ by at most T_i bits are compared. No pair is missed and none is invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint64]
Pairs = NDArray[np.int64]

_BATCH = 1 << 21  # candidate pairs looked at together: about 100 MB of temporaries
_WORD = 64
_LOOKUP_COST = 8.0  # one bucket looked up, in candidate comparisons


def pairs_within(codes: Codes, radius: int) -> Pairs:
    """All pairs of codes at most `radius` bits apart: int64[m, 2], unique sorted rows i < j.

    `codes` is uint64[n, w], w words of 64 bits a code. A code equal to an earlier one is paired
    with the first such code only, and pairs between different codes are given for the first of
    each value, so that 100,000 copies of one code give 99,999 pairs. Raises ValueError on another
    shape or type and on a negative radius.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.dtype != np.uint64:  # noqa: PLR2004 (rows and words)
        raise ValueError(f"codes must be uint64[n, w], not {codes.dtype}{list(codes.shape)}")
    if radius < 0:
        raise ValueError(f"the radius must not be negative: {radius}")
    first, stars = _group_equal(codes)
    joined = first[_join(np.ascontiguousarray(codes[first]), radius)]
    pairs = np.concatenate((stars, np.sort(joined, axis=1)))
    return np.unique(pairs, axis=0) if len(pairs) else pairs


def components(n: int, pairs: Pairs) -> NDArray[np.int64]:
    """Connected components of n nodes: int64[n] labels, 0 upwards in order of first appearance.

    Raises ValueError when a pair names a node outside 0 to n - 1.
    """
    pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 2)
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= n):
        raise ValueError(f"a pair names a node outside 0 to {n - 1}")
    root = np.arange(n, dtype=np.int64)
    left, right = pairs[:, 0], pairs[:, 1]
    while len(left):
        low, high = np.minimum(root[left], root[right]), np.maximum(root[left], root[right])
        open_ = low != high
        left, right, low, high = left[open_], right[open_], low[open_], high[open_]
        np.minimum.at(root, high, low)
        while not np.array_equal(jumped := root[root], root):
            root = jumped
    # A root is the smallest node of its component: numbering them in order is what was promised.
    return np.unique(root, return_inverse=True)[1].astype(np.int64).reshape(-1)


def distances(codes: Codes, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits in which codes[left] and codes[right] differ: int64[len(left)]."""
    total = np.zeros(len(left), dtype=np.int64)
    for word in range(codes.shape[1]):
        column = codes[:, word]
        total += np.bitwise_count(column[left] ^ column[right])
    return total


def _group_equal(codes: Codes) -> tuple[NDArray[np.int64], Pairs]:
    """Positions of each value's first code, and a star of pairs from it to its equals."""
    n = len(codes)
    if not n:
        return np.zeros(0, dtype=np.int64), np.zeros((0, 2), dtype=np.int64)
    order = np.lexsort(codes.T)  # stable: equal codes stay in the order given
    ordered = codes[order]
    starts = np.concatenate(([True], (ordered[1:] != ordered[:-1]).any(axis=1)))
    head = order[starts][np.cumsum(starts) - 1]
    copies = ~starts
    stars = np.stack((head[copies], order[copies]), axis=1).astype(np.int64)
    return np.sort(order[starts]).astype(np.int64), stars


@dataclass(frozen=True, slots=True)
class _Chunk:
    bits: tuple[int, ...]
    tolerance: int


def _join(codes: Codes, radius: int) -> Pairs:
    """Pairs of different codes within the radius, as positions in `codes`."""
    n = len(codes)
    if n < 2 or radius == 0:  # noqa: PLR2004 (a pair needs two)
        return np.zeros((0, 2), dtype=np.int64)
    found = [_near(codes, *some, radius) for some in _candidates(codes, radius)]
    flat = np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)
    return np.stack((flat // n, flat % n), axis=1)


def _near(
    codes: Codes, left: NDArray[np.int64], right: NDArray[np.int64], radius: int
) -> NDArray[np.int64]:
    """Those of the candidates that are near enough, each as the one number low * n + high."""
    keep = distances(codes, left, right) <= radius
    left, right = left[keep], right[keep]
    return np.minimum(left, right) * len(codes) + np.maximum(left, right)


def _candidates(codes: Codes, radius: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    chunks = _plan(len(codes), _WORD * codes.shape[1], radius)
    if not chunks:
        yield from _everything(len(codes))
    for chunk in chunks:
        yield from _bucket_pairs(_keys(codes, chunk.bits), chunk)


def _plan(n: int, bits: int, radius: int) -> list[_Chunk]:
    """The cheapest dealing of bits into chunks for n evenly spread codes; none: compare all."""
    best, chosen = n * n / 2.0, 0
    for m in range(1, min(radius + 1, bits // 8) + 1):
        cost = 0.0
        for chunk in _deal(bits, radius, m):
            masks = sum(comb(len(chunk.bits), weight) for weight in range(chunk.tolerance + 1))
            cost += masks * (_LOOKUP_COST * n + n * n / 2.0 ** (len(chunk.bits) + 1))
        if cost < best:
            best, chosen = cost, m
    return _deal(bits, radius, chosen) if chosen else []


def _deal(bits: int, radius: int, m: int) -> list[_Chunk]:
    """Bits dealt in turn, since neighbouring bits of a picture code depend on each other."""
    share, extra = divmod(radius + 1, m)
    return [
        _Chunk(tuple(range(at, bits, m)), share - 1 + (at < extra))
        for at in range(m)
        if share + (at < extra) > 0
    ]


def _keys(codes: Codes, bits: tuple[int, ...]) -> NDArray[np.uint64]:
    """The chosen bits of each code, packed; of more than 64 the first 64, a weaker filter."""
    keys = np.zeros(len(codes), dtype=np.uint64)
    one = np.uint64(1)
    for bit in bits[:_WORD]:
        word, place = divmod(bit, _WORD)
        keys = (keys << one) | ((codes[:, word] >> np.uint64(place)) & one)
    return keys


def _bucket_pairs(
    keys: NDArray[np.uint64], chunk: _Chunk
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Candidates whose keys differ in at most the chunk's tolerance of bits."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    places = np.arange(len(keys), dtype=np.int64)
    ends = np.searchsorted(ordered, ordered, side="right")
    yield from _ranges(order, places, places + 1, ends)
    width = min(len(chunk.bits), _WORD)
    for weight in range(1, chunk.tolerance + 1):
        for ones in combinations(range(width), weight):
            mask = np.uint64(sum(1 << one for one in ones))
            partner = ordered ^ mask
            lower = np.flatnonzero(ordered < partner)  # each pair of buckets once
            starts = np.searchsorted(ordered, partner[lower], side="left")
            ends = np.searchsorted(ordered, partner[lower], side="right")
            yield from _ranges(order, lower, starts, ends)


def _ranges(
    order: NDArray[np.int64],
    places: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Each place with every place of its range, a bounded number of pairs at a time."""
    counts = ends - starts
    some = counts > 0
    places, starts, counts = places[some], starts[some], counts[some]
    totals = np.cumsum(counts)
    begin = 0
    while begin < len(places):
        done = totals[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(totals, done + _BATCH, side="right")))
        size = counts[begin:end]
        offset = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        left = np.repeat(places[begin:end], size)
        right = np.repeat(starts[begin:end], size) + offset
        yield order[left], order[right]
        begin = end


def _everything(n: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    places = np.arange(n, dtype=np.int64)
    yield from _ranges(places, places, places + 1, np.full(n, n, dtype=np.int64))
