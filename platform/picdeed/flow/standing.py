"""How do the registry's rows become the facts that rights judges? Shared by the stages."""

from __future__ import annotations

from collections.abc import Sequence

from picdeed.registry import facts, grants
from picdeed.registry.claims import PictureClaim
from picdeed.registry.conclusions import Standing
from picdeed.registry.session import Session
from picdeed.rights.claims import Claim
from picdeed.rights.decide import Group
from picdeed.rights.grants import Grant, Held
from picdeed.rights.verdict import Reason, Use


def claims_of(rows: Sequence[PictureClaim]) -> list[Claim]:
    """Claims as rights knows them."""
    return [
        Claim.from_json(
            {
                "source": row.source,
                "kind": row.kind,
                "raw": row.raw,
                "parsed": row.parsed,
                "status": row.status,
                "parser": row.parser,
                "note": row.note,
                "observed_at": row.observed_at,
            }
        )
        for row in rows
    ]


def grant_of(row: grants.Grant, now: str, *, matched: bool) -> Grant:
    """A contract as it stands for one thing that it covers, as known at a moment."""
    return Grant(
        id=row.id,
        licensor=row.licensor,
        actions=tuple(Use(use) for use in row.actions),
        starts=row.starts,
        ends=row.end(now),
        recorded_at=row.recorded_at,
        matched=matched,
        terms="; ".join(f"{name}: {text}" for name, text in sorted(row.terms.items()) if text),
    )


def group_of(row: Standing, size: int = 1, *, revoked: bool = False) -> Group:
    """Pictures that stand as this answer says."""
    return Group(
        row.license,
        row.opt_out,
        revoked,
        size,
        tuple(Reason.from_json(finding) for finding in row.findings),
        tuple(Held.from_json(held) for held in row.grants),
        row.checked,
    )


def facts_on(session: Session, now: str) -> tuple[tuple[str, str], ...]:
    """What is on record about the licensee, as rights reads it."""
    return tuple(sorted(facts.known_on(session, now).items()))
