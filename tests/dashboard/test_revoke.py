from __future__ import annotations

import io

import pytest

from picdeed.testing import tiny_picture
from picdeed_ui import data


def signed():
    stream = io.BytesIO()
    tiny_picture(1).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def victim(filled):
    return data.page_of(None, "ALLOW", None, None).items[0].picture


def state_of(identity):
    return data.one_picture(identity).picture.state


def test_nothing_is_asked_yet(filled, hand):
    app = hand.go("revoke")
    assert "Nothing was asked yet." in hand.said(app)
    assert hand.button(app, "Show what falls").disabled


def test_a_simulation_changes_nothing(victim, hand):
    app = hand.press(hand.go("revoke", target=victim.id), "Show what falls")
    text = hand.said(app)
    assert not app.error
    assert '<td class="whole">pictures</td>' in text
    assert "revoked</span>" in text
    assert hand.button(app, "Revoke").disabled
    assert state_of(victim.id) == "good"


def test_only_the_typed_id_opens_the_button(victim, hand):
    app = hand.press(hand.go("revoke", target=victim.id), "Show what falls")
    field = hand.field(app, "text_input", "Confirm")
    app = field.set_value("img_0000").run()
    assert hand.button(app, "Revoke").disabled
    field = hand.field(app, "text_input", "Confirm")
    app = field.set_value(victim.id[:12]).run()
    app = hand.press(app, "Revoke")
    assert not app.error
    assert state_of(victim.id) == "revoked"
    text = hand.said(app)
    assert "is revoked" in app.success[0].value
    assert "What to do next" in text
    assert "rev_" in text
    app = app.switch_page("picdeed_ui/pages/browse.py")
    app.query_params["picture"] = victim.id
    assert "revoked</span>" in hand.said(app.run())


def test_another_target_needs_another_look(victim, hand):
    app = hand.press(hand.go("revoke", target=victim.id), "Show what falls")
    hand.field(app, "text_input", "Id").set_value("dat_").run()
    assert "What falls" not in hand.said(app)
    assert not any(one.label == "Revoke" for one in app.button)


def test_outputs_that_fall_with_their_base(filled, hand, output):
    made = output("a key", signed())
    app = (
        hand.field(hand.go("revoke"), "selectbox", "What is to be revoked").set_value("Base").run()
    )
    app = hand.press(app, "Show what falls")
    assert "suspended</span>" in hand.said(app)
    assert data.one_output(made).state == "good"
    typed = hand.field(app, "text_input", "Confirm")
    app = typed.set_value(data.all_bases()[0].id[:12]).run()
    app = hand.press(app, "Revoke")
    assert data.one_output(made).state == "suspended"
    assert "Stop handing out" in hand.said(app)


def test_a_dataset_and_a_licence_can_be_picked(filled, hand):
    for kind, all_of_it in (("Dataset", 9), ("Licence", 8)):
        app = (
            hand.field(hand.go("revoke"), "selectbox", "What is to be revoked")
            .set_value(kind)
            .run()
        )
        if kind == "Licence":
            hand.field(app, "selectbox", "Licence").set_value("CC0-1.0").run()
        app = hand.press(app, "Show what falls")
        assert not app.error
        assert f'<td class="n">{all_of_it}</td>' in hand.said(app)


def test_what_nobody_knows(filled, hand, hostile):
    app = hand.press(hand.go("revoke", target=hostile), "Show what falls")
    assert len(app.error) == 1
    assert "**bold**" not in app.error[0].value
    assert not any(one.label == "Revoke" for one in app.button)
