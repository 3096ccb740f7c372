from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from picdeed.flow import pipeline
from picdeed.rights.verdict import Use
from picdeed_ui import data

PAPER = ("letter.txt", b"You may train.", "text/plain")
SOON = (datetime.now(UTC) + timedelta(days=40)).date()


@pytest.fixture
def fill(hand):
    def run(app, licensor="Eve", paper=PAPER, **more):
        hand.field(app, "text_input", "Licensor").set_value(licensor)
        hand.field(app, "text_input", "Licensee").set_value("Our Studio")
        hand.field(app, "multiselect", "Allows").set_value(["train", "share-adapter"])
        if paper:
            app.get("file_uploader")[0].set_value(paper)
        for label, value in more.items():
            hand.field(app, "text_input", label).set_value(value)
        return app

    return run


def test_no_contract_yet(opened, hand):
    app = hand.go("contracts")
    assert "No contract is on record yet." in hand.said(app)
    assert not any(one.label == "End it" for one in app.button)


def test_a_contract_opens_what_the_licence_leaves_closed(opened, alike, hand, fill):
    uses = [Use.TRAIN, Use.SHARE_ADAPTER]
    assert pipeline.judge(opened, alike, "sprig", uses).verdict == "REVIEW"
    app = fill(hand.go("contracts"))
    hand.field(app, "date_input", "Until").set_value(SOON)
    app = hand.press(app, "Record the contract")
    assert not app.error
    assert "covers 2 things" in app.success[0].value.replace("\\", "")
    text = hand.said(app)
    assert "in force</span>" in text
    assert "2 in alike" in text
    assert str(SOON) in text
    (kept,) = pipeline.list_grants(opened)
    assert (kept.actions, kept.unmatched) == (("train", "share-adapter"), 0)
    assert opened.blobs.read(kept.evidence_sha256) == PAPER[1]
    assert not list((opened.cache / "dropped").iterdir())
    assert pipeline.judge(opened, alike, "sprig", uses).verdict == "DUTIES"


def test_without_its_paper_nothing_is_recorded(opened, alike, hand, fill):
    app = hand.press(fill(hand.go("contracts"), paper=None), "Record the contract")
    assert "contract itself is missing" in app.error[0].value
    assert not pipeline.list_grants(opened)


def test_a_licensor_whom_nobody_names(opened, alike, hand, fill, hostile):
    app = hand.press(fill(hand.go("contracts"), licensor=hostile), "Record the contract")
    assert "do not name" in app.error[0].value
    assert "**bold**" not in app.error[0].value
    assert not pipeline.list_grants(opened)
    said_so = {"On what the licensor's right rests (optional)": "assignment of 2 May"}
    app = hand.press(fill(app, licensor=hostile, **said_so), "Record the contract")
    assert not app.error
    text = hand.said(app)
    assert "Unmatched" in text
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text
    assert "<b>" not in app.success[0].value


def test_one_picture_or_the_base(opened, alike, hand, fill):
    picture = data.page_of(None, None, None, None).items[0].picture.id
    app = hand.field(hand.go("contracts", picture=picture), "radio", "It is about")
    app = app.set_value("One picture").run()
    assert hand.field(app, "text_input", "Picture").value == picture
    app = hand.press(fill(app), "Record the contract")
    app = hand.field(app, "radio", "It is about").set_value("A base").run()
    app = hand.press(fill(app, licensor="The base's owner"), "Record the contract")
    assert not app.error
    assert {one.scope[:4] for one in pipeline.list_grants(opened)} == {"img_", "bas_"}


def test_ending_one_takes_a_reason(opened, alike, hand, fill):
    app = hand.press(fill(hand.go("contracts")), "Record the contract")
    app = hand.press(app, "End it")
    assert "Say why it ends" in app.error[0].value
    assert pipeline.list_grants(opened)[0].state == "in force"
    hand.field(app, "text_input", "Because").set_value("terminated")
    app = hand.press(app, "End it")
    assert not app.error
    assert pipeline.list_grants(opened)[0].state == "ended"
    assert "ended</span>" in hand.said(app)
    assert [one.label for one in app.get("page_link")] == ["See what descends from it"]
    assert not any(one.label == "End it" for one in app.button)
