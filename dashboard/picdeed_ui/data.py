"""What do the pages read? The registry's own read functions, opened once for all sessions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from picdeed.registry import bases, claims, datasets, ledger, outputs, overview, pictures, runs
from picdeed.registry import snapshots as frozen
from picdeed.registry.bases import Base
from picdeed.registry.ledger import LedgerEvent
from picdeed.registry.outputs import Output
from picdeed.registry.overview import Overview
from picdeed.registry.pictures import PicturePage, PictureView
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, open_registry
from picdeed.registry.snapshots import Snapshot

PAGE = 24


@st.cache_resource
def _opened(where: str | None) -> Registry:
    return open_registry(where)


def registry() -> Registry:
    """The registry that `picdeed dashboard` named, or the nearest one."""
    return _opened(os.environ.get("PICDEED_REGISTRY"))


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
        return claims.by_license(session)


def one_picture(identity: str) -> PictureView | None:
    with registry().read() as session:
        rows = pictures.by_ids(session, [identity])
        found: Sequence[PictureView] = pictures.views(session, list(rows.values()))
        return found[0] if found else None


def thumbnail(digest: str) -> Path | None:
    path = registry().thumbnail(digest)
    return path if path.is_file() else None


def all_snapshots() -> list[Snapshot]:
    with registry().read() as session:
        return frozen.all_snapshots(session)


def all_bases() -> list[Base]:
    with registry().read() as session:
        return bases.all_bases(session)


def finished_runs() -> list[Run]:
    with registry().read() as session:
        return runs.all_runs(session, "succeeded")


def all_outputs() -> list[Output]:
    with registry().read() as session:
        return [row for row in outputs.all_outputs(session) if row.sha256]
