"""Are facts dated, checked and correctable, and does the same said twice stay one?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from picdeed.core.errors import UsageError
from picdeed.flow import pipeline
from picdeed.flow.facts import NOBODY, add_fact, asked_facts, list_facts
from picdeed.registry import facts, ledger
from picdeed.registry.session import Registry, utc_now
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.terms import Condition, Rule
from picdeed.rights.verdict import Certainty, Use, Verdict

REVENUE = "annual-revenue-usd"


def asking(known: Catalogue, fact: str = REVENUE) -> Catalogue:
    """The shipped rules, with one licence that depends on a fact."""
    last = Rule(Verdict.DUTIES, Certainty.SETTLED, "b", condition=Condition("second-fact", 5))
    first = Rule(
        Verdict.DUTIES, Certainty.SETTLED, "a", condition=Condition(fact, 1e6), otherwise=last
    )
    changed = replace(known.licenses["MIT"], rules=MappingProxyType({Use.TRAIN: first}))
    return replace(known, licenses=MappingProxyType({**known.licenses, "MIT": changed}))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return asking(pipeline.rules())


def in_force(registry: Registry, at: str) -> dict[str, str]:
    with registry.read() as session:
        return facts.known_on(session, at, recorded_until="9999")


def test_the_names_that_rules_ask_for_are_found_in_every_branch(catalogue: Catalogue) -> None:
    asked = asked_facts(catalogue)
    assert "MIT" in asked[REVENUE]
    assert asked["second-fact"] == ("MIT",)


@pytest.mark.parametrize(
    ("said", "kept"),
    [("950000", "950000"), (" 1e6 ", "1000000"), ("0", "0"), ("-0", "0"), ("1200.50", "1200.5")],
)
def test_numbers_are_kept_as_plain_digits(
    registry: Registry, catalogue: Catalogue, said: str, kept: str
) -> None:
    done = add_fact(registry, catalogue, REVENUE, said, "2026-01-01", by="A. Clerk")
    assert (done.value, done.in_force, done.recorded_by) == (kept, True, "A. Clerk")
    assert done.since == "2026-01-01T00:00:00.000000Z"
    assert in_force(registry, utc_now()) == {REVENUE: kept}


@pytest.mark.parametrize(
    "said", ["", "many", "nan", "inf", "-1", "1e300", "1e-300", "1,200", "0x9"]
)
def test_what_is_no_number_is_refused(registry: Registry, catalogue: Catalogue, said: str) -> None:
    with pytest.raises(UsageError, match=REVENUE):
        add_fact(registry, catalogue, REVENUE, said, "2026-01-01")
    assert list_facts(registry, catalogue) == ()


@pytest.mark.parametrize("name", ["", "Revenue", "a b", "-a", "a--b", "x" * 201, "a\n", "é"])
def test_a_name_that_cannot_be_one_is_refused(
    registry: Registry, catalogue: Catalogue, name: str
) -> None:
    with pytest.raises(UsageError):
        add_fact(registry, catalogue, name, "1", "2026-01-01")


@pytest.mark.parametrize("since", ["", "soon", "2026-13-01", "31.12.2026"])
def test_a_day_that_cannot_be_one_is_refused(
    registry: Registry, catalogue: Catalogue, since: str
) -> None:
    with pytest.raises(UsageError, match="no date"):
        add_fact(registry, catalogue, REVENUE, "1", since)


def test_free_facts_are_words_on_one_line(registry: Registry, catalogue: Catalogue) -> None:
    done = add_fact(registry, catalogue, "organisation-type", " a\nstudio\u202e ", "2026-01-01")
    assert (done.value, done.asked_by, done.recorded_by) == ("a studio\\u202e", (), NOBODY)
    for value in ("", "\n", "x" * 201):
        with pytest.raises(UsageError):
            add_fact(registry, catalogue, "organisation-type", value, "2026-01-01")


def test_a_fact_of_tomorrow_takes_effect_tomorrow(registry: Registry, catalogue: Catalogue) -> None:
    add_fact(registry, catalogue, REVENUE, "900000", "2026-01-01")
    later = add_fact(registry, catalogue, REVENUE, "1200000", "2126-03-03T09:00:00+02:00")
    assert (later.in_force, later.since) == (False, "2126-03-03T07:00:00.000000Z")
    assert in_force(registry, "2126-03-03T06:59:59.999999Z") == {REVENUE: "900000"}
    assert in_force(registry, later.since) == {REVENUE: "1200000"}
    with registry.read() as session:
        assert facts.next_change(session, utc_now()) == later.since
        assert facts.next_change(session, later.since) is None


def test_said_again_is_no_second_fact_and_another_value_corrects(
    registry: Registry, catalogue: Catalogue, tmp_path: Path
) -> None:
    proof = tmp_path / "accounts.pdf"
    proof.write_bytes(b"accounts")
    first = add_fact(registry, catalogue, REVENUE, "1", "2026-01-01", evidence=proof)
    with registry.read() as session:
        before = ledger.last_event(session)
    assert add_fact(registry, catalogue, REVENUE, "1.0", "2026-01-01", evidence=proof) == first
    with registry.read() as session:
        assert ledger.last_event(session) == before
    assert registry.blobs.read(first.evidence or "") == b"accounts"
    second = add_fact(registry, catalogue, REVENUE, "2", "2026-01-01")
    third = add_fact(registry, catalogue, REVENUE, "1", "2026-01-01", evidence=proof)
    assert len({first.id, second.id, third.id}) == 3
    listed = list_facts(registry, catalogue)
    assert [one.id for one in listed] == [third.id, second.id, first.id]
    assert [one.in_force for one in listed] == [True, False, False]
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok


def test_the_past_is_judged_by_what_was_on_record_then(
    registry: Registry, catalogue: Catalogue
) -> None:
    done = add_fact(registry, catalogue, REVENUE, "1", "2020-01-01")
    with registry.read() as session:
        assert facts.known_on(session, "2021-01-01") == {}
        assert facts.known_on(session, done.recorded_at) == {REVENUE: "1"}
