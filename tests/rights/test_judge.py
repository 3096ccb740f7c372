"""Do compound and unknown expressions combine as they should? The rows: test_golden_table.py."""

import pytest

from picdeed.rights.judge import Reading, judge_expression
from picdeed.rights.verdict import Certainty, Use, Verdict

UNKNOWN = ["NOASSERTION", "Zlib", "CC-BY-4.0 WITH Font-exception-2.0", "nonsense", "MIT AND ("]


def reading(catalogue, *, commercial=True):
    return Reading(catalogue, catalogue.profile("conservative"), commercial)


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize("expression", UNKNOWN)
def test_the_unknown_is_denied(catalogue, expression, use):
    for commercial in (True, False):
        judged = judge_expression(expression, use, reading(catalogue, commercial=commercial), 1)
        assert judged.verdict is Verdict.DENY
        assert judged.reasons[0].certainty is Certainty.UNSTATED
        assert judged.reasons[0].rule in ("R0", "R7")


def test_and_is_the_meet_with_every_side_s_reasons_and_duties(catalogue):
    judged = judge_expression("CC-BY-4.0 AND MIT", Use.SHARE_ADAPTER, reading(catalogue), 1)
    assert judged.verdict is Verdict.DUTIES
    assert {reason.license for reason in judged.reasons} == {"CC-BY-4.0", "MIT"}
    assert {duty.kind for duty in judged.duties} == {"attribution", "notice"}
    denied = judge_expression("CC-BY-4.0 AND CC-BY-NC-4.0", Use.TRAIN, reading(catalogue), 1)
    assert denied.verdict is Verdict.DENY


def test_or_waits_for_an_election_unless_its_sides_agree(catalogue):
    agreed = judge_expression("Apache-2.0 OR MIT", Use.SHARE_ADAPTER, reading(catalogue), 1)
    assert agreed.verdict is Verdict.DUTIES
    assert {duty.license for duty in agreed.duties} == {"Apache-2.0", "MIT"}
    open_ = judge_expression("CC-BY-NC-4.0 OR CC0-1.0", Use.TRAIN, reading(catalogue), 1)
    assert open_.verdict is Verdict.REVIEW
    assert "CC0-1.0 gives ALLOW" in open_.reasons[0].clause
    none = judge_expression("CC-BY-NC-4.0 OR Zlib", Use.TRAIN, reading(catalogue), 1)
    assert none.verdict is Verdict.DENY
    # what may not be trained on yet may not be published yet, though both sides allow that
    later = judge_expression("CC0-1.0 OR MIT", Use.SELL_OUTPUTS, reading(catalogue), 1)
    assert later.verdict is Verdict.REVIEW
    assert later.reasons[-1].use is Use.TRAIN
