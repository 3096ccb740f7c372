"""How are all near pairs found: which passes are there, and who makes them?

One pass takes one chunk of the codes (`dealing`), sorts the codes by it and compares buckets whose
keys are near. Passes do not know each other: threads share them here, and another engine may run
them as tasks, since `chunk_pass` is a plain function of arrays. Two engines give the same answer:
numba where it is installed and there is enough to do, else numpy.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.dealing import (
    COMPILED,
    Chunk,
    Codes,
    Costs,
    deal,
    evenness,
    shuffle_tables,
    shuffled,
)

Pairs = NDArray[np.int64]

_KERNELS = "picdeed.imaging.kernels"
_BLOCK_BITS = 11  # keys of a block: two blocks of a million codes' table stay in the cache
_OUT = 1 << 19  # pairs that a kernel hands over at once: 8 MiB
_BATCH = 1 << 20  # candidates that numpy looks at together: about 50 MiB of temporaries
_SCANNED = 16  # codes of the shorter side: a scan is over before anything is sorted or compiled
_SCANNED_PAIRS = 1 << 20
_SCAN_BLOCK = 1 << 15  # codes, 1 MiB: stays in the cache while all of the short side pass
_COMPILING = 2.0  # seconds, once a process


class Engine(StrEnum):
    """Who compares."""

    NUMBA = "numba"
    NUMPY = "numpy"


_COSTS = {
    Engine.NUMBA: COMPILED,
    Engine.NUMPY: Costs(code=120.0, key=0.0, probe=60.0, partner=16.0, candidate=10.0),
}


def join(
    left: Codes,
    right: Codes | None,
    radius: int,
    *,
    threads: int | None = None,
    engine: Engine | None = None,
    most: int,
) -> Pairs:
    """Pairs (i of left, j of right) within the radius; with `right` None, i < j of left.

    Each pair once, sorted. Codes are uint64[n, w]; equal codes are not grouped here. Raises
    OverflowError when there are more than `most` pairs.
    """
    itself = right is None
    other = left if right is None else right
    if not len(left) or not len(other) or radius < 0:
        return np.zeros((0, 2), dtype=np.int64)
    few = min(len(left), len(other)) <= _SCANNED or len(left) * len(other) <= _SCANNED_PAIRS
    if right is not None and few and engine is None:
        return sorted_rows(_scanned(left, right, radius), len(right))
    mixed = shuffled(left[:: max(1, len(left) // (1 << 15))])
    chosen, chunks = planned(len(left), len(other), mixed, radius, itself=itself, engine=engine)
    left = moved(left, chosen)
    other = left if right is None else moved(right, chosen)
    workers = threads or default_threads()
    parts = 1 if len(chunks) >= 2 * workers else ceil(2 * workers / len(chunks))
    parts = parts if workers > 1 else 1
    tasks = [(which, (part, parts)) for which in range(len(chunks)) for part in range(parts)]
    counted = [0]

    def run(task: tuple[int, tuple[int, int]]) -> list[Pairs]:
        found = []
        for some in chunk_pass(
            left, None if itself else other, chunks, task[0], radius, part=task[1], engine=chosen
        ):
            counted[0] += len(some)
            if counted[0] > most:
                raise OverflowError(f"more than {most:,} pairs within {radius} bits")
            found.append(some)
        return found

    if workers == 1:
        found = [one for task in tasks for one in run(task)]
    else:
        with ThreadPoolExecutor(workers) as pool:
            found = [one for some in pool.map(run, tasks) for one in some]
    return sorted_rows(ordered(found) if itself else found, len(other))


def planned(
    left: int,
    right: int,
    mixed: Codes,
    radius: int,
    *,
    itself: bool,
    engine: Engine | None = None,
) -> tuple[Engine, tuple[Chunk, ...]]:
    """Who compares so many codes, and by which chunks; `mixed` are some of them, shuffled."""
    even = evenness(mixed)
    plans = {
        one: deal(
            *(left, right, mixed.shape[1], radius), evenness=even, costs=_COSTS[one], itself=itself
        )
        for one in (available() if engine is None else (engine,))
    }
    chosen = min(plans, key=lambda one: plans[one][1] + _start_up(one))
    return chosen, plans[chosen][0]


def chunk_pass(
    left: Codes,
    right: Codes | None,
    chunks: Sequence[Chunk],
    which: int,
    radius: int,
    *,
    part: tuple[int, int] = (0, 1),
    engine: Engine,
) -> Iterator[Pairs]:
    """Blocks of the pairs that chunk `which` finds, a bounded number at a time.

    The codes are already shuffled (`dealing.shuffled`). `part` (k, of n) takes the k-th share of
    the keys. Together, all parts of all chunks give every pair within the radius; the kernel
    gives each pair in its first chunk only, numpy may repeat it, and in either order.
    """
    if engine is Engine.NUMBA:
        yield from _with_numba(left, right, chunks, (which, *part), radius)
    else:
        yield from _with_numpy(left, right, chunks[which], radius, part)


@lru_cache(maxsize=1)
def available() -> tuple[Engine, ...]:
    """The engines that this installation has."""
    here = all(importlib.util.find_spec(name) for name in ("numba", "llvmlite"))
    return (Engine.NUMBA, Engine.NUMPY) if here else (Engine.NUMPY,)


def default_threads() -> int:
    """OMP_NUM_THREADS where it is set, else the cores that this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdigit() and int(said) else len(os.sched_getaffinity(0))


def _start_up(engine: Engine) -> float:
    return _COMPILING if engine is Engine.NUMBA and _KERNELS not in sys.modules else 0.0


def moved(codes: Codes, engine: Engine) -> Codes:
    """The codes with their bits moved (`dealing.shuffled`), as passes take them."""
    if engine is Engine.NUMBA:
        from picdeed.imaging import kernels

        found: Codes = kernels.permuted(codes, shuffle_tables(codes.shape[1]))
        return found
    return shuffled(codes)


def ordered(found: Sequence[Pairs]) -> list[Pairs]:
    """The same pairs with the smaller number first."""
    return [np.where((one[:, 0] > one[:, 1])[:, None], one[:, ::-1], one) for one in found]


def sorted_rows(found: Sequence[Pairs], n: int) -> Pairs:
    """All the rows, sorted and each once; their second numbers are below n."""
    if not found:
        return np.zeros((0, 2), dtype=np.int64)
    flat = np.sort(np.concatenate([one[:, 0] * n + one[:, 1] for one in found]))
    fresh = np.ones(len(flat), dtype=bool)
    fresh[1:] = flat[1:] != flat[:-1]
    first, second = np.divmod(flat[fresh], n)
    return np.stack((first, second), axis=1)


def apart(one: Codes, other: Codes) -> NDArray[np.uint16]:
    """Bits in which codes differ, for uint64[..., w] of any shapes that fit each other."""
    # Word by word: five times as fast as a sum over the last axis.
    total: NDArray[np.uint16] = np.bitwise_count(one[..., 0] ^ other[..., 0]).astype(np.uint16)
    for word in range(1, one.shape[-1]):
        total += np.bitwise_count(one[..., word] ^ other[..., word])
    return total


def _scanned(left: Codes, right: Codes, radius: int) -> list[Pairs]:
    """Each code of the short side against all of the long one, without any preparation."""
    few, many = (left, right) if len(left) <= len(right) else (right, left)
    found = [np.zeros((0, 2), dtype=np.int64)]
    for start in range(0, len(many), _SCAN_BLOCK):
        block = many[start : start + _SCAN_BLOCK]
        for at, code in enumerate(few):
            near = np.flatnonzero(apart(block, code) <= radius) + start
            pair = (np.full(len(near), at), near) if few is left else (near, np.full(len(near), at))
            found.append(np.stack(pair, axis=1))
    return found


def _with_numba(
    left: Codes,
    right: Codes | None,
    chunks: Sequence[Chunk],
    task: tuple[int, int, int],
    radius: int,
) -> Iterator[Pairs]:
    """`task` is the chunk's place, the part and how many parts there are."""
    from picdeed.imaging import kernels

    which, part, parts = task
    chunk = chunks[which]
    table = np.array(
        [(c.word, c.shift, c.bits, c.tolerance, c.word_tolerance) for c in chunks], dtype=np.int64
    )
    sides = [
        (codes, *kernels.bucketed(codes[:, chunk.word].copy(), chunk.shift, chunk.bits))
        for codes in ((left,) if right is None else (left, right))
    ]
    # As many blocks as there are parts, at least: else some parts have nothing to do.
    low = max(0, min(_BLOCK_BITS, chunk.bits - (parts - 1).bit_length()))
    blocks = 1 << (chunk.bits - low)
    begin, end = blocks * part // parts, blocks * (part + 1) // parts
    state = np.array([begin, 0, 0, 0], dtype=np.int64)
    largest = int(np.diff(sides[-1][1]).max(initial=0))
    out = np.empty((max(_OUT, largest), 2), dtype=np.int64)
    masks = chunk.masks()
    while state[0] < end:
        count = kernels.bucket_pairs(
            *(sides[0], sides[-1], right is None, table, which, masks),
            *(low, radius, end, state, out),
        )
        if count:
            yield out[:count].copy()


def _with_numpy(
    left: Codes, right: Codes | None, chunk: Chunk, radius: int, part: tuple[int, int]
) -> Iterator[Pairs]:
    other = left if right is None else right
    for one, two in _candidates(left, right, chunk, part):
        word = left[one, chunk.word] ^ other[two, chunk.word]
        near = np.bitwise_count(word) <= chunk.word_tolerance
        a, b = one[near], two[near]
        near = apart(left[a], other[b]) <= radius
        if near.any():
            yield np.stack((a[near], b[near]), axis=1)


def _candidates(
    left: Codes, right: Codes | None, chunk: Chunk, part: tuple[int, int]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Positions of codes whose keys differ in at most the chunk's tolerance of bits."""
    order_l, keys_l = _by_key(left, chunk)
    order_r, keys_r = (order_l, keys_l) if right is None else _by_key(right, chunk)
    n = len(keys_l)
    places = np.arange(n * part[0] // part[1], n * (part[0] + 1) // part[1], dtype=np.int64)
    mine = keys_l[places]
    for mask in chunk.masks():
        partner = mine ^ np.uint64(mask)
        some = places
        if right is None and mask:
            lower = mine < partner  # each pair of buckets once
            some, partner = places[lower], partner[lower]
        starts = np.searchsorted(keys_r, partner, side="left")
        ends = np.searchsorted(keys_r, partner, side="right")
        if right is None and not mask:
            starts = some + 1
        for one, two in _ranges(some, starts, ends):
            yield order_l[one], order_r[two]


def _by_key(codes: Codes, chunk: Chunk) -> tuple[NDArray[np.int64], Codes]:
    keys = (codes[:, chunk.word] >> np.uint64(chunk.shift)) & np.uint64((1 << chunk.bits) - 1)
    order = np.argsort(keys, kind="stable").astype(np.int64)
    return order, keys[order]


def _ranges(
    places: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Each place with every place of its range, a bounded number of pairs at a time."""
    counts = ends - starts
    some = counts > 0
    places, starts, counts = places[some], starts[some], counts[some]
    totals = np.cumsum(counts)
    begin = 0
    while begin < len(places):
        done = int(totals[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(totals, done + _BATCH, side="right")))
        size = counts[begin:end]
        offset = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        yield np.repeat(places[begin:end], size), np.repeat(starts[begin:end], size) + offset
        begin = end
