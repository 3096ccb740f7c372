"""What do the pages read? The registry's own read functions, opened once for all sessions."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from picdeed.flow import dedup, pipeline
from picdeed.registry import (
    bases,
    claims,
    conclusions,
    datasets,
    ledger,
    outputs,
    overview,
    pictures,
    rollups,
    runs,
    similar,
    subjects,
)
from picdeed.registry import snapshots as frozen
from picdeed.registry.outputs import Output
from picdeed.registry.session import Registry, open_registry, utc_now
from picdeed.rights.expression import AllOf, AnyOf, Tree, render, tree_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from picdeed.registry.bases import Base
    from picdeed.registry.claims import PictureClaim
    from picdeed.registry.ledger import LedgerEvent
    from picdeed.registry.overview import Overview
    from picdeed.registry.pictures import PicturePage, PictureView
    from picdeed.registry.runs import Adapter, Run
    from picdeed.registry.similar import Pair
    from picdeed.registry.snapshots import Snapshot
    from picdeed.rights.terms import Profile

PAGE = 36
TOLD_LINES = 12


@functools.lru_cache(maxsize=8)
def _opened(where: str | None) -> Registry:
    return open_registry(where)


def registry() -> Registry:
    """The registry that `picdeed dashboard` named, or the nearest one; NotARegistry when gone."""
    where = os.environ.get("PICDEED_REGISTRY")
    found = _opened(where)
    if (found.root / "registry.sqlite").is_file() or (where and "://" in where):
        return found
    # Its folder was moved or removed while the dashboard ran.
    _opened.cache_clear()
    return _opened(where)


def counts() -> Overview:
    with registry().read() as session:
        return overview.overview(session)


def last_events(n: int) -> list[LedgerEvent]:
    """The newest events first."""
    with registry().read() as session:
        sequence, _ = ledger.last_event(session)
        return ledger.events(session, after=max(0, sequence - n))[::-1]


def dataset_sizes() -> dict[str, tuple[str, int]]:
    """name -> (id, number of pictures)."""
    with registry().read() as session:
        sizes = datasets.sizes(session)
        return {row.name: (row.id, sizes.get(row.id, 0)) for row in datasets.all_datasets(session)}


def page_of(
    dataset: str | None, verdict: str | None, license_: str | None, after: str | None
) -> PicturePage:
    with registry().read() as session:
        return pictures.page(
            session,
            dataset=dataset,
            verdict=verdict,
            license=license_,
            after=after,
            limit=PAGE,
        )


def licenses() -> dict[str, int]:
    with registry().read() as session:
        return conclusions.by_license(session)


def one_picture(identity: str) -> PictureView:
    """By whole id or unique prefix; raises UnknownSubject."""
    with registry().read() as session:
        row = subjects.require(session, pictures.Picture, identity)
        return pictures.views(session, [row])[0]


def some_pictures(ids: Sequence[str]) -> tuple[PictureView, ...]:
    """These pictures, in this order, as far as they are known."""
    with registry().read() as session:
        rows = pictures.by_ids(session, ids)
        return pictures.views(session, [rows[one] for one in ids if one in rows])


def copies_of(identity: str) -> tuple[PictureView, ...]:
    """The other members of its cluster of copies."""
    with registry().read() as session:
        same = similar.same_picture(session, [identity]).get(identity, [])
        rows = pictures.by_ids(session, [one for one in same if one != identity])
        return pictures.views(session, list(rows.values()))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the last search for copies did not see. `searched` is False before the first one."""

    searched: bool
    pictures: int
    decisions: int


def waiting() -> Waiting:
    """What came since copies were last looked for."""
    with registry().read() as session:
        mark = rollups.watermark(session, dedup.MARK)
        if mark is None or mark.state != dedup.STATE:
            return Waiting(
                searched=False, pictures=overview.overview(session).pictures, decisions=0
            )
        return Waiting(
            searched=True,
            pictures=similar.written_since(session, mark.seq, "pictures"),
            decisions=similar.written_since(session, mark.seq, "pair_decisions"),
        )


def head() -> tuple[Registry, str]:
    """The registry and the hash of its last event: what was read under it is still so."""
    found = registry()
    with found.read() as session:
        return found, ledger.last_event(session)[1]


def settled() -> tuple[Registry, int]:
    """The registry and its last event that is no decision about a pair."""
    found = registry()
    with found.read() as session:
        return found, similar.settled(session)


def copies(dataset: str | None = None) -> pipeline.Deduped:
    """Clusters as they stand, and the questions that were open when something else than a decision
    was last written; raises UnknownSubject.

    Thousands of clusters take seconds to read, and a decision is a click.
    """
    return _copies(*settled(), dataset)


@functools.lru_cache(maxsize=4)
def _copies(found: Registry, _seq: int, dataset: str | None) -> pipeline.Deduped:
    return pipeline.list_copies(found, dataset)


def forget_copies() -> None:
    """Read clusters and questions again: a decision from before was undone."""
    _copies.cache_clear()


def decided() -> tuple[pipeline.Decided, ...]:
    """Every decision about a pair that stands, newest first."""
    return _decided(*head())


@functools.lru_cache(maxsize=2)
def _decided(found: Registry, _head: str) -> tuple[pipeline.Decided, ...]:
    return pipeline.list_decided(found)


def pairs_among(ids: Collection[str]) -> list[Pair]:
    """What was recorded about pairs of these pictures."""
    with registry().read() as session:
        return similar.pairs_among(session, ids)


def claims_in_force(ids: Collection[str]) -> dict[str, list[PictureClaim]]:
    """Claims by picture without those that a person took back."""
    with registry().read() as session:
        return claims.in_force(session, ids)


def all_snapshots() -> list[Snapshot]:
    """Newest first."""
    with registry().read() as session:
        rows = frozen.all_snapshots(session)
    return sorted(rows, key=lambda row: row.created_at, reverse=True)


def all_bases() -> list[Base]:
    with registry().read() as session:
        return bases.all_bases(session)


def base_names() -> dict[str, str]:
    """id -> name."""
    return {row.id: row.name for row in all_bases()}


def drawing_runs() -> list[Run]:
    """Runs whose adapter may draw: finished, and not touched by a revocation. Newest first."""
    with registry().read() as session:
        good = {row.run_id for row in runs.all_adapters(session) if row.state == "good"}
        return [row for row in runs.all_runs(session, "succeeded") if row.id in good]


def all_outputs() -> list[Output]:
    """Every output that was signed, newest first; what is held back has no picture to show."""
    with registry().read() as session:
        return [row for row in outputs.all_outputs(session) if row.sha256]


def one_output(identity: str) -> Output:
    """By whole id or unique prefix; raises UnknownSubject."""
    with registry().read() as session:
        return subjects.require(session, Output, identity)


def some_outputs(ids: Sequence[str]) -> list[Output]:
    """These outputs, in this order, as far as they were signed."""
    with registry().read() as session:
        rows = [subjects.find(session, Output, one) for one in ids]
    return [row for row in rows if row is not None and row.sha256]


def all_adapters() -> list[Adapter]:
    with registry().read() as session:
        return runs.all_adapters(session)


def profiles() -> Mapping[str, Profile]:
    """The ways in which the rules may be read, by name."""
    return pipeline.rules().profiles


def decision(identity: str) -> pipeline.Gated:
    """By whole id or unique prefix; raises UnknownSubject."""
    return pipeline.list_decisions(registry(), identity)[0]


def has_expired(gated: pipeline.Gated) -> bool:
    return gated.valid_until <= utc_now()


def sides_of(license_: str) -> tuple[str, ...]:
    """What an expression's ORs leave to choose from; empty without one."""
    return tuple(dict.fromkeys(_sides(tree_of(license_))))


def _sides(tree: Tree) -> list[str]:
    if isinstance(tree, AnyOf):
        return [render(part) for part in tree.parts]
    return [side for part in tree.parts for side in _sides(part)] if isinstance(tree, AllOf) else []


def last_words(folder: Path) -> str:
    """The last lines that a run's processes wrote before they ended."""
    told: list[str] = []
    for name in ("background.log", "stderr.log"):
        path = folder / name
        if path.is_file():
            told += path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(told[-TOLD_LINES:])
