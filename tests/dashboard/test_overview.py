from __future__ import annotations

import shutil


def test_an_empty_registry_says_where_to_begin(opened, go, said):
    app = go("overview")
    assert "The registry is empty" in said(app)
    assert not app.dataframe


def test_numbers_licences_and_the_next_step(filled, go, said):
    text = said(go("overview"))
    assert "<b>9</b><span>pictures</span>" in text
    assert "CC0-1.0" in text
    assert "NOASSERTION" in text
    assert "Next: freeze a dataset" in text
    assert "ingest.pictures" in text


def test_outputs_are_shown_and_nothing_is_next(filled, go, said, output):
    output("a key", b"bytes")
    assert "Latest outputs" in said(go("overview"))


def test_a_registry_that_went_away_is_an_error_with_a_way_out(filled, go, said):
    go("overview")
    shutil.rmtree(filled.root)
    app = go("overview")
    assert len(app.error) == 1
    assert "picdeed init" in said(app)


def test_no_registry_at_all(tmp_path, monkeypatch, go):
    monkeypatch.setenv("PICDEED_REGISTRY", str(tmp_path / "nowhere"))
    app = go("audit")
    assert "nowhere" in app.error[0].value
