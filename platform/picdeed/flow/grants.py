"""Which contract opens which pictures, for which uses, until when? Nothing without its paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.core.moments import moment
from picdeed.flow.targets import pictures_meant
from picdeed.registry import claims as claim_rows
from picdeed.registry import grants, ledger, subjects
from picdeed.registry.bases import Base
from picdeed.registry.grants import Grant, GrantSubject
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.tables import Table
from picdeed.rights.claims import ClaimKind
from picdeed.rights.verdict import Use, in_order

SURVIVAL = ("yes", "no", "unknown")
TERMS = ("territory", "field-of-use", "audience", "indemnity", "fee", "law", "notice", "limits")
LONGEST = 2_000
_NAMES = (ClaimKind.HOLDER, ClaimKind.AUTHOR, ClaimKind.LICENSOR)


@dataclass(frozen=True, slots=True)
class Contract:
    """What the paper says. `terms` has the keys of TERMS; `authority`: on what the licensor's
    right rests where the claims name somebody else.
    """

    licensor: str
    licensee: str
    actions: tuple[Use, ...]
    evidence: Path
    starts: str | None = None
    ends: str | None = None
    survival: str = "unknown"
    terms: Mapping[str, str] = field(default_factory=dict)
    authority: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class GrantView:
    """A contract as lists show it. `covers` things, of which `unmatched` name another holder."""

    id: str
    licensor: str
    licensee: str
    actions: tuple[str, ...]
    scope: str
    covers: int
    unmatched: int
    starts: str
    ends: str | None
    state: str
    survival: str
    terms: Mapping[str, str]
    authority: str
    evidence_sha256: str
    recorded_by: str
    recorded_at: str
    ended_because: str | None


def grant(registry: Registry, target: str, contract: Contract) -> GrantView:
    """Record a contract over a picture, a dataset's present members, or a base.

    Pictures that join the dataset later are not covered. Raises UsageError on a contract that
    cannot be one; nothing is recorded then. The same contract again is the same grant.
    """
    _check(contract)
    now = utc_now()
    starts = moment(contract.starts) if contract.starts else now
    ends = moment(contract.ends, end_of_day=True) if contract.ends else None
    if ends is not None and ends <= starts:
        raise UsageError(f"It would end ({ends[:10]}) before it begins ({starts[:10]}).")
    with registry.write() as session:
        whole, covered = _covered(session, target)
        matched = _matched(session, covered, contract.licensor)
        strangers = [one for one in covered if not matched[one]]
        if strangers and not contract.authority.strip():
            raise UsageError(
                f"The claims of {len(strangers)} of {len(covered)} pictures do not name "
                f"{contract.licensor} as holder, author or licensor; nothing was recorded.",
                hint="picdeed claims add --holder first, or --authority says on what the right "
                "rests (a person then still has to look: REVIEW).",
            )
        proof = registry.blobs.put_file(contract.evidence)
        identity = grants.grant_id(
            {
                "licensor": contract.licensor,
                "licensee": contract.licensee,
                "actions": [str(use) for use in in_order(contract.actions)],
                "scope": whole,
                "covers": covered,
                "starts": moment(contract.starts) if contract.starts else "recorded",
                "ends": ends,
                "survival": contract.survival,
                "terms": dict(contract.terms),
                "evidence": proof,
            }
        )
        if subjects.find(session, Grant, identity) is None:
            row = Grant(
                id=identity,
                licensor=contract.licensor,
                licensee=contract.licensee,
                authority=contract.authority,
                actions=[str(use) for use in in_order(contract.actions)],
                scope=whole,
                starts=starts,
                ends=ends,
                survival=contract.survival,
                terms=dict(contract.terms),
                evidence_sha256=proof,
                evidence_name=contract.evidence.name[:200],
                recorded_by=contract.by,
                recorded_at=now,
            )
            rows: list[Table] = [row]
            rows += [
                GrantSubject(grant_id=identity, subject_id=one, matched=matched[one])
                for one in covered
            ]
            payload = {"grant": identity, "scope": whole, "covers": len(covered)}
            ledger.write(session, Event.GRANTS_ADDED, payload, rows)
        return _view(session, subjects.require(session, Grant, identity), now)


def end(registry: Registry, identity: str, because: str, *, on: str | None = None) -> GrantView:
    """Record that a contract ends before its term, from a day on (now, without one).

    What descends from it stays as it is: `picdeed revoke` decides that. Raises UsageError.
    """
    if not because.strip():
        raise UsageError("Say why it ends; nothing was changed.", hint="--because TEXT")
    now = utc_now()
    day = moment(on) if on else now
    with registry.write() as session:
        row = subjects.require(session, Grant, identity)
        over = row.end(now)
        if over is not None and over <= min(day, now):
            return _view(session, row, now)  # it is over already: nothing changes
        if day < row.starts:
            raise UsageError(f"It began only on {row.starts[:10]}; nothing was changed.")
        row.ended_on, row.ended_at, row.ended_because = day, now, because[:LONGEST]
        payload = {"grant": row.id, "on": day, "because": row.ended_because}
        ledger.write(session, Event.GRANTS_ENDED, payload, [row])
        return _view(session, row, now)


def list_grants(registry: Registry) -> tuple[GrantView, ...]:
    """Every contract, newest first."""
    now = utc_now()
    with registry.read() as session:
        return tuple(_view(session, row, now) for row in grants.all_grants(session))


def _check(contract: Contract) -> None:
    for what, text in (("licensor", contract.licensor), ("licensee", contract.licensee)):
        if not text.strip() or len(text) > LONGEST:
            raise UsageError(f"A contract names its {what}; nothing was recorded.")
    if not contract.actions:
        raise UsageError("A contract names what it allows; nothing was recorded.", hint="--action")
    if not contract.evidence.is_file():
        raise UsageError(
            f"There is no file {contract.evidence}; nothing was recorded.",
            hint="A grant without its paper opens nothing: name it after --evidence.",
        )
    if contract.survival not in SURVIVAL:
        raise UsageError(
            f"{contract.survival!r} is no answer to whether adapters and outputs outlive the term.",
            hint=f"One of: {', '.join(SURVIVAL)}.",
        )
    unknown = sorted(set(contract.terms) - set(TERMS))
    if unknown or any(len(text) > LONGEST for text in contract.terms.values()):
        raise UsageError(
            f"{', '.join(unknown) or 'a term'} cannot be recorded; nothing was.",
            hint=f"Terms are: {', '.join(TERMS)}.",
        )


def _covered(session: Session, target: str) -> tuple[str, list[str]]:
    whole = subjects.resolve(session, target, {"img", "dat", "bas"})
    if subjects.kind_of(whole) == "bas":
        return subjects.require(session, Base, whole).id, [whole]
    whole, covered = pictures_meant(session, whole)
    if not covered:
        raise UsageError(f"{target} holds no picture; nothing was recorded.")
    return whole, covered


def _matched(session: Session, covered: Sequence[str], licensor: str) -> dict[str, bool]:
    """Whether a thing's claims name the licensor; a base has no claims, its owner is taken."""
    said = claim_rows.in_force(session, [one for one in covered if one.startswith("img_")])
    wanted = _folded(licensor)
    return {
        one: subjects.kind_of(one) == "bas"
        or any(row.kind in _NAMES and _folded(row.raw) == wanted for row in said.get(one, ()))
        for one in covered
    }


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _view(session: Session, row: Grant, now: str) -> GrantView:
    over = row.end(now)
    state = "in force"
    if over is not None and over <= now:
        state = "ended"
    elif row.starts > now:
        state = "not begun"
    return GrantView(
        id=row.id,
        licensor=row.licensor,
        licensee=row.licensee,
        actions=tuple(row.actions),
        scope=row.scope,
        covers=grants.sizes(session).get(row.id, 0),
        unmatched=grants.unmatched(session, row.id),
        starts=row.starts,
        ends=over,
        state=state,
        survival=row.survival,
        terms=row.terms,
        authority=row.authority,
        evidence_sha256=row.evidence_sha256,
        recorded_by=row.recorded_by,
        recorded_at=row.recorded_at,
        ended_because=row.ended_because,
    )
