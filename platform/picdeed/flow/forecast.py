"""Which adapters lose a use, and when? The verdicts of each day to come, from what is known today.

Nothing is judged here: rights.conclude and rights.decide are asked about other moments. A contract
whose survival clause says yes does not end for an adapter, and a source that was asked long ago
says nothing about what was learned before: neither takes a use away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from picdeed.flow.standing import claims_of, grant_of, group_of, terms_of
from picdeed.registry import (
    claims,
    conclusions,
    facts,
    grants,
    pictures,
    runs,
    similar,
    snapshots,
    subjects,
)
from picdeed.registry.bases import Base
from picdeed.registry.pictures import PictureState
from picdeed.registry.runs import Run, Standing
from picdeed.registry.session import Session
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.claims import Claim, ClaimKind
from picdeed.rights.decide import Group, Question, conclude, decide
from picdeed.rights.expression import NOASSERTION
from picdeed.rights.grants import Grant, hold
from picdeed.rights.verdict import Use

ADAPTER_USES = tuple(use for use in Use if use is not Use.TRAIN)
SURVIVES = "yes"
_TIMED = frozenset({ClaimKind.CHECKED, ClaimKind.WAIVER})


@dataclass(frozen=True, slots=True)
class Loss:
    """From `when` on an adapter may not be used so any more, unless a person lets it pass."""

    adapter: str
    when: str
    uses: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class _Dated:
    """One picture under contract: what conclude needs to judge it at any moment."""

    claims: tuple[Claim, ...]
    copies: tuple[tuple[Claim, ...], ...]
    grants: tuple[Grant, ...]
    revoked: bool


@dataclass(frozen=True, slots=True)
class _Case:
    """All that an adapter's verdicts depend on: pictures without and with dates, and its base."""

    still: tuple[Group, ...]
    dated: tuple[_Dated, ...]
    base: Base
    base_grants: tuple[Grant, ...]

    def moments(self) -> set[str]:
        """When a contract begins or ends."""
        held = [*self.base_grants, *(grant for one in self.dated for grant in one.grants)]
        return {when for grant in held for when in (grant.starts, grant.ends) if when is not None}


def losses(
    session: Session, catalogue: Catalogue, *, since: str, until: str, known_at: str
) -> list[Loss]:
    """Uses that good adapters lose in (`since`, `until`], as far as was known at `known_at`.

    Commercial and conservative, as everywhere where nobody asked otherwise.
    """
    found: list[Loss] = []
    known: dict[tuple[str, str], list[tuple[str, tuple[str, ...], str]]] = {}
    for adapter in runs.all_adapters(session):
        if adapter.state != Standing.GOOD:
            continue
        run = subjects.require(session, Run, adapter.run_id)
        key = (run.snapshot_id, run.base_id)
        if key not in known:
            case = _case(session, *key, known_at)
            known[key] = _lost(
                session, catalogue, case, since=since, until=until, known_at=known_at
            )
        found += [Loss(adapter.id, when, uses, why) for when, uses, why in known[key]]
    return found


def _case(session: Session, snapshot: str, base: str, known_at: str) -> _Case:
    ids = [member.picture_id for member in snapshots.members(session, snapshot)]
    rows = pictures.by_ids(session, ids)
    standing = conclusions.conclusions(session, ids)
    covering = grants.covering(session, ids)
    copies = similar.same_picture(session, covering)
    said = claims.in_force(
        session, {*covering, *(one for group in copies.values() for one in group)}
    )
    still: Counter[tuple[str, bool]] = Counter()
    dated = []
    for name in ids:
        revoked = name not in rows or rows[name].state != PictureState.GOOD
        if name in covering:
            others = [one for one in copies.get(name, ()) if one != name]
            dated.append(
                _Dated(
                    _untimed(said.get(name, ())),
                    tuple(_untimed(said.get(one, ())) for one in others),
                    _contracts(covering[name], known_at),
                    revoked,
                )
            )
        else:
            answer = standing.get(name)
            still[answer.standing_id if answer else "", revoked] += 1
    answers = conclusions.standings(session, {one for one, _ in still if one})
    groups = [
        group_of(answers[one], n, revoked=revoked)
        if one
        else Group(NOASSERTION, revoked=revoked, size=n)
        for (one, revoked), n in sorted(still.items())
    ]
    model = subjects.require(session, Base, base)
    about_base = grants.covering(session, [base]).get(base, ())
    contracts = _contracts([(row, True) for row, _ in about_base], known_at)
    return _Case(tuple(groups), tuple(dated), model, contracts)


def _untimed(rows: Sequence[claims.PictureClaim]) -> tuple[Claim, ...]:
    return tuple(claim for claim in claims_of(rows) if claim.kind not in _TIMED)


def _contracts(covering: Iterable[tuple[grants.Grant, bool]], known_at: str) -> tuple[Grant, ...]:
    found = []
    for row, matched in covering:
        grant = grant_of(row, known_at, matched=matched)
        found.append(replace(grant, ends=None) if row.survival == SURVIVES else grant)
    return tuple(found)


def _lost(
    session: Session, catalogue: Catalogue, case: _Case, *, since: str, until: str, known_at: str
) -> list[tuple[str, tuple[str, ...], str]]:
    """(when, uses, why) of every loss, oldest first."""
    moments = case.moments() | {row.since for row in facts.all_facts(session)}
    found = []
    before = _verdicts(session, catalogue, case, since, known_at)
    for when in sorted(moment for moment in moments if since < moment <= until):
        after = _verdicts(session, catalogue, case, when, known_at)
        gone = [use for use in ADAPTER_USES if not before[use] and after[use]]
        if gone:
            why = "; ".join(dict.fromkeys(after[use] for use in gone))
            found.append((when, tuple(str(use) for use in gone), why))
        before = after
    return found


def _verdicts(
    session: Session, catalogue: Catalogue, case: _Case, at: str, known_at: str
) -> Mapping[Use, str]:
    """Why each use does not pass at this moment; "" where it does."""
    groups: Counter[Group] = Counter()
    for one in case.dated:
        found = conclude(one.claims, catalogue, copies=one.copies, grants=one.grants, at=at)
        groups[found.group(0, revoked=one.revoked)] += 1
    together = [*case.still, *(replace(group, size=n) for group, n in groups.items())]
    asked = Question(
        ADAPTER_USES,
        facts=tuple(sorted(facts.known_on(session, at, recorded_until=known_at).items())),
        base_held=hold([one for one in case.base_grants if one.holds(at)], contested=False),
    )
    terms = terms_of(catalogue, case.base)
    verdicts: dict[Use, str] = {}
    for use in ADAPTER_USES:
        decision = decide(together, terms, replace(asked, uses=(use,)), catalogue)
        why = "" if decision.verdict.passes else decision.reasons[0].clause
        verdicts[use] = why and f"{decision.verdict}: {why}"
    return verdicts
