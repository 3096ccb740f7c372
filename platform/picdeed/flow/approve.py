"""Who lets one REVIEW pass, on which legal basis, until when? The verdict stays REVIEW."""

from __future__ import annotations

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.core.moments import moment
from picdeed.flow.decided import Gated, told
from picdeed.registry import decisions, ledger, subjects
from picdeed.registry.decisions import Approval, Decision
from picdeed.registry.session import Registry, utc_now
from picdeed.rights.verdict import Verdict

LONGEST = 2_000


def approve(registry: Registry, decision: str, *, by: str, basis: str, until: str) -> Gated:
    """Record that a person answers for a REVIEW until a day.

    Raises UsageError for any other verdict (a prohibition is not a matter of approval), for a
    decision that has expired, and without a name, a basis or a day to come.
    """
    if not by.strip() or not basis.strip() or len(by) + len(basis) > LONGEST:
        raise UsageError(
            "An approval names a person and a legal basis; nothing was recorded.",
            hint='--by "Eve Example" --basis "licence of 3 May, clause 4" --until 2027-03-01',
        )
    day = moment(until, end_of_day=True)
    now = utc_now()
    if day <= now:
        raise UsageError(f"{until} has passed; nothing was recorded.")
    with registry.write() as session:
        row = subjects.require(session, Decision, decision)
        if row.verdict != Verdict.REVIEW:
            raise UsageError(
                f"Decision {row.id[:12]} says {row.verdict}: only a REVIEW can be approved. "
                "Nothing was recorded.",
                hint="picdeed gate --what-if shows what would lift it.",
            )
        if row.valid_until <= now:
            raise UsageError(
                f"Decision {row.id[:12]} expired on {row.valid_until[:10]}; nothing was recorded.",
                hint="picdeed gate decides again.",
            )
        known = decisions.approval(session, row.id, now)
        if known is None or (known.by, known.basis, known.until) != (by, basis, day):
            new = Approval(decision_id=row.id, recorded_at=now, by=by, basis=basis, until=day)
            payload = {"decision": row.id, "by": by, "until": day}
            ledger.write(session, Event.APPROVE_RECORDED, payload, [new])
        return told(session, row, now)
