import time

import pytest

from picdeed.core.errors import SourceError
from picdeed.sources.debian import is_copyright, parse_copyright

HEAD = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: walls\n\n"
PACKAGE = (
    HEAD
    + """Files: 16.04/dune_by_Ann_Field.jpg
Copyright: Ann Field, 2018
License: CC-BY-4.0

Files: 20.04/dune.jpg 22.04/lake.jpg
Copyright: 2018. Bo Sand
           2004-2016, Cy Stone <cy@example.org>
License: CC-BY-SA-3.0

Files: 22.04/dune.jpg
Copyright: 2020 Di
License: CC0-1.0

Files: debian/*
Copyright: 2021, Ed
License: Expat

License: Expat
 Permission is hereby granted, free of charge.
"""
)


def _table(text):
    return parse_copyright(text.encode(), "copyright")


def _said(table, relative, absolute=None):
    return [dict(row.fields) for row in table.lookup(relative, absolute)]


def test_installed_files_are_found_by_the_end_of_their_path():
    table = _table(PACKAGE)
    assert _said(
        table, "dune_by_Ann_Field.jpg", "/usr/share/backgrounds/dune_by_Ann_Field.jpg"
    ) == [{"license": "CC-BY-4.0", "author": "Ann Field"}]
    assert _said(table, "lake.jpg", "/usr/share/backgrounds/lake.jpg") == [
        {"license": "CC-BY-SA-3.0", "author": "Bo Sand; Cy Stone <cy@example.org>"}
    ]
    assert table.lookup("lake.jpg")[0].where == "copyright line 8"
    assert table.warnings == []


def test_the_longest_agreement_wins_and_a_tie_claims_nothing():
    table = _table(PACKAGE)
    assert _said(table, "dune.jpg", "/src/walls/20.04/dune.jpg")[0]["license"] == "CC-BY-SA-3.0"
    assert _said(table, "22.04/dune.jpg")[0]["license"] == "CC0-1.0"
    assert _said(table, "dune.jpg", "/usr/share/backgrounds/dune.jpg") == []
    assert table.warnings == [
        (
            "copyright: the stanzas at lines 8 and 13 might all speak of dune.jpg;"
            " no licence was taken from them"
        )
    ]


def test_stanzas_of_equal_terms_are_no_doubt():
    stanza = "Files: {}/x.png\nCopyright: Ann\nLicense: MIT\n\n"
    table = _table(HEAD + stanza.format("a") + stanza.format("b"))
    assert _said(table, "x.png") == [{"license": "MIT", "author": "Ann"}]


def test_a_file_that_nobody_names_has_no_licence():
    table = _table(PACKAGE)
    assert _said(table, "other.jpg") == []  # debian/* is the packaging, never a picture
    assert table.warnings == ["copyright: no stanza speaks of other.jpg"]


def test_the_last_matching_wildcard_counts_as_the_format_says():
    table = _table(
        HEAD
        + "Files: *\nCopyright: All\nLicense: GPL-2+\n\n"
        + "Files: art/*.png\nCopyright: Ann\nLicense: CC0-1.0\n"
    )
    assert _said(table, "art/x.png")[0]["license"] == "CC0-1.0"
    assert _said(table, "art/x.jpg")[0]["license"] == "GPL-2+"
    # Installed, the folder is gone: art/*.png may be meant as well as *.
    assert _said(table, "x.png", "/usr/share/pixmaps/x.png") == []
    assert "might all speak of x.png" in table.warnings[0]


def test_brackets_are_letters_and_escapes_are_honoured():
    table = _table(
        HEAD
        + "Files: a[1]?.png\nCopyright: A\nLicense: MIT\n\n"
        + "Files: b\\*.p*\nCopyright: B\nLicense: CC0-1.0\n"
    )
    assert _said(table, "a[1]x.png")[0]["license"] == "MIT"
    assert _said(table, "a1x.png") == []
    assert _said(table, "b*.png")[0]["license"] == "CC0-1.0"
    assert _said(table, "bb.png") == []


def test_a_stanza_without_a_licence_claims_none_and_says_so():
    table = _table(HEAD + "Files: x.png\nCopyright: 2020, Ann\n")
    assert _said(table, "x.png") == [{"author": "Ann"}]
    assert table.warnings == ["copyright: the stanza at line 4 names no licence"]


@pytest.mark.parametrize(
    "text",
    [
        "This package was debianized by Ann.\nLicense: GPL\n",
        "Format: https://example.org/1.0/\n\nFiles: *\nLicense: MIT\n",
    ],
)
def test_prose_is_not_taken_for_the_format(text):
    assert not is_copyright(text.encode())
    assert is_copyright(PACKAGE.encode())


def test_what_cannot_be_parsed_is_refused():
    with pytest.raises(SourceError, match="no paragraph begins with Files"):
        _table(HEAD)
    with pytest.raises(SourceError, match="does not follow the format"):
        parse_copyright(HEAD.encode() + b"Files: \xff.png\n", "copyright")


def test_many_wildcards_do_not_hang():
    pattern = "*a" * 40 + "b"
    table = _table(HEAD + f"Files: {pattern}\nCopyright: A\nLicense: MIT\n")
    began = time.process_time()
    assert _said(table, "a" * 200 + ".png") == []
    assert time.process_time() - began < 20  # backtracking would take longer than the universe
