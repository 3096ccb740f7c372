from __future__ import annotations

import html
import io

import pytest

from picdeed.testing import tiny_picture


@pytest.fixture
def unsigned() -> bytes:
    stream = io.BytesIO()
    tiny_picture(1).save(stream, "PNG")
    return stream.getvalue()


def test_nothing_drawn_yet_but_the_base_can(opened, go, said):
    app = go("outputs")
    assert "Nothing was drawn yet." in said(app)
    assert app.selectbox[0].options == ["sprig alone"]


def test_an_empty_prompt_draws_nothing(opened, go):
    app = go("outputs")
    app.text_input[0].set_value("   ")
    app.button[0].click().run()
    assert "prompt is empty" in app.error[0].value


def test_an_unknown_output(opened, go):
    assert len(go("outputs", output="out_ffff").error) == 1


def test_a_held_output_is_not_shown(opened, go, said, output):
    text = said(go("outputs", output=output("a key")))
    assert "held back" in text
    assert '<div class="pd-mount">' not in text


def test_a_picture_without_credential_says_so_calmly(go, said, output, unsigned, hostile):
    text = said(go("outputs", output=output(hostile, unsigned)))
    assert '<span class="pd-stamp none">none</span>' in text
    assert html.escape(hostile, quote=True) in text
    assert "<img src=x" not in text


def test_a_picture_whose_bytes_are_gone(opened, go, said, output, unsigned):
    identity = output("a key", unsigned)
    for path in (opened.root / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    app = go("outputs", output=identity)
    assert "unreadable" in said(app)


def test_what_the_base_can_paint_is_told(opened, go, said):
    app = go("outputs")
    (told,) = [one for one in app.expander if one.label.startswith("What sprig can paint")]
    assert "sunflower" in said(app)
    assert len(told.children) >= 1
