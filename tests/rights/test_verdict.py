"""Is the lattice a lattice, and are uses read or refused?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.core.errors import UsageError
from picdeed.rights.verdict import (
    Certainty,
    Reason,
    Subject,
    Use,
    Verdict,
    meet,
    parse_uses,
)

verdicts = st.sampled_from(list(Verdict))


@given(verdicts, verdicts, verdicts)
def test_meet_is_associative_commutative_idempotent(a, b, c):
    assert meet(a, meet(b, c)) is meet(meet(a, b), c) is meet(a, b, c)
    assert meet(a, b) is meet(b, a)
    assert meet(a, a) is a


@given(verdicts)
def test_allow_is_the_identity_and_deny_swallows(a):
    assert meet() is Verdict.ALLOW
    assert meet(a, Verdict.ALLOW) is a
    assert meet(a, Verdict.DENY) is Verdict.DENY


def test_order_is_by_strictness_not_by_alphabet():
    assert meet(Verdict.DUTIES, Verdict.DENY) is Verdict.DENY  # DENY < DUTIES as strings
    assert meet(Verdict.REVIEW, Verdict.DUTIES) is Verdict.REVIEW
    assert [v for v in Verdict if v.passes] == [Verdict.ALLOW, Verdict.DUTIES]


def test_uses_come_once_in_one_order():
    assert parse_uses(" sell-adapter,train,sell-adapter ") == (Use.TRAIN, Use.SELL_ADAPTER)


@pytest.mark.parametrize("text", ["", ",", "Train", "train,everything", "share_adapter"])
def test_other_words_are_no_uses(text):
    with pytest.raises(UsageError) as caught:
        parse_uses(text)
    assert "sell-outputs" in caught.value.hint


def test_a_reason_survives_json():
    reason = Reason(
        Subject.BASE, "MIT", Use.TRAIN, Verdict.DENY, Certainty.UNSTATED, "clause", 3, "R1"
    )
    assert Reason.from_json(reason.as_json()) == reason
    assert reason.as_json()["effect"] == "DENY"
