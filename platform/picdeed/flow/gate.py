"""May this base be fine-tuned on this snapshot, for these uses? One recorded decision.

Judged from what is known now, not from what was known when the snapshot was frozen: a later
claim, revocation or rule gives a new decision, and the old one no longer opens anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from picdeed.core.errors import Denied, NeedsReview
from picdeed.core.events import Event
from picdeed.core.ids import hash_json
from picdeed.registry import claims as claim_rows
from picdeed.registry import decisions, ledger, pictures, snapshots, subjects
from picdeed.registry.bases import Base
from picdeed.registry.decisions import Decision
from picdeed.registry.pictures import PictureState
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.snapshots import Snapshot
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.decide import Group, decide, findings
from picdeed.rights.verdict import Reason, Use, Verdict, in_order

LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Gated:
    decision: str
    snapshot: str
    base: str
    uses: tuple[str, ...]
    verdict: str
    reasons: tuple[dict[str, Any], ...]
    duties: tuple[dict[str, Any], ...]
    drop: tuple[str, ...]
    drop_reason: str | None
    approved: None
    valid_until: str


def gate(
    registry: Registry,
    catalogue: Catalogue,
    snapshot: str,
    base: str,
    uses: Sequence[Use] = (Use.TRAIN,),
    *,
    profile: str = "conservative",
    commercial: bool = True,
) -> Gated:
    """Decide, and record the decision unless an equal one still holds.

    Bound to (snapshot root, base hash, uses, profile, licence rules, the members' present
    standing) and to its expiry. Conclusions must be up to date: pipeline.judge sees to it.
    """
    with registry.write() as session:
        frozen = subjects.require(session, Snapshot, snapshot)
        model = subjects.require(session, Base, base)
        wanted = in_order(uses)
        groups = _groups(session, frozen.id)
        inputs_hash = hash_json(
            {
                "snapshot": frozen.root,
                "base": [model.sha256, model.license],
                "uses": [str(use) for use in wanted],
                "profile": profile,
                "commercial": commercial,
                "groups": [_group_json(group) for group in groups],
            }
        )
        now = utc_now()
        earlier = decisions.with_inputs(session, inputs_hash, catalogue.policy_hash)
        if earlier and earlier[0].valid_until > now:
            return told(earlier[0])
        found = decide(
            groups,
            catalogue.base(model.name),
            wanted,
            catalogue,
            profile=profile,
            commercial=commercial,
        )
        row = Decision(
            id=decisions.decision_id(inputs_hash, catalogue.policy_hash, len(earlier)),
            snapshot_id=frozen.id,
            base_id=model.id,
            uses=[str(use) for use in wanted],
            profile=profile,
            commercial=commercial,
            verdict=str(found.verdict),
            reasons=[reason.as_json() for reason in found.reasons],
            duties=[duty.as_json() for duty in found.duties],
            drop=list(found.drop),
            drop_reason=found.drop_reason,
            inputs_hash=inputs_hash,
            policy_hash=catalogue.policy_hash,
            decided_at=now,
            valid_until=_after(now, LIFE),
        )
        payload = {"decision": row.id, "snapshot": frozen.id, "verdict": row.verdict}
        ledger.write(session, Event.GATE_DECIDED, payload, [row])
        return told(row)


def _after(now: str, life: timedelta) -> str:
    until = datetime.fromisoformat(now) + life
    return until.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _groups(session: Session, snapshot: str) -> list[Group]:
    """Members by what is known of them now; few groups however many pictures."""
    ids = [member.picture_id for member in snapshots.members(session, snapshot)]
    rows = pictures.by_ids(session, ids)
    parts: dict[str, tuple[Group, list[str]]] = {}
    for picture, found in sorted(claim_rows.conclusions(session, ids).items()):
        revoked = rows[picture].state != PictureState.GOOD
        key = hash_json([found.license, found.opt_out, revoked, found.reasons])
        if key not in parts:
            marks = findings(Reason.from_json(row) for row in found.reasons)
            parts[key] = (Group(found.license, found.opt_out, revoked, (), marks), [])
        parts[key][1].append(picture)
    return [replace(group, pictures=tuple(ids)) for group, ids in parts.values()]


def _group_json(group: Group) -> list[Any]:
    marks = [mark.as_json() for mark in group.findings]
    return [group.license, group.opt_out, group.revoked, marks, list(group.pictures)]


def told(row: Decision) -> Gated:
    """A recorded decision as its users see it."""
    return Gated(
        decision=row.id,
        snapshot=row.snapshot_id,
        base=row.base_id,
        uses=tuple(row.uses),
        verdict=row.verdict,
        reasons=tuple(row.reasons),
        duties=tuple(row.duties),
        drop=tuple(row.drop),
        drop_reason=row.drop_reason,
        approved=None,
        valid_until=row.valid_until,
    )


def require_open(gated: Gated) -> None:
    """Raise Denied or NeedsReview, with the decision's id, unless the gate stands open."""
    verdict = Verdict(gated.verdict)
    if verdict in (Verdict.ALLOW, Verdict.DUTIES):
        return
    why = "; ".join(
        f"{reason['license']}: {reason['clause']}"
        for reason in gated.reasons
        if reason["effect"] == gated.verdict
    )
    hint = f"picdeed gate {gated.snapshot[:12]} shows every reason"
    if gated.drop:
        hint += f"; leaving out {len(gated.drop)} pictures would lift the verdict"
    error = Denied if verdict is Verdict.DENY else NeedsReview
    raise error(
        f"{', '.join(gated.uses)} on {gated.snapshot[:12]} is {gated.verdict} ({why or 'empty'}). "
        "Nothing was trained.",
        hint=hint + ".",
        decision=gated.decision,
    )
