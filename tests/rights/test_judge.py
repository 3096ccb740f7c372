"""Does each licence say what the decision table says? Golden rows, cell by cell.

A allow, D duties, R review, X deny; ~ contested. Columns are Use's order: train, share-adapter,
sell-adapter, publish-outputs, sell-outputs.
"""

import pytest

from picdeed.rights.judge import Reading, judge_expression
from picdeed.rights.verdict import Certainty, Use, Verdict

COMMERCIAL = {
    "CC0-1.0": "A A A A A",
    "CC-PDM-1.0": "D D D A A",
    "CC-BY-2.0": "D D~ D~ D~ D~",
    "CC-BY-2.5": "D D~ D~ D~ D~",
    "CC-BY-3.0": "D D~ D~ D~ D~",
    "CC-BY-4.0": "D D~ D~ D~ D~",
    "CC-BY-SA-3.0": "D R~ R~ R~ R~",
    "CC-BY-SA-4.0": "D R~ R~ R~ R~",
    "CC-BY-NC-3.0": "X X X X~ X~",
    "CC-BY-NC-4.0": "X X X X~ X~",
    "CC-BY-ND-3.0": "R~ X~ X~ R~ R~",
    "CC-BY-ND-4.0": "D~ X~ X~ R~ R~",
    "CC-BY-NC-SA-3.0": "X X X X~ X~",
    "CC-BY-NC-SA-4.0": "X X X X~ X~",
    "CC-BY-NC-ND-4.0": "X X~ X X~ X~",
    "MIT": "D D D A A",
    "BSD-2-Clause": "D D D A A",
    "BSD-3-Clause": "D D D A A",
    "Apache-2.0": "D D D A A",
    "GPL-2.0-only": "D R~ R~ R~ R~",
    "GPL-2.0-or-later": "D R~ R~ R~ R~",
    "GPL-3.0-only": "D R~ R~ R~ R~",
    "GPL-3.0-or-later": "D R~ R~ R~ R~",
    "OFL-1.1": "D~ R~ R~ A A",
}
NON_COMMERCIAL = COMMERCIAL | {
    "CC-BY-NC-3.0": "D D~ X X~ X~",
    "CC-BY-NC-4.0": "D D~ X X~ X~",
    "CC-BY-NC-SA-3.0": "D R~ X X~ X~",
    "CC-BY-NC-SA-4.0": "D R~ X X~ X~",
    "CC-BY-NC-ND-4.0": "D~ X~ X X~ X~",
}
UNKNOWN = ["NOASSERTION", "Zlib", "CC-BY-4.0 WITH Font-exception-2.0", "nonsense", "MIT AND ("]
LETTER = {"A": Verdict.ALLOW, "D": Verdict.DUTIES, "R": Verdict.REVIEW, "X": Verdict.DENY}


def reading(catalogue, *, commercial=True):
    return Reading(catalogue, catalogue.profile("conservative"), commercial)


def test_the_table_names_every_licence(catalogue):
    assert set(COMMERCIAL) == set(catalogue.licenses)


@pytest.mark.parametrize("commercial", [True, False])
@pytest.mark.parametrize("license_id", COMMERCIAL)
def test_a_row_of_the_decision_table(catalogue, license_id, commercial):
    row = (COMMERCIAL if commercial else NON_COMMERCIAL)[license_id].split()
    for use, cell in zip(Use, row, strict=True):
        judged = judge_expression(license_id, use, reading(catalogue, commercial=commercial), 7)
        assert judged.verdict is LETTER[cell[0]], (license_id, use)
        own = next(reason for reason in judged.reasons if reason.use is use)
        assert (own.certainty is Certainty.CONTESTED) == cell.endswith("~"), (license_id, use)
        assert own.pictures == 7
        assert own.license == license_id


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
