"""What does a recorded decision say, and does it stand open? Shared by gate, approve and lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from picdeed.core.errors import Denied, NeedsReview
from picdeed.registry import decisions, subjects
from picdeed.registry.decisions import Decision
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.rights.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Gated:
    decision: str
    snapshot: str
    base: str
    uses: tuple[str, ...]
    profile: str
    commercial: bool
    verdict: str
    reasons: tuple[dict[str, Any], ...]
    duties: tuple[dict[str, Any], ...]
    drop: tuple[str, ...]
    drop_total: int
    drop_reason: str | None
    approved: dict[str, str] | None
    valid_until: str
    what_if: tuple[dict[str, Any], ...] | None = None

    @property
    def is_open(self) -> bool:
        """Whether work may go on: the verdict passes, or a person approved this REVIEW."""
        verdict = Verdict(self.verdict)
        return verdict.passes or (verdict is Verdict.REVIEW and self.approved is not None)


def told(session: Session, row: Decision, now: str) -> Gated:
    """A recorded decision as its users see it, with the approval that still holds."""
    passed = decisions.approval(session, row.id, now)
    drop = row.drop if isinstance(row.drop, dict) else {"first": row.drop, "total": len(row.drop)}
    return Gated(
        decision=row.id,
        snapshot=row.snapshot_id,
        base=row.base_id,
        uses=tuple(row.uses),
        profile=row.profile,
        commercial=row.commercial,
        verdict=row.verdict,
        reasons=tuple(row.reasons),
        duties=tuple(row.duties),
        drop=tuple(drop["first"]),
        drop_total=drop["total"],
        drop_reason=row.drop_reason,
        approved=None
        if passed is None
        else {"by": passed.by, "basis": passed.basis, "until": passed.until},
        valid_until=row.valid_until,
    )


def require_open(gated: Gated) -> None:
    """Raise Denied or NeedsReview, with the decision's id, unless the gate stands open."""
    if gated.is_open:
        return
    why = "; ".join(
        f"{reason['license']}: {reason['clause']}"
        for reason in gated.reasons
        if reason["effect"] == gated.verdict
    )
    hint = f"picdeed gate {gated.snapshot[:12]} shows every reason"
    if gated.drop:
        hint += f"; leaving out {gated.drop_total} pictures would lift the verdict"
    error: type[Denied | NeedsReview] = Denied
    if gated.verdict == Verdict.REVIEW:
        error = NeedsReview
        hint += f"; a person may let it pass: picdeed approve {gated.decision[:12]}"
    raise error(
        f"{', '.join(gated.uses)} on {gated.snapshot[:12]} is {gated.verdict} ({why or 'empty'}). "
        "Nothing was trained.",
        hint=hint + ".",
        decision=gated.decision,
    )


def list_decisions(registry: Registry, subject: str | None = None) -> tuple[Gated, ...]:
    """Recorded decisions, newest first: all, one by id, or those about a snapshot or base."""
    with registry.read() as session:
        rows = decisions.all_decisions(session)
        if subject is not None:
            about = subjects.resolve(session, subject, {"dec", "snp", "bas"})
            rows = [row for row in rows if about in (row.id, row.snapshot_id, row.base_id)]
        now = utc_now()
        return tuple(told(session, row, now) for row in rows)
