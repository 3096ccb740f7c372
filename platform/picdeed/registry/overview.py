"""How much is in the registry? The numbers on a dashboard's first page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from picdeed.registry import conclusions, ledger
from picdeed.registry.claims import PictureClaim
from picdeed.registry.conclusions import Conclusion, Standing
from picdeed.registry.datasets import Dataset
from picdeed.registry.decisions import Decision
from picdeed.registry.outputs import Output
from picdeed.registry.pictures import Picture
from picdeed.registry.revocations import Revocation
from picdeed.registry.runs import Adapter, Run
from picdeed.registry.similar import Cluster
from picdeed.registry.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Mapped, Session

    from picdeed.registry.tables import Table


@dataclass(frozen=True, slots=True)
class Overview:
    """Numbers of rows; the mappings count rows by the word that they are named after."""

    pictures: int
    claims: int
    datasets: int
    clusters: int
    snapshots: int
    decisions: int
    runs: int
    adapters: int
    outputs: int
    revocations: int
    events: int
    without_conclusion: int
    conflicts: int
    opt_outs: int
    by_license: Mapping[str, int]
    pictures_by_state: Mapping[str, int]
    runs_by_state: Mapping[str, int]
    adapters_by_state: Mapping[str, int]
    outputs_by_state: Mapping[str, int]
    decisions_by_verdict: Mapping[str, int]


def overview(session: Session) -> Overview:
    """All counts in one consistent reading."""
    pictures = _count(session, Picture)
    return Overview(
        pictures=pictures,
        claims=_count(session, PictureClaim),
        datasets=_count(session, Dataset),
        clusters=_count(session, Cluster),
        snapshots=_count(session, Snapshot),
        decisions=_count(session, Decision),
        runs=_count(session, Run),
        adapters=_count(session, Adapter),
        outputs=_count(session, Output),
        revocations=_count(session, Revocation),
        events=ledger.last_event(session)[0],
        without_conclusion=pictures - _count(session, Conclusion),
        conflicts=_concluded(session, Standing.conflict.is_(True)),
        opt_outs=_concluded(session, Standing.opt_out.is_(True)),
        by_license=conclusions.by_license(session),
        pictures_by_state=_by(session, Picture.state),
        runs_by_state=_by(session, Run.state),
        adapters_by_state=_by(session, Adapter.state),
        outputs_by_state=_by(session, Output.state),
        decisions_by_verdict=_by(session, Decision.verdict),
    )


def _count(session: Session, model: type[Table]) -> int:
    return session.execute(sa.select(sa.func.count()).select_from(model)).scalar_one()


def _concluded(session: Session, answer: sa.ColumnElement[bool]) -> int:
    wanted = sa.select(sa.func.count()).select_from(Conclusion)
    alike = sa.select(Standing.id).where(answer)
    return session.execute(wanted.where(Conclusion.standing_id.in_(alike))).scalar_one()


def _by(session: Session, column: Mapped[str]) -> dict[str, int]:
    wanted = sa.select(column, sa.func.count()).group_by(column)
    return dict(sorted(session.execute(wanted).tuples().all()))
