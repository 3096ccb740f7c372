"""Does `why` name every rule and every claim, as they were known on the day that is asked?"""

import pytest

from picdeed.core.errors import UnknownSubject, UsageError
from picdeed.flow import claims as claiming
from picdeed.flow import pipeline
from picdeed.registry import ledger, pictures
from picdeed.rights.claims import ClaimKind
from picdeed.rights.verdict import Use


@pytest.fixture
def picture(filled):
    with filled.read() as session:
        return pictures.all_ids(session)[0]


def say(registry, picture, kind, text):
    saying = pipeline.Saying(by="Eve")
    return pipeline.claim(registry, pipeline.rules(), picture, {kind: text}, saying)


@pytest.fixture
def later(monkeypatch):
    """What is written from now on is dated 2031."""

    def move(moment="2031-03-03T03:03:03.000000Z"):
        monkeypatch.setattr(claiming, "utc_now", lambda: moment)
        monkeypatch.setattr(ledger, "utc_now", lambda: moment)

    return move


def test_every_rule_and_claim_is_named(filled, picture):
    say(filled, picture, ClaimKind.LICENSE, "CC-BY-SA-4.0")
    found = pipeline.explain(filled, picture, Use.SHARE_ADAPTER)
    assert found.verdict == "REVIEW"
    assert {(r["license"], r["effect"]) for r in found.reasons} >= {
        ("CC-BY-SA-4.0", "REVIEW"),
        ("CC0-1.0", "ALLOW"),
    }
    assert all(reason["clause"] and reason["certainty"] for reason in found.reasons)
    assert {("license", "CC-BY-SA-4.0", "person"), ("license", "CC0-1.0", "item-metadata")} <= {
        (one.kind, one.said, one.source) for one in found.claims
    }


def test_what_was_not_known_then_does_not_count_then(filled, picture, later, monkeypatch):
    later()
    say(filled, picture, ClaimKind.OPT_OUT, "a letter")
    monkeypatch.setattr("picdeed.flow.why.utc_now", lambda: "2032-01-01T00:00:00.000000Z")
    today = pipeline.why(filled, pipeline.rules(), picture, Use.TRAIN)
    assert today.verdict == "DENY"
    before = pipeline.why(filled, pipeline.rules(), picture, Use.TRAIN, as_of="2031-03-02")
    assert before.verdict == "ALLOW"
    assert "opt-out" not in {one.kind for one in before.claims}
    that_day = pipeline.why(filled, pipeline.rules(), picture, Use.TRAIN, as_of="2031-03-03")
    assert that_day.verdict == "DENY"


def test_before_it_was_known_nothing_was_allowed(filled, picture):
    found = pipeline.why(filled, pipeline.rules(), picture, Use.TRAIN, as_of="1999-01-01")
    assert (found.verdict, found.license, found.claims) == ("DENY", "NOASSERTION", ())


def test_a_correction_counts_from_its_day(filled, picture, later, monkeypatch):
    slip = say(filled, picture, ClaimKind.LICENSE, "CC-BY-NC-4.0").claims[0]
    later()
    because = pipeline.Saying(by="Eve", because="wrong picture")
    pipeline.claim(filled, pipeline.rules(), picture, {}, because, corrects=slip)
    monkeypatch.setattr("picdeed.flow.why.utc_now", lambda: "2032-01-01T00:00:00.000000Z")
    assert pipeline.why(filled, pipeline.rules(), picture, Use.TRAIN).verdict == "ALLOW"
    then = pipeline.why(filled, pipeline.rules(), picture, Use.TRAIN, as_of="2031-01-01")
    assert then.verdict == "DENY"


def test_a_day_to_come_is_today(filled, picture):
    found = pipeline.why(filled, pipeline.rules(), picture, Use.TRAIN, as_of="2999-01-01")
    assert found.as_of < "2999"


def test_decisions_of_that_time_stand_beside_it(filled, picture):
    frozen = pipeline.freeze(filled, "drawings").snapshot
    gated = pipeline.judge(filled, frozen, "sprig")
    found = pipeline.explain(filled, picture, Use.TRAIN)
    assert [one["decision"] for one in found.decisions] == [gated.decision]
    assert pipeline.explain(filled, picture, Use.SELL_OUTPUTS).decisions == ()


def test_it_asks_the_same_function_as_the_gate(filled, picture):
    say(filled, "drawings", ClaimKind.LICENSE, "CC-BY-SA-4.0")
    frozen = pipeline.freeze(filled, "drawings", pipeline.Query(all=True)).snapshot
    for use in Use:
        gated = pipeline.judge(filled, frozen, "sprig", [use])
        alone = pipeline.explain(filled, picture, use)
        assert gated.verdict == alone.verdict, use


def test_bad_questions(filled, picture):
    with pytest.raises(UnknownSubject):
        pipeline.explain(filled, "img_" + "0" * 64, Use.TRAIN)
    with pytest.raises(UsageError, match="no date"):
        pipeline.explain(filled, picture, Use.TRAIN, as_of="yesterday")
    with pytest.raises(UsageError, match="no profile"):
        pipeline.explain(filled, picture, Use.TRAIN, profile="kind")
