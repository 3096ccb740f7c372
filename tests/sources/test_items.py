import os

import pytest

from picdeed.sources.items import Item, Origin, Statement, clean_text, has_picture_suffix, shown


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a/caf\xe9 50%.png", "a/caf%E9 50%25.png"),  # percent is escaped too, else it is a guess
        (b"a%20b.png", "a%20b.png"),  # a plain name stays as it is
        ("übung/日本.png".encode(), "übung/日本.png"),
        (b"\xff/ok.png", "%FF/ok.png"),
        (b"evil\x1b[2J.png", "evil%1B[2J.png"),  # would clear a terminal
        (b"two\nlines.png", "two%0Alines.png"),
    ],
)
def test_a_name_is_shown_escaped_only_where_it_must_be(raw, expected):
    assert shown(os.fsdecode(raw)) == expected


def test_shown_names_are_always_plain_text():
    assert shown("lone \ud800.png").encode("utf-8")


def test_clean_text_fits_every_database():
    assert clean_text("a\ud800b\x00c") == "a\\ud800b\\x00c"


def test_fields_keep_the_first_word_and_statements_all():
    item = Item(
        "/a/x.png",
        "x.png",
        None,
        lambda: b"",
        None,
        (
            Statement("license", "CC0-1.0", "a"),
            Statement("license", "CC-BY-NC-4.0", "b"),
            Statement("license", "MIT", "README.md", Origin.PACKAGE),
        ),
    )
    assert dict(item.fields) == {"license": "CC0-1.0"}
    assert dict(item.package_fields) == {"license": "MIT"}


@pytest.mark.parametrize("name", ["a.PNG", "b.jpeg", "x/y.svg", "c.HEIC"])
def test_picture_suffixes(name):
    assert has_picture_suffix(name)
    assert not has_picture_suffix(name + ".txt")
