"""Why is this picture judged as it is, and what was known about it on a day?

Answered by the same function that the gate asks, from the claims, contracts, copies and facts
that the ledger dates. The rules themselves are today's: a decision of that day, recorded then
under the rules of that day, is named beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from picdeed.core.moments import moment
from picdeed.flow.standing import claims_of, facts_on, grant_of
from picdeed.registry import claims as claim_rows
from picdeed.registry import (
    decisions,
    grants,
    history,
    revocations,
    similar,
    snapshots,
    subjects,
)
from picdeed.registry.claims import PictureClaim
from picdeed.registry.pictures import Picture, PictureState
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.decide import Question, conclude
from picdeed.rights.judge import judge_group
from picdeed.rights.verdict import Use, by_strictness


@dataclass(frozen=True, slots=True)
class Known:
    """One claim that counted, or that was taken back. `about` is the picture or a copy of it."""

    id: str
    about: str
    kind: str
    said: str
    parsed: str | None
    status: str
    source: str
    note: str
    observed_at: str
    recorded_at: str
    taken_back: str | None


@dataclass(frozen=True, slots=True)
class Why:
    """The verdict on one use with every rule that fired, strictest first, and what it rests on.

    `until` is when time alone may change it. `decisions` are those recorded by then about a
    snapshot that holds the picture. `policy_hash` names the rules that answered: today's.
    """

    picture: str
    use: str
    as_of: str
    profile: str
    commercial: bool
    verdict: str
    license: str
    rule: str
    state: str
    reasons: tuple[dict[str, Any], ...]
    duties: tuple[dict[str, Any], ...]
    claims: tuple[Known, ...]
    copies: tuple[str, ...]
    grants: tuple[dict[str, Any], ...]
    facts: Mapping[str, str]
    until: str | None
    policy_hash: str
    decisions: tuple[dict[str, Any], ...]


def why(
    registry: Registry,
    catalogue: Catalogue,
    picture: str,
    use: Use,
    *,
    as_of: str | None = None,
    profile: str = "conservative",
    commercial: bool = True,
) -> Why:
    """Judge one picture for one use, from what was on record at `as_of` (a day is its end)."""
    now = utc_now()
    at = min(moment(as_of, end_of_day=True), now) if as_of else now
    with registry.read() as session:
        row = subjects.require(session, Picture, picture)
        copies = _copies(session, row.id, at)
        known = _known(session, [row.id, *copies], at)
        contracts = [
            grant_of(one, at, matched=matched)
            for one, matched in grants.covering(session, [row.id]).get(row.id, [])
            if one.recorded_at <= at
        ]
        standing = {
            one: claims_of([claim for claim, back in known[one] if back is None])
            for one in (row.id, *copies)
        }
        found = conclude(
            standing[row.id],
            catalogue,
            copies=[standing[one] for one in copies],
            grants=contracts,
            at=at,
        )
        revoked = _revoked(session, row, at)
        question = Question((use,), profile, commercial, facts_on(session, at))
        judged = judge_group(found.group(revoked=revoked), use, question.reading(catalogue))
        times = history.first_written(
            session, "picture_claims", [(c.id,) for rows in known.values() for c, _ in rows]
        )
        recorded = _decisions(session, row.id, use, at)
    return Why(
        picture=row.id,
        use=str(use),
        as_of=at,
        profile=profile,
        commercial=commercial,
        verdict=str(judged.verdict),
        license=found.license,
        rule=found.rule,
        state=str(PictureState.REVOKED if revoked else PictureState.GOOD),
        reasons=tuple(reason.as_json() for reason in by_strictness(judged.reasons)),
        duties=tuple(duty.as_json() for duty in judged.duties),
        claims=tuple(
            _told(about, claim, back, times.get((claim.id,), claim.observed_at))
            for about, rows in known.items()
            for claim, back in rows
        ),
        copies=tuple(copies),
        grants=tuple(held.as_json() for held in found.held),
        facts=dict(question.facts),
        until=found.until,
        policy_hash=catalogue.policy_hash,
        decisions=recorded,
    )


def _copies(session: Session, picture: str, at: str) -> list[str]:
    """Members of its cluster that were grouped with it by then, as far as they still are."""
    others = similar.same_picture(session, [picture]).get(picture, [])
    homes = similar.clusters_of(session, picture)
    inside = similar.cluster_members(session, homes)
    keys = [(row.cluster_id, row.picture_id) for rows in inside.values() for row in rows]
    times = history.first_written(session, "cluster_members", keys)
    grouped = {picture_id for (_, picture_id), when in times.items() if when <= at}
    return [one for one in others if one != picture and one in grouped]


def _known(
    session: Session, group: list[str], at: str
) -> dict[str, list[tuple[PictureClaim, str | None]]]:
    """Claims recorded by then, each with the reason for which it was taken back by then."""
    rows = claim_rows.of_many(session, group)
    back = claim_rows.corrections(session, group)
    keys = [(row.id,) for claims in rows.values() for row in claims]
    times = history.first_written(session, "picture_claims", keys)
    return {
        one: [
            (
                row,
                back[row.id].because
                if row.id in back and back[row.id].corrected_at <= at
                else None,
            )
            for row in rows.get(one, ())
            if times.get((row.id,), row.observed_at) <= at
        ]
        for one in group
    }


def _revoked(session: Session, row: Picture, at: str) -> bool:
    if row.state == PictureState.GOOD:
        return False
    first = revocations.touching(session, row.id)
    return first is None or first.declared_at <= at


def _decisions(session: Session, picture: str, use: Use, at: str) -> tuple[dict[str, Any], ...]:
    held = [frozen.id for frozen in snapshots.holding(session, [picture])]
    return tuple(
        {
            "decision": row.id,
            "snapshot": row.snapshot_id,
            "verdict": row.verdict,
            "decided_at": row.decided_at,
            "policy_hash": row.policy_hash,
        }
        for frozen in held
        for row in decisions.of_snapshot(session, frozen)
        if row.decided_at <= at and str(use) in row.uses
    )


def _told(about: str, row: PictureClaim, back: str | None, recorded: str) -> Known:
    return Known(
        id=row.id,
        about=about,
        kind=row.kind,
        said=row.raw[:400],
        parsed=row.parsed,
        status=row.status,
        source=row.source,
        note=row.note,
        observed_at=row.observed_at,
        recorded_at=recorded,
        taken_back=back,
    )
