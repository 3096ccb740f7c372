"""Is a base's licence what was said of it, and open wherever somebody could not read it?"""

from __future__ import annotations

import pytest

from picdeed.core.ids import sha256
from picdeed.core.resources import bundled
from picdeed.rights.expression import NOASSERTION
from picdeed.rights.weights import Fact, Voice, by_text, by_words, settle

RAIL_M = "LicenseRef-scancode-stable-diffusion-2022-08-22"
RAIL_PP = "LicenseRef-picdeed-openrail-plus-plus-m-2023-07-26"
STABILITY = "LicenseRef-scancode-stability-ai-community-2024"
FLUX = "LicenseRef-scancode-flux-1-nc"
TEXTS = bundled("configs") / "licenses" / "texts"


def text(words: str, catalogue, where: str = "LICENSE") -> Fact:
    return by_text(where, words, sha256(words.encode()), catalogue)


def card(words: str, catalogue) -> Fact:
    return by_words(Voice.CARD, "README.md", words, catalogue)


@pytest.mark.parametrize(
    ("words", "license_id"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("mit", "MIT"),
        ("creativeml-openrail-m", RAIL_M),
        ("CreativeML Open RAIL++-M (July 26, 2023)", RAIL_PP),
        ("stabilityai/stable-diffusion-xl-base-1.0", RAIL_PP),
        ("https://stability.ai/community-license", STABILITY),
        ("Fair AI Public License 1.0-SD", "LicenseRef-scancode-fair-ai-public-1.0-sd"),
        ("mit OR apache-2.0", "Apache-2.0 OR MIT"),
        ("openrail++", None),
        ("openrail", None),
        ("other", None),
        ("scratch", None),  # what training from nothing is called is no licence
        ("NONE", None),
        ("my own terms", None),
        ("", None),
    ],
)
def test_words(catalogue, words: str, license_id: str | None) -> None:
    fact = card(words, catalogue)
    assert fact.license == license_id
    assert fact.how


@pytest.mark.parametrize("name", ["Apache-2.0", "MIT", "CC0-1.0", "CC-BY-NC-4.0", "Unlicense"])
def test_a_pinned_text_is_known_by_its_words(catalogue, name: str) -> None:
    shipped = (TEXTS / f"{name}.txt").read_text(encoding="utf-8")
    for words in (shipped, shipped.replace("\n", "  \r\n")):
        fact = text(words, catalogue)
        assert (fact.license, fact.how) == (name, "its text, word for word")
    changed = text(f"{shipped}Not for money.\n", catalogue)
    assert changed.how != "its text, word for word"


@pytest.mark.parametrize(
    ("head", "license_id"),
    [
        ("MIT License\n\nCopyright (c) 2024 Somebody\n", "MIT"),
        ("                Apache License\n          Version 2.0, January 2004\n", "Apache-2.0"),
        ("Copyright (c) 2022 R. and P.\n\nCreativeML Open RAIL-M\ndated August 22, 2022\n", RAIL_M),
        (
            "Copyright (c) 2023 Stability AI CreativeML Open RAIL++-M License dated July 26, 2023",
            RAIL_PP,
        ),
        ("## CreativeML Open RAIL++-M License\n**dated July 26, 2023**\n", RAIL_PP),
        ("STABILITY AI COMMUNITY LICENSE AGREEMENT\n\nLast Updated: July 5, 2024\n", STABILITY),
        ("FLUX.1 [dev] Non-Commercial License v1.1.1\n", FLUX),
        ("Attribution 4.0 International\n", "CC-BY-4.0"),
        ("CreativeML Open RAIL++-M License\ndated November 24, 2022\n", None),  # another text
        ("FLUX.1 [dev] Non-Commercial License\n", None),  # of which version?
        ("GNU GENERAL PUBLIC LICENSE\nVersion 3, 29 June 2007\n", None),  # only, or later?
        ("MIT License\nApache License, Version 2.0\n", None),  # which?
        ("Copyright (c) 2024 MIT\n", None),
        ("All rights reserved.\n", None),
        ("1\n2\n3\n4\n5\n6\nMIT License\n", None),  # no title stands that far down
        ("", None),
    ],
)
def test_titles(catalogue, head: str, license_id: str | None) -> None:
    fact = text(head, catalogue)
    assert fact.license == license_id
    assert fact.sha256 == sha256(head.encode())
    if license_id is not None:
        assert "not compared" in fact.how


def test_what_is_said_cannot_forge_a_line(catalogue) -> None:
    fact = card("mit\n\u202eapache-2.0" + "x" * 5000, catalogue)
    assert fact.license is None
    assert "\n" not in fact.said
    assert "\u202e" not in fact.said
    assert len(fact.said) < 400


@pytest.mark.parametrize(
    ("said", "license_id"),
    [
        ([], NOASSERTION),
        (["c:apache-2.0"], "Apache-2.0"),
        (["c:apache-2.0", "t:Apache License, Version 2.0"], "Apache-2.0"),
        # a text that nobody has read may say anything
        (["c:apache-2.0", "t:My Terms"], NOASSERTION),
        (["t:My Terms"], NOASSERTION),
        # short names without a version: nothing alone, no obstacle beside the text they mean
        (["c:openrail++"], NOASSERTION),
        (["c:openrail++", "t:CreativeML Open RAIL++-M License\ndated July 26, 2023"], RAIL_PP),
        (["c:openrail++", "t:MIT License"], NOASSERTION),
        (["c:other", "t:MIT License"], "MIT"),
        (["c:other"], NOASSERTION),
        (["c:stabilityai-ai-community", "t:Stability AI Community License Agreement\nLast Updated: July 5, 2024"], STABILITY),
        (["c:flux-1-dev-non-commercial-license"], NOASSERTION),
        (["t:Other\nterms", "t:MIT License"], NOASSERTION),  # a text points at nothing
        # other words that nobody can read bind, text or not
        (["c:my-non-commercial-terms", "t:MIT License"], NOASSERTION),
        (["c:my-non-commercial-terms", "d:MIT"], NOASSERTION),
        (["c:other", "d:MIT"], NOASSERTION),
    ],
)  # fmt: skip
def test_what_it_comes_to(catalogue, said: list[str], license_id: str) -> None:
    facts = [_fact(one, catalogue) for one in said]
    for order in (facts, facts[::-1]):
        found = settle(order)
        assert found.license == license_id
        assert not found.differing


@pytest.mark.parametrize(
    "said",
    [
        ["c:apache-2.0", "t:MIT License"],
        ["c:apache-2.0", "c:mit"],
        ["t:MIT License", "d:Apache-2.0"],
        ["c:mit", "t:MIT License", "d:MIT", "c:apache-2.0"],
        ["c:mit OR apache-2.0", "t:MIT License"],
    ],
)
def test_two_that_differ_are_never_chosen_between(catalogue, said: list[str]) -> None:
    found = settle([_fact(one, catalogue) for one in said])
    assert found.license == NOASSERTION
    assert len({fact.license for fact in found.differing}) == 2


def _fact(said: str, catalogue) -> Fact:
    kind, _, words = said.partition(":")
    if kind == "t":
        return text(words, catalogue)
    voice = {"c": Voice.CARD, "d": Voice.DEED}[kind]
    return by_words(voice, "deed.json" if kind == "d" else "README.md", words, catalogue)
