"""How does another engine make the search's passes, on other processes or machines?

    prepared = prepare(codes)
    np.save("codes.npy", prepared.codes)                     # once; every worker maps it
    found = [run_task(Path("codes.npy"), task) for task in tasks(prepared.codes, 31)]   # anywhere
    pairs = merge(prepared, found)                           # == pairs_within(codes, 31)

A task is small and picklable, knows nothing of other tasks, and gives the same rows whenever and
wherever it runs, so a lost one is run again. The same for two sides: `tasks(..., against=...)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.dealing import Chunk, Codes
from picdeed.imaging.join import Engine, Pairs, chunk_pass, moved, ordered, planned, sorted_rows
from picdeed.imaging.neighbours import first_equal

_SAMPLE = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """`codes` uint64[m, w] as passes take them: each value once, its bits moved. `first` int64[n]
    names for each code given the first one equal to it.
    """

    codes: Codes
    first: NDArray[np.int64]

    @property
    def heads(self) -> NDArray[np.int64]:
        """int64[m]: which of the codes given each of `codes` was."""
        return np.flatnonzero(self.first == np.arange(len(self.first)))


@dataclass(frozen=True, slots=True)
class Task:
    """One share (`part`: which, of how many) of one chunk's pass."""

    chunks: tuple[Chunk, ...]
    which: int
    part: tuple[int, int]
    radius: int
    engine: Engine
    itself: bool


def prepare(codes: Codes, *, engine: Engine = Engine.NUMPY) -> Prepared:
    """What all tasks read; `engine` only says who does it, the answer is the same."""
    first = first_equal(codes)
    heads = np.flatnonzero(first == np.arange(len(first)))
    return Prepared(moved(np.ascontiguousarray(codes[heads]), engine), first)


def tasks(
    codes: Codes,
    radius: int,
    *,
    against: Codes | None = None,
    parts: int = 1,
    engine: Engine | None = None,
) -> list[Task]:
    """Every pass over prepared codes: among themselves, or against other prepared ones.

    Each chunk's pass is cut into so many `parts`. `engine` defaults to the faster one that is
    installed here; workers need the same.
    """
    other = codes if against is None else against
    if not len(codes) or not len(other):
        return []
    chosen, chunks = planned(
        *(len(codes), len(other), codes[:: max(1, len(codes) // _SAMPLE)], radius),
        itself=against is None,
        engine=engine,
    )
    return [
        Task(chunks, which, (part, parts), radius, chosen, against is None)
        for which in range(len(chunks))
        for part in range(parts)
    ]


def run_task(codes: Codes | Path, task: Task, against: Codes | Path | None = None) -> Pairs:
    """int64[m, 2]: what one task finds in the prepared codes, by their places; unsorted.

    A path names a file of `np.save`, which is mapped. Raises ValueError when the other side is
    missing, or there is one too many.
    """
    if task.itself != (against is None):
        raise ValueError("a task is of one side or of two, and was given the other")
    left = _loaded(codes)
    right = None if against is None else _loaded(against)
    blocks = chunk_pass(
        left, right, task.chunks, task.which, task.radius, part=task.part, engine=task.engine
    )
    return np.concatenate([np.zeros((0, 2), dtype=np.int64), *blocks])


def merge(prepared: Prepared, found: Iterable[Pairs], against: Prepared | None = None) -> Pairs:
    """All tasks' rows, in any order and any number of times: `pairs_within`'s answer.

    With `against` that of `pairs_between`.
    """
    rows = list(found)
    if against is not None:
        pairs = sorted_rows(rows, max(1, len(against.codes)))
        return np.stack((prepared.heads[pairs[:, 0]], against.heads[pairs[:, 1]]), axis=1)
    first, heads = prepared.first, prepared.heads
    places = np.arange(len(first), dtype=np.int64)
    copies = first != places
    stars = np.stack((first[copies], places[copies]), axis=1)
    return sorted_rows([stars, *(heads[one] for one in ordered(rows))], max(1, len(first)))


def _loaded(codes: Codes | Path) -> Codes:
    if isinstance(codes, Path):
        mapped: Codes = np.load(codes, mmap_mode="r", allow_pickle=False)
        return np.asarray(mapped)
    return codes
