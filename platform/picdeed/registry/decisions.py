"""Which licence verdicts were recorded, from which inputs?"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import content_id
from picdeed.registry.tables import CanonicalJson, Table


class Decision(Table, kw_only=True):
    """One recorded verdict over a snapshot, a base and a list of uses, until `valid_until`.

    `reasons`, `duties` and `drop` are lists as rights.decide gives them; `inputs_hash` covers
    everything that was judged, `policy_hash` the rules.
    """

    __tablename__ = "decisions"

    id: Mapped[str] = mapped_column(primary_key=True)
    snapshot_id: Mapped[str] = mapped_column(sa.ForeignKey("snapshots.id"), index=True)
    base_id: Mapped[str] = mapped_column(sa.ForeignKey("bases.id"), index=True)
    uses: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    profile: Mapped[str]
    commercial: Mapped[bool]
    verdict: Mapped[str]
    reasons: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    duties: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    drop: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    drop_reason: Mapped[str | None] = mapped_column(default=None)
    inputs_hash: Mapped[str] = mapped_column(index=True)
    policy_hash: Mapped[str]
    decided_at: Mapped[str]
    valid_until: Mapped[str]


class Approval(Table, kw_only=True):
    """A person lets one REVIEW pass, on a legal basis, until a day. The verdict stays REVIEW.

    `by` is as the person named themselves: asserted, not authenticated.
    """

    __tablename__ = "approvals"

    decision_id: Mapped[str] = mapped_column(sa.ForeignKey("decisions.id"), primary_key=True)
    recorded_at: Mapped[str] = mapped_column(primary_key=True)
    by: Mapped[str]
    basis: Mapped[str]
    until: Mapped[str]


def decision_id(inputs_hash: str, policy_hash: str, counter: int) -> str:
    """The id of the `counter`-th decision from these inputs and rules (0, 1, ... on expiry)."""
    return content_id("dec", {"inputs": inputs_hash, "policy": policy_hash, "counter": counter})


def with_inputs(session: Session, inputs_hash: str, policy_hash: str) -> list[Decision]:
    """Decisions from exactly these inputs and rules, newest first."""
    wanted = sa.select(Decision).where(
        Decision.inputs_hash == inputs_hash, Decision.policy_hash == policy_hash
    )
    return list(session.scalars(wanted.order_by(Decision.decided_at.desc(), Decision.id)))


def of_snapshot(session: Session, snapshot: str) -> list[Decision]:
    """Decisions about a snapshot, newest first."""
    wanted = sa.select(Decision).where(Decision.snapshot_id == snapshot)
    return list(session.scalars(wanted.order_by(Decision.decided_at.desc(), Decision.id)))


def all_decisions(session: Session) -> list[Decision]:
    """Every decision, newest first."""
    wanted = sa.select(Decision).order_by(Decision.decided_at.desc(), Decision.id)
    return list(session.scalars(wanted))


def approval(session: Session, decision: str, now: str) -> Approval | None:
    """The last approval of a decision that still holds at `now`."""
    wanted = sa.select(Approval).where(Approval.decision_id == decision, Approval.until > now)
    return session.scalars(wanted.order_by(Approval.recorded_at.desc()).limit(1)).first()
