"""Is a TDM reservation read wherever the protocol lets it stand?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.rights.claims import ClaimKind, ClaimSource, ClaimStatus
from picdeed.rights.signals.tdmrep import read_tdmrep, reservation_claims

OPT_OUT, OPT_IN = ClaimKind.OPT_OUT, ClaimKind.OPT_IN
PARSED, UNPARSED, UNREADABLE = ClaimStatus.PARSED, ClaimStatus.UNPARSED, ClaimStatus.UNREADABLE
URL = "https://example.org/art/a.jpg?size=1#top"


@pytest.mark.parametrize(
    ("reservation", "policy", "expected"),
    [
        ("1", "", [(OPT_OUT, PARSED)]),
        (" 1 ", "https://example.org/p.json", [(OPT_OUT, PARSED)]),
        ('"1"', "", [(OPT_OUT, PARSED)]),
        ("0, 1", "", [(OPT_OUT, PARSED)]),
        ("0", "", [(OPT_IN, PARSED)]),
        ("0", "https://example.org/p.json", [(OPT_IN, PARSED)]),
        ("true", "", [(OPT_OUT, UNPARSED)]),
        ("2", "", [(OPT_OUT, UNPARSED)]),
        ("0, yes", "", [(OPT_OUT, UNPARSED)]),
        ("", "", [(OPT_OUT, UNPARSED)]),
        (" ", "", [(OPT_OUT, UNPARSED)]),
        (None, "https://example.org/p.json", [(OPT_OUT, UNPARSED)]),
        (None, None, []),
    ],
)
def test_values(reservation, policy, expected):
    claims = reservation_claims(reservation, policy, ClaimSource.HTTP)
    assert [(c.kind, c.status) for c in claims] == expected
    assert all((policy or "") in c.raw for c in claims)


def rule(location, reservation, **more):
    return {"location": location, "tdm-reservation": reservation, **more}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule("/", 1)], [(OPT_OUT, PARSED)]),
        ([rule("/art/*", "1")], [(OPT_OUT, PARSED)]),
        ([rule("art", 1)], [(OPT_OUT, PARSED)]),
        ([rule("/*.jpg", 1)], [(OPT_OUT, PARSED)]),
        ([rule("/*.jpg?size=1$", 1)], [(OPT_OUT, PARSED)]),
        ([rule("/*.jpg$", 1)], []),
        ([rule("/art/a.jpg$", 1)], []),
        ([rule("/other/", 1)], []),
        ([rule("/", 0)], [(OPT_IN, PARSED)]),
        ([rule("/art/", 0), rule("/", 1)], [(OPT_IN, PARSED), (OPT_OUT, UNPARSED)]),
        ([rule("/", 1), rule("/art/", 0)], [(OPT_OUT, PARSED), (OPT_IN, PARSED)]),
        ([rule("/", "yes")], [(OPT_OUT, UNPARSED)]),
        ([rule("/", True)], [(OPT_OUT, UNPARSED)]),
        ([rule("/", None)], [(OPT_OUT, UNPARSED)]),
        ([{"location": "/"}], [(OPT_OUT, UNPARSED)]),
        ([{"tdm-reservation": 1}], [(OPT_OUT, UNPARSED)]),
        (["/"], [(OPT_OUT, UNPARSED)]),
        ({"Location": "/", "TDM-Reservation": 1}, [(OPT_OUT, PARSED)]),
        ([], []),
        (None, [(OPT_OUT, UNREADABLE)]),
        ("no", [(OPT_OUT, UNREADABLE)]),
    ],
)
def test_rules_by_path(rules, expected):
    assert [(c.kind, c.status) for c in read_tdmrep(json.dumps(rules), URL)] == expected


@pytest.mark.parametrize("text", ["", "<html>", "[" * 100_000, '{"location": '])
def test_what_is_no_json_asks_a_person(text):
    (claim,) = read_tdmrep(text, URL)
    assert claim.status is UNREADABLE


def test_many_stars_are_no_trap():
    location = "/" + "*a" * 5_000
    assert read_tdmrep(json.dumps([rule(location, 1)]), "https://example.org/" + "a" * 4_000) == ()


def test_the_policy_is_kept():
    text = json.dumps([rule("/", 1, **{"tdm-policy": "https://example.org/policy.json"})])
    assert "policy.json" in read_tdmrep(text, URL)[0].raw


@given(st.text(max_size=60), st.text(max_size=20))
def test_nothing_raises(text, url):
    read_tdmrep(text, url)
