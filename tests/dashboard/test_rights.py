from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta

import pytest

from picdeed.flow import pipeline
from picdeed.rights.verdict import Use
from picdeed.testing import tiny_pictures
from picdeed_ui import data

LATER = (datetime.now(UTC) + timedelta(days=9)).date()


@pytest.fixture
def asked(alike, hand):
    """The page after it was asked about sharing an adapter of what is shared alike."""
    return hand.press(hand.go("rights", snapshot=alike, uses="train,share-adapter"), "Ask the gate")


def last():
    return pipeline.list_decisions(data.registry())[0]


def plainly(text):
    return text.replace("\\", "")


def test_without_a_snapshot(opened, hand):
    app = hand.go("rights")
    assert "There is no snapshot yet." in hand.said(app)
    assert not app.button


def test_a_verdict_with_its_clauses_duties_and_what_would_allow_it(asked, hand):
    text = hand.said(asked)
    assert '<span>The gate says</span><span><span class="pd-stamp wait">REVIEW</span>' in text
    assert "CC-BY-SA-4.0 3(b)" in text
    assert "contested" in text
    assert "A contract that allows train, share-adapter for 2 pictures under CC-BY-SA-4.0." in text
    assert "Name the author" in text
    assert "none would be left" in text
    assert last().profile == "conservative"


def test_an_approval_leaves_the_verdict_and_opens_the_run(asked, hand):
    hand.field(asked, "text_input", "Who answers for it").set_value("Eve <b>Example</b>")
    hand.field(asked, "text_input", "Legal basis").set_value("letter, clause 4")
    hand.field(asked, "date_input", "Until").set_value(LATER)
    app = hand.press(asked, "Approve")
    text = hand.said(app)
    assert not app.error
    assert f"Eve &lt;b&gt;Example&lt;/b&gt;, until {LATER}" in text
    assert "REVIEW</span>" in text
    assert last().is_open
    tune = app.switch_page("picdeed_ui/pages/tune.py")
    for key, value in (("uses", "train,share-adapter"), ("snapshot", data.all_snapshots()[0].id)):
        tune.query_params[key] = value
    tune.run()
    assert not next(one for one in tune.button if one.label == "Start the run").disabled


def test_an_approval_names_somebody(asked, hand):
    app = hand.press(asked, "Approve")
    assert "names a person and a legal basis" in plainly(app.error[0].value)
    assert not last().approved


def test_a_closed_gate_leads_here_and_starts_nothing(alike, hand):
    app = hand.press(hand.go("tune", uses="train,share-adapter"), "Ask the gate")
    assert next(one for one in app.button if one.label == "Start the run").disabled
    assert "The gate is closed" in hand.said(app)
    assert [one.label for one in app.get("page_link")] == ["See what would allow it"]


def test_a_template_says_that_no_lawyer_reviewed_it(alike, hand):
    app = hand.go("rights", profile="tdm-eu")
    assert "no lawyer has reviewed" in app.warning[0].value
    app = hand.press(app, "Ask the gate")
    assert last().profile == "tdm-eu"
    assert not hand.go("rights").warning


def test_not_commercial_is_another_question(alike, hand):
    app = hand.press(hand.go("rights"), "Ask the gate")
    assert "The gate says" in hand.said(app)
    hand.field(app, "toggle", "Commercial").set_value(False).run()
    assert "This question was not asked yet." in hand.said(app)
    hand.press(app, "Ask the gate")
    assert [one.commercial for one in pipeline.list_decisions(data.registry())] == [False, True]


def test_the_smallest_set_to_leave_out_is_shown(filled, hand, tmp_path):
    frozen = pipeline.freeze(filled, "tiny", pipeline.Query(all=True)).snapshot
    app = hand.press(hand.go("rights", snapshot=frozen), "Ask the gate")
    text = hand.said(app)
    assert "DENY</span>" in text
    assert "Without 1 picture the gate would open." in text
    assert "Leaving out 1 picture under NOASSERTION." in text
    assert not any(one.label == "Approve" for one in app.button)


def test_a_recorded_decision_by_its_address(opened, alike, hand):
    gated = pipeline.judge(opened, alike, "sprig", [Use.SELL_ADAPTER])
    text = hand.said(hand.go("rights"))
    assert f'href="rights?decision={gated.decision}"' in text
    assert "alive</span>" in text
    text = hand.said(hand.go("rights", decision=gated.decision[:16]))
    assert gated.decision in text
    assert "Ask the gate again to see what would allow it." in text
    assert hand.go("rights", decision="<b>").error


def test_many_decisions_are_capped(opened, alike, hand):
    for n in range(1, 23):
        uses = [use for bit, use in enumerate(Use) if n >> bit & 1]
        pipeline.judge(opened, alike, "sprig", uses)
    text = hand.said(hand.go("rights"))
    assert text.count("rights?decision=") == 20
    assert "The newest 20 of 22." in text


def test_a_hostile_licence_is_only_text(opened, hand, tmp_path, hostile):
    folder = tiny_pictures(tmp_path / "bad", 1, {"license": hostile, "author": hostile})
    pipeline.register(opened, folder, "bad")
    pipeline.freeze(opened, "bad", pipeline.Query(all=True))
    app = hand.press(hand.go("rights"), "Ask the gate")
    assert "<img src=x" not in hand.said(app)
    assert html.escape("NOASSERTION") in hand.said(app)
