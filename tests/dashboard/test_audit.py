from __future__ import annotations

from picdeed_ui import data


def check(app, around=""):
    app.text_input[0].set_value(around)
    return app.button[0].click().run()


def test_an_untouched_registry_holds(filled, go, said):
    app = go("audit")
    assert "Not checked yet." in said(app)
    app = check(app)
    assert "holds" in app.success[0].value
    assert not app.error
    assert "not tamper-proof" not in said(app)


def test_damaged_bytes_are_a_problem(filled, go, said):
    victim = data.page_of(None, None, None, None).items[0].picture
    filled.blobs.path(victim.sha256).chmod(0o600)
    filled.blobs.path(victim.sha256).write_bytes(b"other bytes")
    app = check(go("audit"))
    assert "1 problem found" in app.error[0].value
    assert "blob-altered" in said(app)
    assert victim.id in said(app)


def test_an_id_that_nobody_knows(filled, go):
    app = check(go("audit"), "snp_ffff")
    assert "snp" in app.error[0].value
    assert not app.success


def test_around_one_picture(filled, go):
    one = data.page_of(None, None, None, None).items[0].picture
    app = check(go("audit"), one.id)
    assert "around" in app.success[0].value
