from __future__ import annotations

from picdeed.flow import pipeline
from picdeed.testing import tiny_pictures
from picdeed_ui import data


def press(app, label):
    return next(one for one in app.button if one.label == label).click().run()


def button(app, label):
    return next((one for one in app.button if one.label == label), None)


def test_nothing_to_learn_from(opened, go, said):
    app = go("tune")
    assert "nothing to learn from" in said(app)
    assert not app.button


def test_nothing_starts_before_the_gate_was_asked(filled, go, said):
    app = go("tune")
    assert "There is no snapshot yet." in said(app)
    app = press(app, "Make a snapshot")
    assert "8 pictures are frozen" in app.success[0].value
    assert "1 stopped by their licence" in app.success[0].value
    assert button(app, "Start the run") is None
    app = press(app, "Ask the gate")
    assert "ALLOW" in said(app) or "DUTIES" in said(app)
    assert not button(app, "Start the run").disabled
    assert data.counts().runs == 0


def test_an_answer_holds_only_for_the_question_that_was_asked(filled, go):
    app = press(press(go("tune"), "Make a snapshot"), "Ask the gate")
    assert button(app, "Start the run") is not None
    app.multiselect[0].set_value(["train", "sell-adapter"]).run()
    assert button(app, "Start the run") is None


def test_a_closed_gate_starts_nothing(opened, go, said, tmp_path):
    folder = tiny_pictures(tmp_path / "pictures", 2, {"license": "CC-BY-SA-4.0", "author": "A"})
    pipeline.register(opened, folder, "alike")
    query = pipeline.Query(all=True)
    tiny_pictures(tmp_path / "more", 2, {"author": "A"}, first=5)
    pipeline.register(opened, tmp_path / "more", "alike")
    pipeline.freeze(opened, "alike", query)
    app = press(go("tune"), "Ask the gate")
    assert "DENY" in said(app)
    assert button(app, "Start the run").disabled
    assert "would open" in app.warning[0].value


def test_nobody_left(opened, go, tmp_path):
    pipeline.register(opened, tiny_pictures(tmp_path / "p", 1, {"author": "A"}), "none")
    app = press(go("tune"), "Make a snapshot")
    assert "Nobody is left" in app.error[0].value
