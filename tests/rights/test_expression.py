"""Are exact names read, and are guesses refused?"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.core.limits import Limits
from picdeed.rights.expression import (
    DEEPEST,
    NOASSERTION,
    Leaf,
    all_of,
    leaves,
    parse_license,
    render,
    tree_of,
)

EXACT = {
    "CC0": "CC0-1.0",
    "cc0-1.0": "CC0-1.0",
    "CC BY 4.0": "CC-BY-4.0",
    "cc-by-4.0": "CC-BY-4.0",
    " Creative  Commons Attribution 4.0 International ": "CC-BY-4.0",
    "CC-BY-SA-3": "CC-BY-SA-3.0",
    "CC-BY-3.0": "CC-BY-3.0",
    "https://creativecommons.org/licenses/by/4.0/": "CC-BY-4.0",
    "http://creativecommons.org/licenses/by/4.0": "CC-BY-4.0",
    "http://www.creativecommons.org/licenses/by-sa/4.0/legalcode": "CC-BY-SA-4.0",
    "https://creativecommons.org/licenses/by-nc-sa/4.0/deed.pt-br": "CC-BY-NC-SA-4.0",
    "https://creativecommons.org/licenses/by/4.0/legalcode.de/": "CC-BY-4.0",
    "https://creativecommons.org/publicdomain/zero/1.0/": "CC0-1.0",
    "https://creativecommons.org/publicdomain/mark/1.0/": "CC-PDM-1.0",
    "Expat": "MIT",
    "https://opensource.org/licenses/MIT": "MIT",
    "apache-2.0": "Apache-2.0",
    "Apache-2": "Apache-2.0",
    "BSD-3-clause": "BSD-3-Clause",
    "GPL-2.0": "GPL-2.0-only",
    "gpl-2.0+": "GPL-2.0-or-later",
    "GPL-3+": "GPL-3.0-or-later",
    "GPL-2+ or Expat": "GPL-2.0-or-later OR MIT",
    "CC-BY-SA-3.0 or CC-BY-SA-4.0": "CC-BY-SA-3.0 OR CC-BY-SA-4.0",
    "MIT and (Apache-2.0 OR CC0)": "(Apache-2.0 OR CC0-1.0) AND MIT",
    "GPL-3.0-only WITH Font-exception-2.0": "GPL-3.0-only WITH Font-exception-2.0",
    "Zlib": "Zlib",
}
GUESSES = [
    "",
    "   ",
    "cc",
    "CC BY",
    "CC-BY",
    "cc-by-sa",
    "Creative Commons",
    "Creative Commons Attribution",
    "GPL",  # license-expression itself takes this for GPL-1.0-or-later
    "LicenseRef-MIT-Discord",  # and this for MIT
    "BSD",
    "public domain",
    "public-domain",
    "free",
    "free for personal use",
    "other",
    "unknown",
    "openrail",
    "NONE",
    "noassertion",
    "MIT AND",
    "(MIT",
    "MIT MIT",
    "MIT or later",
    "MIT AND nonsense",
    "MIT WITH nonsense",
    "MIT\x00",
    "CC BY 5.0",
    "CC-BY-4.0, honest",
    "https://creativecommons.org/licenses/by/4.0/?x=1",
    "https://creativecommons.org/licenses/by/",
    "https://creativecommons.org/licenses/by/3.0/de/",
    "https://creativecommons.org.example/licenses/by/4.0/",
    "https://example.org/https://creativecommons.org/licenses/by/4.0/",
    "ftp://creativecommons.org/licenses/by/4.0/",
]


@pytest.mark.parametrize(("raw", "expression"), EXACT.items())
def test_exact_names_are_read(catalogue, raw, expression):
    assert parse_license(raw, catalogue.aliases).expression == expression


@pytest.mark.parametrize("raw", GUESSES)
def test_guesses_are_refused_with_a_reason(catalogue, raw):
    read = parse_license(raw, catalogue.aliases)
    assert read.expression is None
    assert read.why


def test_a_megabyte_is_refused_before_it_is_parsed(catalogue):
    read = parse_license("MIT AND " * 125_000 + "MIT", catalogue.aliases)
    assert read.expression is None
    assert "at most 2000" in read.why


def test_deep_nesting_within_the_limit_is_no_trap(catalogue):
    deep = "(" * 900 + "MIT" + ")" * 900
    assert parse_license(deep, catalogue.aliases).expression == "MIT"
    twisted = "MIT AND (Zlib OR (" * 20 + "MIT" + "))" * 20
    read = parse_license(twisted, catalogue.aliases)
    assert read.expression is not None
    assert leaves(tree_of(read.expression)) == ("MIT", "Zlib")


HOSTILE = {
    "parentheses": "(" * 10_000 + "MIT" + ")" * 10_000,
    "unclosed": "(" * 10_000,
    "ands": " AND ".join(["MIT"] * 10_000),
    "strangers": " AND ".join(f"X{i}" for i in range(10_000)),
    "twists": "MIT AND (Zlib OR (" * 5_000 + "MIT" + "))" * 5_000,
    "operators": "AND " * 10_000,
    "withs": " WITH ".join(["MIT"] * 10_000),
    "one word": "A" * 1_000_000,
    "null bytes": "\0" * 10_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_by_its_length(catalogue, name):
    read = parse_license(HOSTILE[name], catalogue.aliases)
    assert read.expression is None
    assert "at most 2000" in read.why


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_no_trap_where_somebody_lifts_the_limit(catalogue, name):
    before = time.monotonic()
    read = parse_license(HOSTILE[name], catalogue.aliases, Limits(license_chars=10**9))
    tree = tree_of(HOSTILE[name])
    assert time.monotonic() - before < 20  # a fraction of a second on an idle machine
    assert (read.expression is None) == bool(read.why)
    assert len(read.why) < 400
    assert set(leaves(tree)) <= {"MIT", NOASSERTION}


def test_ands_and_ors_nest_so_deep_and_no_deeper(catalogue):
    def nested(levels):
        words = ("MIT AND (", "MIT OR (")
        return "".join(words[i % 2] for i in range(levels)) + "ISC" + ")" * levels

    assert parse_license(nested(DEEPEST), catalogue.aliases).expression is not None
    read = parse_license(nested(DEEPEST + 1), catalogue.aliases)
    assert read.expression is None
    assert "deep" in read.why
    assert tree_of(nested(DEEPEST + 1)) == Leaf(NOASSERTION)


def test_a_license_ref_of_the_catalogue_reads_alone_and_in_company(catalogue):
    own = [name for name in catalogue.licenses if name.startswith("LicenseRef-")]
    assert len(own) >= 8
    for name in own:
        assert parse_license(name.lower(), catalogue.aliases).expression == name
        both = parse_license(f"{name} AND MIT", catalogue.aliases).expression
        assert both is not None
        assert tree_of(name) == Leaf(name)
        assert leaves(tree_of(both)) == tuple(sorted((name, "MIT")))
        assert render(tree_of(both)) == both
        assert all_of([name, "MIT"]) == both


def test_a_license_ref_of_nobody_is_refused_from_outside(catalogue):
    for name in ("LicenseRef-acme-2024", "LicenseRef-picdeed-nonsense", "LicenseRef-"):
        assert parse_license(name, catalogue.aliases).expression is None
        assert parse_license(f"MIT AND {name}", catalogue.aliases).expression is None
    # a stored expression keeps its own names, of which a catalogue without rules says no
    assert tree_of("LicenseRef-acme-2024") == Leaf("LicenseRef-acme-2024")
    assert tree_of("LicenseRef-") == tree_of("acme-2024") == Leaf(NOASSERTION)


@given(st.text(max_size=60))
def test_no_text_raises(catalogue, raw):
    read = parse_license(raw, catalogue.aliases)
    assert (read.expression is None) == bool(read.why)


@given(st.sampled_from(sorted(EXACT.values())))
def test_canonical_spelling_is_a_fixed_point(expression):
    assert render(tree_of(expression)) == expression


def test_nothing_is_simplified_away():
    # boolean absorption would give "MIT" and lose the election that the OR still needs
    assert all_of(["MIT", "CC0-1.0 OR MIT"]) == "(CC0-1.0 OR MIT) AND MIT"


@given(st.lists(st.sampled_from([*EXACT.values(), NOASSERTION]), max_size=5))
def test_and_is_order_free_flat_and_never_hides_the_unknown(names):
    whole = all_of(names)
    assert whole == all_of(reversed(names)) == all_of([whole, *names])
    assert (whole == NOASSERTION) == (NOASSERTION in names or not names)


def test_what_cannot_be_read_is_no_licence():
    assert tree_of("MIT AND (") == Leaf(NOASSERTION)
    assert leaves(tree_of("MIT AND (Zlib OR MIT)")) == ("MIT", "Zlib")
