"""Are duties united, counted and never lost?"""

from picdeed.rights.duties import Duty, duties_of, unite
from picdeed.rights.terms import Rule, Terms
from picdeed.rights.verdict import Certainty, Subject, Verdict


def duty(license_id, pictures, kind="notice"):
    return Duty(Subject.PICTURES, license_id, kind, "text", pictures)


def test_equal_duties_add_their_pictures_up():
    assert unite([duty("MIT", 2), duty("CC-BY-4.0", 1), duty("MIT", 3)]) == (
        duty("CC-BY-4.0", 1),
        duty("MIT", 5),
    )


def test_a_review_s_duties_are_owed_too_and_a_denial_s_are_not():
    terms = Terms("T", "T", "T", "", {}, duties={"notice": "text", "credit": "more"})
    rule = Rule(Verdict.REVIEW, Certainty.CONTESTED, "T 1", ("notice",))
    kinds = {
        effect: [d.kind for d in duties_of(terms, rule, effect, Subject.BASE, 0)]
        for effect in Verdict
    }
    assert kinds == {
        Verdict.ALLOW: [],
        Verdict.DUTIES: ["notice"],
        Verdict.REVIEW: ["notice"],
        Verdict.DENY: [],
    }


def test_duties_that_nobody_spelled_out_point_at_the_clause():
    rule = Rule(Verdict.DUTIES, Certainty.SETTLED, "T 4(b)")
    (owed,) = duties_of(Terms("T", "T", "T", "", {}), rule, Verdict.DUTIES, Subject.PICTURES, 2)
    assert (owed.kind, owed.text, owed.pictures) == ("clause", "See T 4(b)", 2)
    assert Duty.from_json(owed.as_json()) == owed
