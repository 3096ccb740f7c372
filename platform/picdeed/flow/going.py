"""May a run begin, go on, or have its adapter recorded? Its decision, its pictures and its base."""

from __future__ import annotations

from picdeed.core.errors import Denied
from picdeed.flow.decided import require_open, told
from picdeed.registry import revocations, subjects
from picdeed.registry.decisions import Decision
from picdeed.registry.runs import Run, Standing
from picdeed.registry.session import Session, utc_now
from picdeed.registry.snapshots import Snapshot, SnapshotState


def require_live(session: Session, decision: Decision) -> None:
    """Nothing trains without an open decision that still holds (the gate was asked before)."""
    require_open(told(session, decision, utc_now()))
    if decision.valid_until <= utc_now():
        raise Denied(
            f"Decision {decision.id[:12]} expired on {decision.valid_until}; nothing was trained.",
            hint="picdeed gate decides again.",
            decision=decision.id,
        )
    _require_unrevoked(session, decision)


def _require_unrevoked(session: Session, decision: Decision) -> None:
    """Raise Denied, with the revocation's id, when snapshot or base were revoked."""
    frozen = subjects.require(session, Snapshot, decision.snapshot_id)
    if frozen.state != SnapshotState.GOOD:
        cause = revocations.touching(session, frozen.id)
        raise Denied(
            f"Snapshot {frozen.id[:12]} holds a revoked picture; nothing was trained.",
            hint="picdeed snapshot freezes the dataset without it.",
            decision=decision.id,
            revocation=cause.id if cause else None,
        )
    fallen = revocations.fallen(session, decision.base_id)
    if fallen is not None:
        raise Denied(
            f"Base {decision.base_id[:12]} was revoked ({fallen.ground}); nothing was trained.",
            hint=f"picdeed lineage {fallen.id[:12]} names the revocation.",
            decision=decision.id,
            revocation=fallen.id,
        )


def require_going(session: Session, row: Run) -> None:
    """Raise Denied or NeedsReview when this run may not go on, or what came out not stand."""
    if row.standing != Standing.GOOD:
        cause = revocations.touching(session, row.id)
        raise Denied(
            f"Run {row.id[:12]} is {row.standing}: something it learns from was revoked.",
            hint=f"picdeed lineage {row.id[:12]} shows what it descends from.",
            decision=row.decision_id,
            revocation=cause.id if cause else None,
            run=row.id,
        )
    require_live(session, subjects.require(session, Decision, row.decision_id))
