"""What does the organisation say about itself, and from when on? Licences may depend on it.

A fact is asserted by a person and dated; a later one with the same name and day corrects it.
The gate reads what is in force on the day that it decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.core.moments import moment
from picdeed.registry import facts, ledger
from picdeed.registry.facts import LicenseeFact
from picdeed.registry.session import Registry, utc_now
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.notices import one_line
from picdeed.rights.terms import Rule

NOBODY = "somebody who gave no name"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST = 200
_MOST_DIGITS = 30


@dataclass(frozen=True, slots=True)
class FactView:
    """One fact. `in_force`: it holds now; `asked_by`: the licences that depend on its name."""

    id: str
    name: str
    value: str
    since: str
    in_force: bool
    evidence: str | None
    recorded_by: str
    recorded_at: str
    asked_by: tuple[str, ...]


def add_fact(
    registry: Registry,
    catalogue: Catalogue,
    name: str,
    value: str,
    since: str,
    *,
    evidence: Path | None = None,
    by: str | None = None,
) -> FactView:
    """Record a fact from a day on; the same said again is the same fact.

    Raises UsageError on a name, value or day that cannot be one; nothing is recorded then.
    """
    asked = asked_facts(catalogue)
    name = _checked_name(name)
    value = _number(name, value) if name in asked else _words(name, value)
    start = moment(since)
    proof = None if evidence is None else registry.blobs.put_file(evidence)
    with registry.write() as session:
        known = facts.last_recorded(session, name, start)
        if known is None or (known.value, known.evidence_sha256) != (value, proof):
            now = utc_now()
            known = LicenseeFact(
                id=facts.fact_id(name, value, start, now),
                name=name,
                value=value,
                since=start,
                evidence_sha256=proof,
                recorded_by=one_line(by or "", _LONGEST) or NOBODY,
                recorded_at=now,
            )
            payload = {"name": name, "value": value, "since": start, "by": known.recorded_by}
            ledger.write(session, Event.FACTS_ADDED, payload, [known])
        identity = known.id
    return next(one for one in list_facts(registry, catalogue) if one.id == identity)


def list_facts(registry: Registry, catalogue: Catalogue) -> tuple[FactView, ...]:
    """Every fact, by name, newest first; corrected ones too."""
    now = utc_now()
    asked = asked_facts(catalogue)
    with registry.read() as session:
        rows = facts.all_facts(session)
    holding: dict[str, str] = {}
    for row in rows:
        if row.since <= now:
            holding.setdefault(row.name, row.id)
    return tuple(
        FactView(
            id=row.id,
            name=row.name,
            value=row.value,
            since=row.since,
            in_force=holding.get(row.name) == row.id,
            evidence=row.evidence_sha256,
            recorded_by=row.recorded_by,
            recorded_at=row.recorded_at,
            asked_by=asked.get(row.name, ()),
        )
        for row in rows
    )


def asked_facts(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """Names of facts on which rules depend, with the licences and bases that ask for them."""
    found: dict[str, set[str]] = {}
    described = {**catalogue.licenses, **{n: b.terms for n, b in catalogue.bases.items()}}
    for name, terms in described.items():
        for rule in (*terms.rules.values(), *terms.non_commercial.values()):
            for asked in _conditions(rule):
                found.setdefault(asked, set()).add(name)
    return {fact: tuple(sorted(names)) for fact, names in sorted(found.items())}


def _conditions(rule: Rule | None) -> Iterator[str]:
    while rule is not None:
        if rule.condition is not None:
            yield rule.condition.fact
        rule = rule.otherwise


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"{one_line(name, 60)!r} is no name of a fact; nothing was recorded.",
            hint="Small letters, digits and hyphens, such as annual-revenue-usd.",
        )
    return name


def _number(name: str, value: str) -> str:
    """Plain digits for what rules compare with a number."""
    try:
        number = Decimal(value.strip())
        if number.is_finite() and number >= 0 and abs(number.adjusted()) < _MOST_DIGITS:
            return format(number.normalize(), "f") if number else "0"
    except InvalidOperation:
        pass
    raise UsageError(
        f"{name} is a number, not {one_line(value, 60)!r}; nothing was recorded.",
        hint="Write plain digits, such as 950000.",
    )


def _words(name: str, value: str) -> str:
    said = one_line(value, _LONGEST)
    if not said or len(value) > _LONGEST:
        raise UsageError(
            f"{name} needs a value of 1 to {_LONGEST} characters; nothing was recorded.",
            hint="Keep the paper itself as --evidence FILE.",
        )
    return said
