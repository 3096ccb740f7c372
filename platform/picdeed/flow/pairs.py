"""Which pairs of pictures are looked at, and what do their pixels say? Shared by dedup's stages.

Codes propose first; then corners, for crops and screenshots; then every picture of a group meets
the one that would stand for it, so that no copy is left out because it was only compared with
another copy. What was compared once is never compared again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from picdeed.core.events import Event, Progress, silent
from picdeed.flow.likeness import by_parts, candidates
from picdeed.imaging.codes import ALGORITHM
from picdeed.imaging.neighbours import components
from picdeed.imaging.verify import Look, compare, look_at
from picdeed.registry import codes, ledger, similar
from picdeed.registry.session import Registry
from picdeed.registry.similar import PARTS, SAME

BATCH = 256
# Corners find crops and screenshots; up to this many pictures they are compared with all others.
LOCAL_UP_TO = 5_000
# Of more copies of one picture than this, some speak for all: a crop of it is a crop of each.
SPEAK_FOR_ALL = 8
_ROUNDS = 3  # a head that was found in the last round may have new members

Names = tuple[str, str]


def compare_new(
    registry: Registry, new: Collection[str] | None, *, progress: Progress = silent
) -> None:
    """Look at every pair that codes or corners propose and that holds one of `new` (None: all)."""
    look_at_pairs(registry, candidates(registry, new), progress=progress)
    with registry.read() as session:
        names = codes.names(session, ALGORITHM)
    if len(names) <= LOCAL_UP_TO:
        spoken = speakers(registry, names)
        asked = None if new is None else {one for one in spoken if one in new}
        look_at_pairs(registry, by_parts(registry, spoken, asked, progress), progress=progress)


def compare_with_heads(
    registry: Registry, rank: Mapping[str, Any], *, progress: Progress = silent
) -> None:
    """Look at every picture beside the one that would stand for its group, the lowest by `rank`."""
    for _ in range(_ROUNDS):
        with registry.read() as session:
            kinds = similar.kinds(session)
        linked = [pair for pair, kind in kinds.items() if kind in (*SAME, *PARTS)]
        wanted = {
            (min(head, one), max(head, one))
            for group in groups_of(linked)
            for head in (min(group, key=lambda one: (rank.get(one, ()), one)),)
            for one in group
            if one != head
        }
        if not look_at_pairs(registry, wanted - kinds.keys(), progress=progress):
            return


def look_at_pairs(
    registry: Registry,
    pairs: Iterable[Names],
    *,
    embedding: str | None = None,
    progress: Progress = silent,
) -> int:
    """Record what the pixels of these pairs say; how many were not compared before.

    `embedding` is the algorithm that proposed them, where codes and corners did not.
    """
    with registry.read() as session:
        done = similar.kinds(session).keys()
        todo = sorted({(min(pair), max(pair)) for pair in pairs} - done)

    @lru_cache(maxsize=64)  # up to 2.5 MB each
    def seen(picture: str) -> Look:
        return look_at(registry.blobs.read(picture.removeprefix("img_")))

    for start in range(0, len(todo), BATCH):
        rows = []
        for at, (a, b) in enumerate(todo[start : start + BATCH], start + 1):
            progress("compare", at, len(todo))
            verdict = compare(seen(a), seen(b))
            rows.append(
                similar.new_pair(
                    a,
                    b,
                    kind=str(verdict.kind),
                    distance=round(float(verdict.distance), 6),
                    evidence=verdict.evidence,
                )
            )
        with registry.write() as session:
            payload: dict[str, Any] = {"pairs": len(rows)}
            if embedding is not None:
                payload["embedding"] = embedding
            ledger.write(session, Event.DEDUP_FINGERPRINTED, payload, rows)
    return len(todo)


def groups_of(pairs: Sequence[Names]) -> list[list[str]]:
    """Who hangs together by these pairs: each group sorted."""
    names = sorted({one for pair in pairs for one in pair})
    place = {name: at for at, name in enumerate(names)}
    edges = np.array([(place[a], place[b]) for a, b in pairs], dtype=np.int64).reshape(-1, 2)
    found: dict[int, list[str]] = {}
    for name, label in zip(names, components(len(names), edges).tolist(), strict=True):
        found.setdefault(label, []).append(name)
    return list(found.values())


def speakers(registry: Registry, names: Sequence[str]) -> list[str]:
    """The pictures, of many copies of one only a few."""
    with registry.read() as session:
        copies = [pair for pair, kind in similar.kinds(session).items() if kind in SAME]
    silent_ones = {one for group in groups_of(copies) for one in group[SPEAK_FOR_ALL:]}
    return [name for name in names if name not in silent_ones]
