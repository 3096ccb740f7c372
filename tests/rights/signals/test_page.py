"""Is a reservation in a page's head heard, and a picture's page without one left in peace?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.rights.claims import ClaimKind, ClaimStatus
from picdeed.rights.signals.page import is_page, is_rsl, read_page

AGENTS = ("GPTBot",)


def said(html, aliases=None):
    body = html if isinstance(html, bytes) else html.encode()
    claims = read_page(body, aliases or {}, AGENTS)
    return sorted(
        {(str(c.kind), str(c.status)) for c in claims if c.kind is not ClaimKind.RIGHTS_STATEMENT}
    )


def head(inside):
    return f"<!DOCTYPE html><html><head>{inside}</head><body>picture</body></html>"


@pytest.mark.parametrize(
    "inside",
    [
        '<meta name="robots" content="noai, noimageai">',
        "<META NAME=Robots CONTENT=NoAI>",
        '<meta content="index, noimageai" name="robots"/>',
        '<meta name="gptbot" content="noai">',
        '<meta http-equiv="X-Robots-Tag" content="noai">',
        '<meta name="tdm-reservation" content="1">',
        '<meta name="TDM-Reservation" content="1"><meta name="tdm-policy" content="/p">',
        '<meta name="robots" content="no&#97;i">',
    ],
)
def test_what_reserves(inside):
    assert said(head(inside)) == [("opt-out", "parsed")]
    assert said(head(inside).encode("utf-16")) == [("opt-out", "parsed")]


@pytest.mark.parametrize(
    "inside",
    [
        '<link rel="license" type="application/rsl+xml" href="/l.xml">',
        '<script type="application/rsl+xml"><rsl/></script>',
        '<meta name="tdm-reservation" content="maybe">',
        '<meta name="tdm-reservation" content="">',
        '<meta name="tdm:reservation" content="1">',
        '<meta name="gptbot" content="noindex">',
        '<meta name="content-usage" content="train-ai=n">',
    ],
)
def test_what_a_person_must_read(inside):
    assert said(head(inside)) == [("opt-out", "unparsed")]


@pytest.mark.parametrize(
    "inside",
    [
        "",
        '<meta name="robots" content="noindex, follow">',
        '<meta name="description" content="a robot says noai">',
        '<meta charset="utf-8"><title>noai</title>',
    ],
)
def test_what_reserves_nothing(inside):
    assert said(head(inside)) == []


def test_a_licence_link_is_read(catalogue):
    link = '<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">'
    claims = read_page(head(link).encode(), catalogue.aliases)
    assert [(c.kind, c.parsed) for c in claims] == [(ClaimKind.LICENSE, "CC-BY-4.0")]


def test_what_is_a_page():
    assert is_page(b"x", "text/html; charset=utf-8")
    assert is_page(b"  <!DOCTYPE HTML><html>", "")
    assert not is_page(b"\xff\xd8\xff", "image/jpeg")
    assert is_rsl(b'<?xml version="1.0"?><rsl xmlns="https://rslstandard.org/rsl">', "")


def test_a_page_beyond_the_limit_asks_a_person():
    (claim,) = read_page(b" " * (9 << 20), {})
    assert claim.status is ClaimStatus.UNREADABLE


@given(st.binary(max_size=80) | st.text(alphabet="<!-[]/metaCDATA \"'=>&;#x", max_size=80))
def test_nothing_raises(data):
    read_page(data if isinstance(data, bytes) else data.encode(), {})
