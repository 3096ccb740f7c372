from __future__ import annotations

import pytest

from picdeed.testing import tiny_pictures
from picdeed_ui import data


def named(app, label):
    return next(one for one in app.text_input if one.label == label)


def press(app, label):
    return next(one for one in app.button if one.label == label).click().run()


def fill(app, folder, dataset, licence=""):
    named(app, "Folder, archive or file").set_value(str(folder))
    named(app, "Dataset").set_value(dataset)
    named(app, "Licence of all of them (optional)").set_value(licence)
    return app


def test_a_dry_run_writes_nothing_and_register_does(opened, go, said, tmp_path):
    folder = tiny_pictures(tmp_path / "pictures", 3)
    before = data.counts()
    app = press(fill(go("register"), folder, "tiny"), "Dry run")
    assert "3 pictures would be registered in tiny" in said(app)
    assert data.counts() == before
    app = press(app, "Register")
    assert "3 pictures were registered in tiny" in said(app)
    assert data.counts().pictures == 3
    assert "CC0-1.0" in said(app)
    app = press(app, "Register")
    assert "<b>3</b><span>known already</span>" in said(app)


@pytest.mark.parametrize(
    ("folder", "dataset", "why"),
    [
        ("/nowhere/at/all", "tiny", "/nowhere/at/all"),
        ("", "tiny", "No folder was named"),
        ("/nowhere", "", "The dataset has no name"),
        ("/nowhere", "img_0123456789abcdef", "no name for a dataset"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(opened, go, folder, dataset, why):
    before = data.counts()
    app = press(fill(go("register"), folder, dataset), "Register")
    assert len(app.error) == 1
    assert why in app.error[0].value.replace("\\", "")
    assert data.counts() == before


def test_broken_files_are_listed_with_a_reason_under_their_own_names(opened, go, said, tmp_path):
    folder = tiny_pictures(tmp_path / "pictures", 1)
    (folder / "<i>no & picture.png").write_text("words")
    (folder / "empty.jpg").write_bytes(b"")
    app = press(fill(go("register"), folder, "tiny"), "Register")
    text = said(app)
    assert "&lt;i&gt;no &amp; picture.png" in text
    assert "<i>no" not in text
    assert "empty.jpg" in text
    assert "<b>2</b><span>refused</span>" in text


def test_a_licence_that_nobody_can_read_is_kept_and_denied(opened, go, said, tmp_path):
    folder = tiny_pictures(tmp_path / "pictures", 1, {"author": "A"})
    app = press(fill(go("register"), folder, "tiny", "free as in beer"), "Register")
    assert "DENY" in said(app)
    assert data.counts().pictures == 1
