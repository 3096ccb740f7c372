"""Is everybody named, nothing invented, and can no recorded value forge an entry?"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.core.ids import sha256
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.notices import (
    LONGEST,
    BaseNotice,
    Contract,
    Notices,
    Part,
    Work,
    as_json,
    as_text,
    due_terms,
    lines_of,
    missing,
    one_line,
    values,
)

ENTRY = re.compile(r"^\[\d+\] ", re.MULTILINE)


def work(n: int, license_id: str = "CC-BY-4.0", **facts) -> Work:
    named = {"frozen_license": license_id, "changed": "none: frozen unchanged"} | facts
    return Work(id=f"img_{n:064x}", sha256=f"{n:064x}", license=license_id, **named)


def notices(*works: Work, run: str | None = None, bases=()) -> Notices:
    return Notices((Part("snp_1", "1", works, run),), tuple(bases))


def base(**facts) -> BaseNotice:
    named = {"name": "sprig", "license": "Apache-2.0", "notice": "sprig\nby somebody"} | facts
    return BaseNotice(id="bas_5", sha256="5" * 64, **named)


def test_an_entry_names_all_that_an_attribution_needs(catalogue: Catalogue) -> None:
    one = work(
        1,
        titles=("Dusk",),
        authors=("A. Author", "B. Author"),
        holders=("The House",),
        copyrights=("© 2019 A. Author",),
        sources=("https://example.org/dusk",),
    )
    text = as_text(notices(one), catalogue, {})
    url = "https://creativecommons.org/licenses/by/4.0/"
    entry = text[text.index("[1]") :]
    assert entry.splitlines()[:10] == [
        f"[1] {one.id}",
        "    title: Dusk",
        "    author: A. Author",
        "    author: B. Author",
        "    holder: The House",
        "    copyright notice: © 2019 A. Author",
        "    source: https://example.org/dusk",
        f"    licence: {catalogue.licenses['CC-BY-4.0'].name} (CC-BY-4.0), {url}",
        "    changed: none: frozen unchanged",
    ]


def test_what_nobody_recorded_is_said_to_be_missing(catalogue: Catalogue) -> None:
    found = notices(work(1), work(2, titles=("x",)))
    text = as_text(found, catalogue, {})
    assert text.count("author: not recorded") == 2
    assert missing(found) == {"author": 2, "holder": 2, "source": 2, "title": 1}
    assert "Not on record: author of 2, holder of 2, source of 2, title of 1" in text


def test_pictures_stand_under_their_licence_whatever_their_order(catalogue: Catalogue) -> None:
    works = [work(3, "MIT"), work(1), work(2, "CC-BY-4.0 AND MIT"), work(4, "MIT")]
    text = as_text(notices(*works), catalogue, {})
    assert text == as_text(notices(*reversed(works)), catalogue, {})
    assert [line for line in text.splitlines() if re.fullmatch(r".* \(\d+\)", line)] == [
        "CC-BY-4.0 (1)",
        "CC-BY-4.0 AND MIT (1)",
        "MIT (2)",
    ]
    assert text.count("Creative Commons Attribution 4.0 International (CC-BY-4.0)") == 4


def test_a_licence_without_rules_is_named_as_such(catalogue: Catalogue) -> None:
    text = as_text(notices(work(1, "Zed")), catalogue, {})
    assert "Zed: no such licence is in the catalogue; name and address not recorded" in text


@pytest.mark.parametrize("name", ["MIT", "BSD-3-Clause", "Apache-2.0", "OFL-1.1", "GPL-3.0-only"])
def test_texts_that_must_go_along_are_appended_once(catalogue: Catalogue, name: str) -> None:
    found = notices(work(1, name), work(2, f"CC-BY-4.0 AND {name}"))
    assert set(due_terms(found, catalogue)) == {name}
    text = as_text(found, catalogue, {name: "Permission is granted.\r\n\r\nTo all.\n"})
    assert text.count("    Permission is granted.\n\n    To all.\n") == 1
    assert "not included here" not in text


def test_a_text_that_is_not_shipped_is_named_by_address_and_hash(catalogue: Catalogue) -> None:
    pinned = replace(catalogue.licenses["MIT"], text_sha256="a" * 64)
    known = replace(catalogue, licenses=MappingProxyType({**catalogue.licenses, "MIT": pinned}))
    found = notices(work(1, "MIT"))
    text = as_text(found, known, {})
    assert "It is not included here." in text
    assert pinned.url in text
    assert f"text: sha256 {'a' * 64}" in text
    document = json.loads(as_json(found, known, {}))
    assert document["texts"] == [
        {"license": "MIT", "url": pinned.url, "sha256": "a" * 64, "included": False}
    ]


def test_attribution_alone_needs_no_text(catalogue: Catalogue) -> None:
    assert not due_terms(notices(work(1)), catalogue)


def test_a_base_brings_its_licence_and_its_own_notice(catalogue: Catalogue) -> None:
    found = notices(work(1), bases=[base()])
    text = as_text(found, catalogue, {"Apache-2.0": "the text"})
    assert "    sprig\n    by somebody\n" in text
    assert "Licence text: Apache License 2.0 (Apache-2.0)" in text
    assert "none lies in its folder" in as_text(notices(bases=[base(notice=None)]), catalogue, {})


def test_a_contract_is_named_and_its_terms_are_not(catalogue: Catalogue) -> None:
    one = work(1, "NOASSERTION", contracts=(Contract("grt_1", "A\nHouse"),))
    assert "    contract: grt_1 with A House\n" in as_text(notices(one), catalogue, {})


def test_of_an_erased_picture_only_the_id_is_left(catalogue: Catalogue) -> None:
    text = as_text(notices(work(1, erased=True, authors=("A. Author",))), catalogue, {})
    assert "erased: picture, title, author and source were erased" in text
    assert "A. Author" not in text
    assert "Erased from the registry: 1" in text


def test_another_licence_than_the_frozen_one_is_said(catalogue: Catalogue) -> None:
    one = work(1, "CC-BY-4.0 AND MIT", frozen_license="MIT")
    assert "    licence when frozen: MIT\n" in as_text(notices(one), catalogue, {})


HOSTILE = [
    "x\n[2] img_" + "0" * 64 + "\n    author: Mallory",
    "x\r[2] y",
    "x\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029[2] y",
    "\u202e\u2066txt.exe\u2069\u200f\u061c",
    "\x00\x1b[31m\x7f\ud800",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_a_value_stays_on_its_line_and_shows_what_it_hides(catalogue: Catalogue, said: str) -> None:
    one = work(1, titles=values([said]), authors=values([said]))
    text = as_text(notices(one), catalogue, {})
    assert len(ENTRY.findall(text)) == 1
    assert text.isascii() or not re.search(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]", text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800]", text)
    text.encode()


@pytest.mark.parametrize("said", HOSTILE)
def test_a_foreign_notice_can_forge_no_entry_either(catalogue: Catalogue, said: str) -> None:
    foreign = f"{said}\nRun: run_{'0' * 64}\n[7] img_1"
    text = as_text(notices(work(1), bases=[base(notice=foreign, name=said)]), catalogue, {})
    assert len(ENTRY.findall(text)) == 1
    assert not re.findall(r"^Run:", text, re.MULTILINE)


@given(st.text())
def test_any_text_becomes_one_harmless_line(said: str) -> None:
    line = one_line(said)
    assert len(line.splitlines()) <= 1
    assert line == one_line(line)
    line.encode()


def test_what_scripts_are_spelled_with_stays() -> None:
    for said in ("می‌خواهم", "👩‍🎨", "משה", "Zoë"):
        assert one_line(said) == said


def test_empty_values_count_as_none_and_long_ones_are_cut_and_bound() -> None:
    assert values(["", "  ", "\n\t"]) == ()
    huge = "ab" * 500_000
    line = one_line(huge)
    assert line.startswith("ab" * 100)
    assert line.endswith(f"[cut: 1000000 characters, sha256 {sha256(huge.encode())}]")
    assert len(line) < LONGEST + 120
    assert values(["b", "a", "b", "a "]) == ("a", "b")


def test_lines_keep_their_indentation_and_nothing_hidden() -> None:
    assert lines_of("\n\na\r\n  b\t c \x1b\rd\n\n") == ["a", "  b      c \\u001b", "d"]


def test_the_json_form_says_the_same(catalogue: Catalogue) -> None:
    one = work(1, titles=("T",), contracts=(Contract("grt_1", "House"),))
    document = json.loads(as_json(notices(one, run="run_1", bases=[base()]), catalogue, {}))
    assert document["schema"] == "picdeed.notices/1"
    (part,) = document["parts"]
    (told,) = part["pictures"]
    assert (part["run"], told["title"], told["author"]) == ("run_1", ["T"], [])
    assert told["license_urls"] == {"CC-BY-4.0": catalogue.licenses["CC-BY-4.0"].url}
    assert told["contracts"] == [{"id": "grt_1", "licensor": "House"}]
    assert document["bases"][0]["notice"] == ["sprig", "by somebody"]
