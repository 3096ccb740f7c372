from __future__ import annotations

import pytest
from starlette.requests import Request

from picdeed_ui import data, serving


def ask(handler, digest):
    return handler(Request({"type": "http", "path_params": {"digest": digest}}))


@pytest.fixture
def picture(filled):
    return data.page_of(None, None, None, None).items[0].picture


def test_a_thumbnail_and_the_file_itself(filled, picture):
    answered = ask(serving.thumb, picture.sha256)
    assert (answered.status_code, answered.media_type) == (200, "image/webp")
    answered = ask(serving.file, picture.sha256)
    assert answered.body == filled.blobs.read(picture.sha256)
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answered.headers["content-security-policy"]


def test_an_emptied_cache_fills_again(filled, picture):
    path = filled.thumbnail(picture.sha256)
    before = path.read_bytes()
    path.unlink()
    assert ask(serving.thumb, picture.sha256).body == before
    assert path.is_file()


def test_only_pictures_of_the_registry_are_served(filled):
    secret = filled.blobs.put(b"a contract, kept as evidence")
    for digest in (secret, "0" * 64, "../../keys/ledger.pem", ""):
        assert ask(serving.file, digest).status_code == 404
        assert ask(serving.thumb, digest).status_code == 404


def test_bytes_that_are_gone_or_damaged(filled, picture):
    filled.thumbnail(picture.sha256).unlink()
    path = filled.blobs.path(picture.sha256)
    path.chmod(0o600)
    path.write_bytes(b"other")
    assert ask(serving.thumb, picture.sha256).status_code == 404
    path.unlink()
    assert ask(serving.file, picture.sha256).status_code == 404
