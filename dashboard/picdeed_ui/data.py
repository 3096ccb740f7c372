"""What do the pages read? The registry's own read functions, opened once for all sessions."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from picdeed.registry import (
    bases,
    conclusions,
    datasets,
    ledger,
    outputs,
    overview,
    pictures,
    runs,
    similar,
    subjects,
)
from picdeed.registry import snapshots as frozen
from picdeed.registry.outputs import Output
from picdeed.registry.session import Registry, open_registry

if TYPE_CHECKING:
    from pathlib import Path

    from picdeed.registry.bases import Base
    from picdeed.registry.ledger import LedgerEvent
    from picdeed.registry.overview import Overview
    from picdeed.registry.pictures import PicturePage, PictureView
    from picdeed.registry.runs import Run
    from picdeed.registry.snapshots import Snapshot

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


def copies_of(identity: str) -> tuple[PictureView, ...]:
    """The other members of its cluster of copies."""
    with registry().read() as session:
        same = similar.same_picture(session, [identity]).get(identity, [])
        rows = pictures.by_ids(session, [one for one in same if one != identity])
        return pictures.views(session, list(rows.values()))


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


def last_words(folder: Path) -> str:
    """The last lines that a run's processes wrote before they ended."""
    told: list[str] = []
    for name in ("background.log", "stderr.log"):
        path = folder / name
        if path.is_file():
            told += path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(told[-TOLD_LINES:])
