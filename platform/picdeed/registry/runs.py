"""Which fine-tunes were started, and which adapters came out?"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.errors import UnknownSubject
from picdeed.core.ids import content_id
from picdeed.registry.tables import CanonicalJson, Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection


class RunState(StrEnum):
    """Where a fine-tune stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Standing(StrEnum):
    """Whether an adapter or output may be used: revocations change it, a person withdraws."""

    HELD = "held"
    GOOD = "good"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"


class Run(Table, kw_only=True):
    """One fine-tune. `folder` is relative to the registry; progress lies in files there.

    `state` is how far it got, `standing` what revocations left of it.
    """

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(primary_key=True)
    snapshot_id: Mapped[str] = mapped_column(sa.ForeignKey("snapshots.id"), index=True)
    decision_id: Mapped[str] = mapped_column(sa.ForeignKey("decisions.id"), index=True)
    base_id: Mapped[str] = mapped_column(sa.ForeignKey("bases.id"), index=True)
    recipe: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    recipe_sha256: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]
    standing: Mapped[str] = mapped_column(default=Standing.GOOD)
    seed: Mapped[int]
    steps: Mapped[int]
    folder: Mapped[str]
    started_at: Mapped[str]
    ended_at: Mapped[str | None] = mapped_column(default=None)
    result: Mapped[Any] = mapped_column(CanonicalJson, nullable=True, default=None)
    error: Mapped[str | None] = mapped_column(default=None)


class Adapter(Table, kw_only=True):
    """One LoRA file: `sha256` and `bytes` of the file, `path` relative to the registry."""

    __tablename__ = "adapters"

    id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(sa.ForeignKey("runs.id"), index=True)
    sha256: Mapped[str] = mapped_column(index=True)
    path: Mapped[str]
    bytes: Mapped[int]
    state: Mapped[str] = mapped_column(default=Standing.GOOD)
    created_at: Mapped[str]


def run_id(snapshot: str, base: str, recipe_sha256: str, seed: int, counter: int) -> str:
    """The id of the `counter`-th run of these inputs (0, then 1, ... with --again)."""
    return content_id(
        "run",
        {
            "snapshot": snapshot,
            "base": base,
            "recipe": recipe_sha256,
            "seed": seed,
            "counter": counter,
        },
    )


def of_inputs(
    session: Session, snapshot: str, base: str, recipe_sha256: str, seed: int
) -> list[Run]:
    """Runs of exactly these inputs, newest first."""
    wanted = sa.select(Run).where(
        Run.snapshot_id == snapshot,
        Run.base_id == base,
        Run.recipe_sha256 == recipe_sha256,
        Run.seed == seed,
    )
    return list(session.scalars(wanted.order_by(Run.started_at.desc(), Run.id)))


def all_runs(session: Session, state: str | None = None) -> list[Run]:
    """Every run, newest first."""
    wanted = sa.select(Run).order_by(Run.started_at.desc(), Run.id)
    return list(session.scalars(wanted if state is None else wanted.where(Run.state == state)))


def of_snapshots(session: Session, snapshots: Collection[str]) -> list[Run]:
    """Runs that trained on any of these snapshots, by id."""
    found: list[Run] = []
    for part in chunks(snapshots):
        found.extend(session.scalars(sa.select(Run).where(Run.snapshot_id.in_(part))))
    return sorted(found, key=lambda run: run.id)


def adapters_of(session: Session, runs: Collection[str]) -> list[Adapter]:
    """Adapters that came out of these runs, by id.

    Two runs can end with the same tensors, which are one adapter: its row names the first run,
    the others' results name it.
    """
    found: dict[str, Adapter] = {}
    for part in chunks(runs):
        rows = session.scalars(sa.select(Run).where(Run.id.in_(part)))
        named = [row.result["adapter_id"] for row in rows if "adapter_id" in (row.result or {})]
        wanted = sa.or_(Adapter.run_id.in_(part), Adapter.id.in_(named))
        found.update({row.id: row for row in session.scalars(sa.select(Adapter).where(wanted))})
    return [found[one] for one in sorted(found)]


def all_adapters(session: Session) -> list[Adapter]:
    """Every adapter, newest first."""
    wanted = sa.select(Adapter).order_by(Adapter.created_at.desc(), Adapter.id)
    return list(session.scalars(wanted))


def adapter_of(session: Session, subject: str) -> Adapter:
    """An adapter by its id, or the adapter that a run (an id) made; raises UnknownSubject."""
    adapter = session.get(Adapter, subject)
    made = adapters_of(session, [subject]) if adapter is None else [adapter]
    if not made:
        raise UnknownSubject(
            f"{subject[:12]} has no adapter yet.", hint=f"picdeed runs show {subject[:12]}"
        )
    return made[0]
