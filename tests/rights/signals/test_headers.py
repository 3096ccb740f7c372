"""Is every header that reserves heard, in whatever case and shape it was recorded?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.rights.claims import ClaimKind, ClaimStatus, Statement
from picdeed.rights.signals.headers import parse_headers, read_headers

OPT_OUT, RIGHTS = ClaimKind.OPT_OUT, ClaimKind.RIGHTS_STATEMENT
AGENTS = ("GPTBot", "CCBot")


@pytest.fixture
def said(catalogue):
    def said(headers):
        claims = read_headers(headers, catalogue.aliases, AGENTS)
        return sorted((str(c.kind), str(c.status)) for c in claims if c.kind is not RIGHTS)

    return said


DENY, DOUBT = [("opt-out", "parsed")], [("opt-out", "unparsed")]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-robots-tag": "noai"},
        {"X-Robots-Tag": "NoAI"},
        {"X-ROBOTS-TAG": "noindex, noimageai"},
        {"X-Robots-Tag": ["noindex", "noai"]},
        [("X-Robots-Tag", "noindex"), ("x-robots-tag", "noai")],
        {"X-Robots-Tag": "otherbot: noai"},
        {"X-Robots-Tag": "otherbot: noindex, noai"},
        {"X-Robots-Tag": "max-snippet: 20, noai"},
        {"X-Robots-Tag": "unavailable_after: 25 Jun 2030 15:00:00 PST, noai"},
        {"TDM-Reservation": "1"},
        {"tdm-reservation": "1 ", "tdm-policy": "https://example.org/p"},
        [("tdm-reservation", "0"), ("TDM-Reservation", "1")],
        {"Content-Signal": "search=yes, ai-train=no"},
        {"Content-Signal": "ai-train=yes, ai-train=no"},
    ],
)
def test_what_reserves(said, headers):
    assert ("opt-out", "parsed") in said(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Usage": "train-ai=n"},
        {"content-usage": "train-ai=y"},
        {"Link": '<https://example.org/l.xml>; rel="license"; type="application/rsl+xml"'},
        {"X-Robots-Tag": "no-ai"},
        {"X-Robots-Tag": "noaitraining"},
        {"X-Robots-Tag": "GPTBot: noindex"},
        {"X-TDM-Reservation": "1"},
        {"No-AI": "1"},
        {"tdm-policy": "https://example.org/p"},
        {"tdm-reservation": ""},
        {"Content-Signal": "use=immediate"},
    ],
)
def test_what_a_person_must_read(said, headers):
    assert said(headers) == DOUBT


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "image/png", "Server": "x"},
        {"X-Robots-Tag": "noindex, nofollow, noarchive, max-snippet: -1"},
        {"X-Robots-Tag": "googlebot: noindex"},
        {"Link": '<https://example.org/b>; rel="next"'},
        {"Content-Signal": "search=yes"},
    ],
)
def test_what_reserves_nothing(said, headers):
    assert said(headers) == []


def test_no_input_for_machines(said):
    assert said({"Content-Signal": "ai-input=no"}) == [("no-inference", "parsed")]


def test_noindex_is_recorded(catalogue):
    (claim,) = read_headers({"X-Robots-Tag": "noindex"}, catalogue.aliases)
    assert (claim.kind, claim.parsed, claim.raw) == (RIGHTS, None, "noindex")


def test_the_draft_is_named(catalogue):
    (claim,) = read_headers({"Content-Usage": "train-ai=n"}, catalogue.aliases)
    assert claim.parser == "aipref-attach-05"
    assert "train-ai=n" in claim.raw


def test_a_licence_link(catalogue):
    free = {"Link": '<https://creativecommons.org/publicdomain/zero/1.0/>; rel="license"'}
    (claim,) = read_headers(free, catalogue.aliases)
    assert (claim.kind, claim.parsed) == (ClaimKind.LICENSE, "CC0-1.0")
    (claim,) = read_headers({"Link": "<https://a.example/t>; rel=license"}, catalogue.aliases)
    assert (claim.kind, claim.parsed) == (RIGHTS, Statement.UNREAD_TERMS)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"X-Robots-Tag": "noai", "A": "b"}),
        json.dumps({"X-Robots-Tag": ["noindex", "noai"]}),
        json.dumps([["X-Robots-Tag", "noai"]]),
        '{"X-Robots-Tag": "all", "X-Robots-Tag": "noai"}',
        "HTTP/1.1 200 OK\r\nServer: x\r\nX-Robots-Tag: noai\r\n\r\n",
        "x-robots-tag: noindex,\n noai",
        "x-robots-tag:noai",
    ],
)
def test_recorded_headers(said, text):
    assert said(parse_headers(text)) == DENY


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": {"b": 1}}', "no header at all", "[[1, 2]]"])
def test_what_is_no_header(text):
    assert parse_headers(text) is None


@given(st.text(max_size=80))
def test_nothing_raises(text):
    pairs = parse_headers(text)
    if pairs is not None:
        read_headers(pairs, {}, AGENTS)
    read_headers({"x-robots-tag": text, "link": text, "content-signal": text}, {}, AGENTS)
    assert all(c.status in ClaimStatus for c in read_headers({"tdm-reservation": text}, {}))
