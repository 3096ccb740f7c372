"""May this base be fine-tuned on this snapshot, for these uses? One recorded decision.

Judged from what is known now, not from what was known when the snapshot was frozen: a later
claim, contract, revocation, fact or rule gives a new decision, and the old one no longer opens
anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from picdeed.core.events import Event
from picdeed.core.ids import hash_json
from picdeed.core.moments import later
from picdeed.flow.decided import Gated, told
from picdeed.flow.standing import contracts_over, facts_on, group_of, terms_of
from picdeed.registry import conclusions, decisions, facts, ledger, rollups, subjects
from picdeed.registry.bases import Base
from picdeed.registry.decisions import Decision
from picdeed.registry.pictures import PictureState
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.snapshots import Snapshot
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.decide import Group, Question, decide
from picdeed.rights.expression import NOASSERTION
from picdeed.rights.grants import hold, next_change
from picdeed.rights.verdict import Use, in_order
from picdeed.rights.what_if import ways

LIFE = timedelta(days=30)
MOST_NAMED = 10_000


@dataclass(frozen=True, slots=True)
class _Case:
    """All that one decision depends on."""

    groups: tuple[Group, ...]
    places: tuple[tuple[str, str], ...]  # (standing, state) of each group
    question: Question
    inputs_hash: str
    until: str


def gate(
    registry: Registry,
    catalogue: Catalogue,
    snapshot: str,
    base: str,
    uses: Sequence[Use] = (Use.TRAIN,),
    *,
    profile: str = "conservative",
    commercial: bool = True,
    what_if: bool = False,
) -> Gated:
    """Decide, and record the decision unless an equal one still holds.

    Bound to (snapshot root, base hash, uses, profile, licence rules, facts and contracts about
    the licensee and the base, the members' present standing) and to its expiry. Conclusions must
    be up to date: pipeline.judge sees to it. `what_if` adds what would have to change.
    """
    with registry.write() as session:
        frozen = subjects.require(session, Snapshot, snapshot)
        model = subjects.require(session, Base, base)
        now = utc_now()
        asked = Question(in_order(uses), profile, commercial)
        case = _case(session, frozen, model, asked, now)
        terms = terms_of(catalogue, model)
        earlier = decisions.with_inputs(session, case.inputs_hash, catalogue.policy_hash)
        if earlier and earlier[0].valid_until > now:
            row = earlier[0]
        else:
            found = decide(case.groups, terms, case.question, catalogue)
            row = Decision(
                id=decisions.decision_id(case.inputs_hash, catalogue.policy_hash, len(earlier)),
                snapshot_id=frozen.id,
                base_id=model.id,
                uses=[str(use) for use in asked.uses],
                profile=profile,
                commercial=commercial,
                verdict=str(found.verdict),
                reasons=[reason.as_json() for reason in found.reasons],
                duties=[duty.as_json() for duty in found.duties],
                drop=_dropped(session, frozen.id, case, found.drop),
                drop_reason=found.drop_reason,
                inputs_hash=case.inputs_hash,
                policy_hash=catalogue.policy_hash,
                decided_at=now,
                valid_until=case.until,
            )
            payload = {"decision": row.id, "snapshot": frozen.id, "verdict": row.verdict}
            ledger.write(session, Event.GATE_DECIDED, payload, [row])
        told_ = told(session, row, now)
        if not what_if:
            return told_
        open_ways = ways(case.groups, terms, case.question, catalogue)
        return replace(told_, what_if=tuple(way.as_json() for way in open_ways))


def _case(session: Session, frozen: Snapshot, model: Base, asked: Question, now: str) -> _Case:
    known = rollups.counts(session, frozen.id)
    answers = conclusions.standings(session, {one for one, _, _ in known.pictures if one})
    contracts = contracts_over(session, model.id, now)
    question = replace(
        asked,
        facts=facts_on(session, now),
        base_held=hold([one for one in contracts if one.holds(now)], contested=False),
    )
    moments = [
        later(now, LIFE),
        next_change(contracts, now),
        facts.next_change(session, now),
        *(answer.until for answer in answers.values()),
    ]
    inputs = {
        "snapshot": frozen.root,
        "base": [model.sha256, model.license],
        "question": asdict(question),
        "members": known.digest,
    }
    return _Case(
        groups=tuple(
            group_of(answers[standing], size, revoked=state != PictureState.GOOD)
            if standing
            else Group(NOASSERTION, size=size)  # not concluded yet: nothing is known of it
            for standing, state, size in known.pictures
        ),
        places=tuple((standing, state) for standing, state, _ in known.pictures),
        question=question,
        inputs_hash=hash_json(inputs),
        until=min(moment for moment in moments if moment),
    )


def _dropped(session: Session, snapshot: str, case: _Case, drop: Sequence[int]) -> Any:
    """Ids of the pictures in these groups; of very many only the first, and their number."""
    total = sum(case.groups[place].size for place in drop)
    places = [case.places[place] for place in drop]
    first = rollups.standing_as(session, snapshot, places, MOST_NAMED) if drop else []
    return first if total <= MOST_NAMED else {"first": first, "total": total}
