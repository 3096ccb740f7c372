"""May a rule that nobody is sure of allow anything?"""

import itertools

import pytest

from picdeed.rights.terms import MISSING, Profile, Rule, Terms
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
