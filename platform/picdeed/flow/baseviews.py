"""What is on record about a base: hash, folder, licence and whose word that is, deed, verdicts?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picdeed.flow.basefiles import NO_DEED, deed_of, folder_of, is_own, recorded_of
from picdeed.flow.standing import contracts_over, facts_on, terms_of
from picdeed.registry import bases, revocations, subjects
from picdeed.registry.bases import Base
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.decide import Question, judge_weights
from picdeed.rights.grants import hold
from picdeed.rights.verdict import Use
from picdeed.rights.weights import Fact, Voice


@dataclass(frozen=True, slots=True)
class BaseView:
    """A base. `deed` is None when it has none, and `deed_note` says that in words. `path` is None
    for training from nothing.

    `license_facts`: who says which licence, each with its source. `verdicts`: what the base's own
    terms say to each use, commercially and under `conservative`, before any picture; a gate says
    the rest. `is_there`: its folder exists on this machine; whether its files are unchanged is
    what `audit` checks.
    """

    id: str
    name: str
    license: str
    sha256: str
    path: Path | None
    deed: Mapping[str, Any] | None
    deed_note: str | None
    license_facts: tuple[Mapping[str, Any], ...]
    origin: Mapping[str, str] | None
    verdicts: Mapping[str, str]
    is_there: bool
    added_at: str
    revoked: str | None


def list_models(registry: Registry, catalogue: Catalogue) -> tuple[BaseView, ...]:
    """Every base, by name."""
    with registry.read() as session:
        rows = bases.all_bases(session)
        return tuple(view(registry, session, catalogue, row) for row in rows)


def show_model(registry: Registry, catalogue: Catalogue, text: str) -> BaseView:
    """The base of this name, id or prefix of one; raises UnknownSubject."""
    with registry.read() as session:
        return view(registry, session, catalogue, subjects.require(session, Base, text))


def view(registry: Registry, session: Session, catalogue: Catalogue, row: Base) -> BaseView:
    """A row as it is shown."""
    now = utc_now()
    deed, recorded = deed_of(row), recorded_of(row)
    folder = folder_of(registry, row) if row.path else None
    contracts = [one for one in contracts_over(session, row.id, now) if one.holds(now)]
    question = Question(
        tuple(Use), facts=facts_on(session, now), base_held=hold(contracts, contested=False)
    )
    fallen = revocations.fallen(session, row.id)
    facts = recorded.get("license_facts")
    if facts is None and is_own(row) and deed is not None:
        own = Fact(Voice.DEED, "deed.json", row.license, row.license, "its words")
        facts = [own.as_json()]
    return BaseView(
        id=row.id,
        name=row.name,
        license=row.license,
        sha256=row.sha256,
        path=folder,
        deed=deed,
        deed_note=NO_DEED if deed is None and row.path else None,
        license_facts=tuple(facts or ()),
        origin=recorded.get("origin"),
        verdicts={
            use.value: verdict.value
            for use, verdict in judge_weights(terms_of(catalogue, row), question, catalogue).items()
        },
        is_there=folder is None or folder.is_dir(),
        added_at=row.added_at,
        revoked=fallen.id if fallen else None,
    )
