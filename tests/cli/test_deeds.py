"""Is a deed read aloud whatever shape it has, and can it do nothing to a terminal?"""

from __future__ import annotations

import pytest

from picdeed.cli.deeds import deed_lines


def told(**deed: object) -> dict[str, str]:
    return dict(deed_lines(deed))


def test_the_chain_of_title_comes_first() -> None:
    deed = {
        "steps": {"denoiser": 5800},
        "concepts": [f"thing {n}" for n in range(40)],
        "packages": [{"name": "@a/b", "version": "1", "license": "MIT", "author": "A"}, "c"],
        "snapshot": {
            "id": "snp_1", "root": "r", "members": 1763, "verdict": "DUTIES", "uses": ["train"],
            "duties": [{"kind": "notice", "license": "MIT", "pictures": 805, "text": "Name."}],
        },
        "files": {"a": "1", "b": "2"},
        "places": ["beach"],
        "first_losses": {"denoiser": {"1": 0.5, "2": 0.4}},
    }  # fmt: skip
    lines = deed_lines(deed)
    assert lines[:4] == [
        ("learned from", "1,763 pictures, snapshot snp_1"),
        ("Merkle root", "r"),
        ("verdict", "DUTIES for train"),
        ("duties", "notice (MIT, 805 pictures): Name."),
    ]
    assert lines[4:6] == [("packages", "@a/b 1 MIT A"), ("", "c")]
    assert ("steps", "denoiser 5,800") in lines
    assert ("files", "2, each by its SHA-256") in lines
    assert ("places", "1: beach") in lines
    assert ("first losses", "denoiser 2") in lines
    concepts = dict(lines)["concepts"]
    assert concepts.startswith("40: thing 0, ")
    assert concepts.endswith(" ...")


@pytest.mark.parametrize("value", [None, 1, 1.5, "x", [], {}, [None], {"a": {"b": []}}, True])
@pytest.mark.parametrize(
    "key",
    [
        "snapshot",
        "pictures",
        "packages",
        "steps",
        "concepts",
        "files",
        "duties",
        "mine",
        "first_losses",
    ],
)
def test_no_shape_breaks_it(key: str, value: object) -> None:
    for deed in ({key: value}, {"snapshot": {key: value, "uses": value, "members": value}}):
        assert all(isinstance(part, str) for line in deed_lines(deed) for part in line)


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    lines = told(mine="\x1b[2J\u202ex", snapshot={"id": "a\nb", "root": "y" * 5000})
    assert lines["mine"] == "\\x1b[2J\\u202ex"
    assert lines["learned from"] == "? pictures, snapshot a b"
    assert len(lines["Merkle root"]) < 400
    ((label, _),) = deed_lines({"\x1b[2J" + "k" * 500: 1})
    assert label.startswith("\\x1b[2Jkkk")
    assert len(label) < 30


def test_without_a_snapshot_the_count_is_told() -> None:
    assert told(pictures={"count": 2000})["learned from"] == "2,000 pictures"
