"""May a rule that nobody is sure of allow anything?"""

import itertools

import pytest

from picdeed.rights.terms import MISSING, Condition, Profile, Rule, Terms
from picdeed.rights.verdict import Certainty, Use, Verdict, meet

CONSERVATIVE = Profile("conservative", "", reviewed_by_lawyer=False)
A, D, R, X = Verdict


@pytest.mark.parametrize(("effect", "certainty"), itertools.product(Verdict, Certainty))
def test_only_a_settled_rule_yields_allow(effect, certainty):
    for profile in (CONSERVATIVE, Profile("p", "", reviewed_by_lawyer=False, contested=R)):
        said = profile.effect(Rule(effect, certainty, "c"))
        assert (said is A) == (effect is A and certainty is Certainty.SETTLED)


@pytest.mark.parametrize(
    ("effect", "certainty", "said"),
    [
        (D, Certainty.CONTESTED, D),
        (A, Certainty.CONTESTED, R),
        (X, Certainty.CONTESTED, X),
        (A, Certainty.UNSTATED, R),
        (D, Certainty.UNSTATED, R),
        (X, Certainty.UNSTATED, X),
    ],
)
def test_unsure_cells(effect, certainty, said):
    assert CONSERVATIVE.effect(Rule(effect, certainty, "c")) is said


@pytest.mark.parametrize("effect", Verdict)
def test_a_profile_moves_contested_cells_only(effect):
    profile = Profile("p", "", reviewed_by_lawyer=False, contested=R)
    assert profile.effect(Rule(effect, Certainty.CONTESTED, "c")) is R
    assert profile.effect(Rule(effect, Certainty.SETTLED, "c")) is effect
    assert profile.effect(Rule(effect, Certainty.UNSTATED, "c")) is meet(effect, R)


def test_a_missing_rule_denies_and_non_commercial_falls_back():
    allow = Rule(A, Certainty.SETTLED, "c")
    terms = Terms("T", "T", "T", "", {Use.TRAIN: MISSING}, {Use.TRAIN: allow})
    assert terms.rule(Use.TRAIN, commercial=True) is MISSING
    assert terms.rule(Use.TRAIN, commercial=False) is allow
    assert terms.rule(Use.SELL_OUTPUTS, commercial=False) is MISSING
    assert CONSERVATIVE.effect(MISSING) is X


FACT = "annual-revenue-usd"
DATED = Rule(
    D,
    Certainty.SETTLED,
    "III",
    ("notice",),
    Condition(FACT, 1_000_000),
    Rule(X, Certainty.SETTLED, "III: the licence ends"),
)


@pytest.mark.parametrize("value", [999_999, 999_999.99, "999999", "0", 0, -5, "9.99e5"])
def test_a_condition_that_is_met_leaves_the_rule(value):
    assert DATED.under({FACT: value}) is DATED


@pytest.mark.parametrize("value", [1_000_000, 1_000_001, "1000000", "1e6", 10**30])
def test_a_condition_that_is_not_met_gives_the_otherwise(value):
    assert DATED.under({FACT: value}) is DATED.otherwise


@pytest.mark.parametrize(
    "facts",
    [{}, {"revenue": 5}, *({FACT: v} for v in ("", "little", "1,000", "nan", "inf", "-inf"))],
)
def test_an_unknown_fact_asks_a_person_and_says_which(facts):
    said = DATED.under(facts)
    assert (said.effect, said.certainty, said.duties) == (R, Certainty.UNSTATED, ("notice",))
    assert f"picdeed facts add {FACT}" in said.clause
    assert CONSERVATIVE.effect(said) is R


def test_a_fact_never_makes_a_denial_milder():
    no = Rule(X, Certainty.SETTLED, "c", (), Condition(FACT, 5), Rule(X, Certainty.SETTLED, "o"))
    assert {no.under(facts).effect for facts in ({}, {FACT: 1}, {FACT: 9})} == {X}


def test_a_rule_without_a_condition_is_itself_and_without_an_otherwise_denies():
    plain = Rule(A, Certainty.SETTLED, "c")
    assert plain.under({}) is plain
    half = Rule(A, Certainty.SETTLED, "c", (), Condition(FACT, 5))
    assert half.under({FACT: 5}) is MISSING
