from __future__ import annotations

import html

import pytest

from picdeed.flow import pipeline
from picdeed.rights.claims import ClaimKind
from picdeed.testing import tiny_pictures
from picdeed_ui import data


def only():
    (view,) = data.page_of(None, None, None, None).items
    return view


@pytest.fixture
def picture(opened, tmp_path):
    """register(licence) -> the id of the one picture."""

    def register(license_="CC0-1.0"):
        folder = tiny_pictures(tmp_path / "one", 1, {"license": license_, "author": "Eve"})
        pipeline.register(opened, folder, "one")
        return only().picture.id

    return register


def test_why_names_rules_and_what_was_known(picture, hand):
    app = hand.go("browse", picture=picture("CC-BY-NC-4.0"))
    assert "The rules say" not in hand.said(app)
    hand.field(app, "selectbox", "Use").set_value("sell-outputs")
    text = hand.said(hand.press(app, "Show why"))
    assert "for sell-outputs: CC-BY-NC-4.0" in text
    assert "DENY</span>" in text
    assert "CC-BY-NC-4.0 2(a)(1)" in text
    assert '<th class="">taken back</th>' in text
    assert "Eve" in text


def test_why_as_known_before_it_came(picture, hand):
    app = hand.go("browse", picture=picture())
    hand.field(app, "date_input", "As known on").set_value("2020-01-01")
    text = hand.said(hand.press(app, "Show why"))
    assert "as known on 2020-01-01" in text
    assert "Nothing was on record about it then." in text


def test_a_claim_that_was_taken_back_says_so(opened, picture, hand, hostile):
    one = picture()
    done = pipeline.claim(
        opened, pipeline.rules(), one, {ClaimKind.HOLDER: hostile}, pipeline.Saying("Eve")
    )
    saying = pipeline.Saying("Eve", "mistaken <b>")
    pipeline.claim(opened, pipeline.rules(), one, {}, saying, corrects=done.claims[0])
    text = hand.said(hand.press(hand.go("browse", picture=one), "Show why"))
    assert "mistaken &lt;b&gt;" in text
    assert html.escape(hostile, quote=True) in text
    assert "<img src=x" not in text


def test_a_statement_binds_at_once(picture, hand):
    app = hand.go("browse", picture=picture())
    assert only().conclusion.verdicts["train"] == "ALLOW"
    hand.field(app, "text_input", "Its holder forbids training, as said here").set_value("a letter")
    hand.field(app, "text_input", "Who says so").set_value("Eve")
    hand.field(app, "text_input", "On what ground").set_value("mail")
    app = hand.press(app, "State it")
    assert "1 statement is on record" in app.success[0].value.replace("\\", "")
    assert only().conclusion.verdicts["train"] == "DENY"
    assert "by Eve; mail" in hand.said(app)


def test_words_that_cannot_be_a_licence_record_nothing(picture, hand, hostile):
    app = hand.go("browse", picture=picture())
    before = len(only().claims)
    hand.field(app, "text_input", "Licence").set_value(hostile)
    app = hand.press(app, "State it")
    assert "no licence that picdeed can parse" in app.error[0].value.replace("\\", "")
    assert "**bold**" not in app.error[0].value
    app = hand.press(hand.go("browse", picture=only().picture.id), "State it")
    assert "Nothing was said" in app.error[0].value
    assert len(only().claims) == before


def test_a_side_of_an_or_can_be_elected(picture, hand):
    app = hand.go("browse", picture=picture("MIT OR GPL-2.0-only"))
    assert "leaves a choice" in hand.said(app)
    app = hand.press(app, "MIT")
    assert not app.error
    assert only().conclusion.license == "MIT"
    assert "leaves a choice" not in hand.said(app)


def test_no_choice_no_buttons(picture, hand):
    assert "leaves a choice" not in hand.said(hand.go("browse", picture=picture("CC-BY-4.0")))
