"""How do the registry's rows become the facts that rights judges? Shared by the stages."""

from __future__ import annotations

from collections.abc import Sequence

from picdeed.flow.basefiles import is_own
from picdeed.registry import facts, grants
from picdeed.registry.bases import Base
from picdeed.registry.claims import PictureClaim
from picdeed.registry.conclusions import Standing
from picdeed.registry.session import Session
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.claims import Claim
from picdeed.rights.decide import Group
from picdeed.rights.grants import Grant, Held
from picdeed.rights.terms import BaseTerms
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


def contracts_over(session: Session, base: str, now: str) -> list[Grant]:
    """Contracts about a base (a whole id), in force or not, as known at a moment."""
    covering = grants.covering(session, [base]).get(base, [])
    return [grant_of(row, now, matched=True) for row, _ in covering]


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


def terms_of(catalogue: Catalogue, base: Base) -> BaseTerms:
    """Under which terms a base comes: those of the licence on record, whatever it is called.

    Only what comes with picdeed may have a file of its own, which words the duties of that one
    base; a user may call anything "sprig" or "sdxl".
    """
    own = catalogue.bases.get(base.name) if is_own(base) else None
    if own is not None and own.license == base.license:
        return own
    return catalogue.under(base.license)


def facts_on(session: Session, now: str) -> tuple[tuple[str, str], ...]:
    """What is on record about the licensee, as rights reads it."""
    return tuple(sorted(facts.known_on(session, now).items()))
