from __future__ import annotations

import sys

import pytest

from picdeed.core.events import Event
from picdeed.flow import inside, pipeline
from picdeed.registry import bases, ledger
from picdeed_ui.looking import _answer

BUTTONS = (
    "Add noise",
    "Remove the noise",
    "Guide from 1 to 8",
    "Draw by each",
    "Read along",
    "Unpack",
)


@pytest.fixture
def few(hand):
    """The page with as few steps as it lets one ask for."""

    def run():
        app = hand.go("inside")
        hand.field(app, "number_input", "Steps").set_value(2)
        hand.field(app, "multiselect", "Samplers").set_value(["ddim", "euler-a"])
        hand.field(app, "multiselect", "Numbers of steps").set_value([4])
        app.run()
        return app

    return run


def plates(app) -> list[str]:
    bodies = [one.proto.body for one in app.get("html")]
    return [body for body in bodies if body.startswith('<div class="pd-plates')]


def test_nothing_is_drawn_before_it_is_asked_for(opened, go, said):
    app = go("inside")
    assert not plates(app)
    base = inside.embedded(opened)
    assert f"{base.size / 1e6:.0f} MB, taught {len(base.things)} things" in said(app)
    assert [one.label for one in app.button] == list(BUTTONS)
    assert app.selectbox[0].options == list(base.things)
    assert f"“{base.prompt(base.things[0], behind='blue')}”" in said(app)


def test_every_section_shows_what_it_promises(opened, few, hand, said):
    app = few()
    counts = []
    for label in BUTTONS:
        before = "".join(plates(app)).count("<img")
        app = hand.press(app, label)
        counts.append("".join(plates(app)).count("<img") - before)
    # noise: as it is + 11; two steps twice + the picture; 8 guidances; 2 x 1;
    # the picture, 5 words and 3 marks; 8 channels twice, drawn, unpacked
    assert counts == [12, 5, 8, 2, 9, 18]
    text = said(app)
    for word in ("on", "blue", "background", "padding"):
        assert f"<b>{word}</b>" in text
    assert text.count("s of CPU time") == len(BUTTONS)
    assert "nothing of the picture is left" in text
    assert "49,152 numbers of the picture in 2,048, 8 channels of 16 x 16" in text


def test_an_answer_holds_only_for_its_question(opened, few, hand, said):
    app = hand.press(few(), "Read along")
    assert len(plates(app)) == 2
    hand.field(app, "number_input", "Seed").set_value(5)
    assert not plates(app.run())
    hand.field(app, "number_input", "Seed").set_value(11)
    assert len(plates(app.run())) == 2, "what was seen before is shown again"


def test_the_same_question_is_answered_once(opened, few, hand):
    _answer.cache_clear()
    app = hand.press(few(), "Unpack")
    app = hand.press(app, "Unpack")
    assert _answer.cache_info().misses == 1


def test_ones_own_words_are_drawn_and_shown_as_they_are(opened, few, hand, said, hostile):
    app = few()
    hand.field(app, "text_input", "Or your own words").set_value(f"{hostile} q")
    app = hand.press(app.run(), "Read along")
    assert "<img src=x" not in said(app)
    assert "&lt;" in "".join(plates(app))


def test_a_deed_with_tints_and_places_is_asked_about_them(opened, go, hand, said):
    with opened.write() as session:
        row = bases.by_name(session, "sprig")
        row.deed = {
            **row.deed,
            "concepts": ["crescent moon", "cat"],
            "colours": ["red", "orange"],
            "tints": ["orange"],
            "places": ["on a beach"],
        }
        ledger.write(session, Event.INIT_BASE, {"base": row.id}, [row])
    app = go("inside")
    assert "taught 2 things, 2 colours and 1 place, and" in said(app)
    assert "“crescent moon”" in said(app)
    hand.field(app, "selectbox", "Its colour").set_value("orange")
    hand.field(app, "selectbox", "Behind it").set_value("on a beach")
    assert "“orange crescent moon on a beach”" in said(app.run())
    hand.field(app, "selectbox", "Its colour").set_value("")
    hand.field(app, "selectbox", "Behind it").set_value("orange")
    assert "“crescent moon on an orange background”" in said(app.run())


def test_samplers_and_steps_are_needed(opened, few, hand, said):
    app = few()
    hand.field(app, "multiselect", "Samplers").set_value([])
    app = app.run()
    assert "Choose at least one of each." in said(app)
    assert "Draw by each" not in [one.label for one in app.button]


def test_without_torch_it_says_what_to_install(opened, go, said, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    app = go("inside")
    assert "picdeed\\[train\\]" in app.error[0].value
    assert not app.button


def test_a_revoked_base_is_not_looked_into(opened, go):
    base = inside.embedded(opened).id
    pipeline.withdraw(opened, base, pipeline.Ground.TAKEDOWN)
    app = go("inside")
    assert "revoked" in app.error[0].value
    assert not app.button
