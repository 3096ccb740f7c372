"""Does every column of a table and every word in a file become the claim it should be?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from picdeed.core.limits import DEFAULT
from picdeed.flow.pipeline import rules
from picdeed.flow.statements import item_claims
from picdeed.imaging.metadata import Embedded
from picdeed.rights.claims import ClaimKind, ClaimSource, ClaimStatus
from picdeed.sources.items import Item, Statement

URL = "https://pictures.example/art/a.jpg"
DAY = "2026-11-01T10:00:00Z"


def claims_of(embedded=None, **fields):
    said = tuple(Statement(key, value, "metadata.csv line 2") for key, value in fields.items())
    item = Item("a.jpg", "a.jpg", Path("a.jpg"), lambda: b"", statements=said)
    return item_claims(item, embedded or Embedded(), rules().aliases, DEFAULT)


@pytest.mark.parametrize(
    ("field", "value", "kind", "parsed"),
    [
        ("licensor", "Ada Ltd", ClaimKind.LICENSOR, "Ada Ltd"),
        ("caption_author", "Bo", ClaimKind.CAPTION_AUTHOR, "Bo"),
        ("caption_license", "CC-BY-4.0", ClaimKind.CAPTION_LICENSE, "CC-BY-4.0"),
        ("persons", "none", ClaimKind.PERSONS, "none"),
        ("persons", "Ada, Bo", ClaimKind.PERSONS, "identifiable"),
        ("model_release", "MR-UMR", ClaimKind.MODEL_RELEASE, "unlimited"),
        ("model_release", "signed, see folder", ClaimKind.MODEL_RELEASE, "limited"),
        ("property_release", "none", ClaimKind.PROPERTY_RELEASE, "none"),
        ("x_robots_tag", "noai", ClaimKind.OPT_OUT, "noai"),
        ("tdm_reservation", "1", ClaimKind.OPT_OUT, "tdm-reservation=1"),
        ("http_headers", '{"X-Robots-Tag": "noimageai"}', ClaimKind.OPT_OUT, "noimageai"),
        ("http_headers", "not headers", ClaimKind.OPT_OUT, None),
        ("robots_txt", "User-agent: *\nDisallow: /", ClaimKind.OPT_OUT, None),
    ],
)
def test_columns(field, value, kind, parsed):
    claims, _ = claims_of(**{field: value})
    assert [(claim.kind, claim.parsed) for claim in claims] == [(kind, parsed)]
    assert "metadata.csv line 2" in claims[0].note


def test_an_unread_caption_licence_is_no_licence():
    (claim,), _ = claims_of(caption_license="as agreed")
    assert (claim.kind, claim.status) == (ClaimKind.CAPTION_LICENSE, ClaimStatus.UNPARSED)


def test_robots_for_the_pictures_own_path():
    text = "User-agent: GPTBot\nDisallow: /art/"
    claims, warnings = claims_of(robots_txt=text, source_url=URL)
    assert ClaimKind.OPT_OUT in {claim.kind for claim in claims}
    assert "opt-out" in warnings[0]
    other, _ = claims_of(robots_txt=text, source_url="https://pictures.example/b.jpg")
    assert ClaimKind.OPT_OUT not in {claim.kind for claim in other}


def test_a_row_that_reserves_nothing_is_a_check_at_its_time():
    headers = json.dumps({"Content-Type": "image/png"})
    claims, _ = claims_of(http_headers=headers, source_url=URL, fetched_at=DAY)
    (found,) = [claim for claim in claims if claim.kind is ClaimKind.CHECKED]
    assert (found.parsed, found.observed_at) == ("http_headers", "2026-11-01T10:00:00.000000Z")
    assert json.loads(found.raw)["url"] == URL


@pytest.mark.parametrize(
    "fields",
    [
        {"fetched_at": DAY},
        {"http_headers": "{}"},
        {"http_headers": "{}", "fetched_at": "yesterday"},
        {"x_robots_tag": "noai", "fetched_at": DAY},
    ],
)
def test_what_is_no_check(fields):
    claims, warnings = claims_of(**fields)
    assert ClaimKind.CHECKED not in {claim.kind for claim in claims}
    assert bool(warnings) == (len(fields) == 2)


def test_texts_inside_a_file():
    found = Embedded(
        notices=(("PNG Copyright", "All rights reserved"), ("PNG License", "CC0-1.0")),
        remarks=(("JPEG comment", "no AI training"), ("EXIF UserComment", "an AI conference")),
        unreadable=("iptc", "xmp"),
    )
    claims, _ = claims_of(found)
    said = [(claim.source, claim.parsed, claim.status) for claim in claims]
    assert (ClaimSource.EMBEDDED_EXIF, "all-rights-reserved", ClaimStatus.PARSED) in said
    assert (ClaimSource.EMBEDDED_EXIF, "mentions-ai", ClaimStatus.PARSED) in said
    assert (ClaimSource.EMBEDDED_IPTC, None, ClaimStatus.UNREADABLE) in said
    assert len(claims) == 4
    assert all(claim.kind is ClaimKind.RIGHTS_STATEMENT for claim in claims)
