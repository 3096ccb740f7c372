from __future__ import annotations

import html

from picdeed_ui import data
from picdeed_ui.parts.gallery import picture_card


def cards():
    return [picture_card(view) for view in data.page_of(None, None, None, None).items]


def test_without_pictures(opened, go, said):
    assert "No pictures yet." in said(go("browse"))


def test_filters_come_from_the_address(filled, go):
    app = go("browse", verdict="DENY", dataset="tiny")
    assert [one.value for one in app.selectbox] == ["tiny", "DENY", "any"]
    app = go("browse", verdict="nonsense")
    assert [one.value for one in app.selectbox] == ["any", "any", "any"]


def test_a_filter_goes_into_the_address(filled, go):
    app = go("browse")
    app.selectbox[1].select("ALLOW").run()
    assert app.query_params["verdict"] == "ALLOW"
    app.selectbox[1].select("any").run()
    assert "verdict" not in app.query_params


def test_cards_hold_an_address_and_the_verdict(filled):
    found = cards()
    assert len(found) == 9
    assert sorted(card["mark"] for card in found) == ["ALLOW"] * 8 + ["DENY"]
    assert all(card["href"] == f"browse?picture={card['id']}" for card in found)


def test_one_picture_by_a_prefix_of_its_id(filled, go, said):
    denied = next(card for card in cards() if card["mark"] == "DENY")
    app = go("browse", picture=denied["id"][:16])
    text = said(app)
    assert "What may be done with it" in text
    assert "NOASSERTION" in text
    assert "Nobody" in text
    assert "DENY" in text
    assert not app.error


def test_an_unknown_picture(filled, go):
    for wrong in ("img_ffffffffffff", "<b>", "out_00"):
        app = go("browse", picture=wrong)
        assert len(app.error) == 1
        assert "<b>" not in app.error[0].value.replace("\\<", "")


def test_a_hostile_caption_is_only_text(filled, go, said, hostile):
    card = next(card for card in cards() if "onerror" in card["title"])
    text = said(go("browse", picture=card["id"]))
    assert "<img src=x" not in text
    assert html.escape(hostile, quote=True) in text
