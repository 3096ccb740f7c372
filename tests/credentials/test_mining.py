"""Is every store found, whole, broken or hidden, and does a file without one cost nothing?"""

from __future__ import annotations

import pytest
from credentials.forging import FORMATS, picture

from picdeed.core.limits import Limits
from picdeed.credentials.mining import ABSENT, is_marked, read_store


def labels(store):
    return {
        assertion["label"]
        for manifest in store.report["manifests"].values()
        for assertion in manifest.get("assertions", ())
    }


@pytest.mark.parametrize("form", FORMATS)
def test_a_whole_store(signed, form):
    found = read_store(signed[form], form)
    assert found.present
    assert found.problems == ()  # nobody knows the signer, which is no problem here
    assert "cawg.training-mining" in labels(found)


@pytest.mark.parametrize("form", FORMATS)
def test_a_changed_assertion_is_a_problem_and_still_read(signed, form):
    data = signed[form].replace(b"notAllowed", b"NotAllowed", 1)
    found = read_store(data, form)
    assert "assertion.hashedURI.mismatch" in found.problems
    assert "cawg.training-mining" in labels(found)


@pytest.mark.parametrize("form", FORMATS)
def test_changed_pixels_are_a_problem(signed, form):
    data = bytearray(signed[form])
    data[-40] ^= 1
    assert read_store(bytes(data), form).problems


@pytest.mark.parametrize("form", FORMATS)
def test_a_destroyed_store_is_noticed(signed, form):
    data = signed[form].replace(b"jumdc2pa", b"jumdxxxx")
    found = read_store(data, form)
    assert found.present
    assert found.problems


def test_a_store_that_no_container_leads_to(signed):
    data = signed["image/png"].replace(b"caBX", b"caBx")
    found = read_store(data, "image/png")
    assert found.present
    assert "cawg.training-mining" in labels(found)
    assert found.problems


def test_credentials_that_lie_elsewhere():
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:dcterms="http://purl.org/dc/terms/" '
        b'dcterms:provenance="https://example.org/a.c2pa"/></rdf:RDF></x:xmpmeta>'
    )
    jpeg = picture("image/jpeg")
    content = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    data = jpeg[:2] + b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content + jpeg[2:]
    found = read_store(data, "image/jpeg")
    assert (found.present, found.report) == (True, None)
    assert "elsewhere" in found.problems[0]


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_without_marks_is_not_opened(form, monkeypatch):
    monkeypatch.setattr("picdeed.credentials.mining.c2pa", lambda: pytest.fail("was opened"))
    assert not is_marked(picture(form))
    assert read_store(picture(form), form) == ABSENT


@pytest.mark.parametrize("words", [b"c2pa", b"jumb", b"of uncertain provenance"])
def test_words_alone_are_no_credentials(words):
    assert read_store(picture() + words, "image/png") == ABSENT


@pytest.mark.parametrize("data", [b"", b"c2pa", b"jumb\0\0\0\0jumdc2pa", b"\x89PNG\r\n\x1a\njumb"])
@pytest.mark.parametrize("form", [None, "image/png", "image/jpeg", "image/bmp", "nonsense"])
def test_hostile_bytes_raise_nothing(data, form):
    read_store(data, form)


def test_too_much_is_a_problem(signed):
    found = read_store(signed["image/png"], "image/png", Limits(picture_bytes=100))
    assert (found.present, found.report) == (True, None)
