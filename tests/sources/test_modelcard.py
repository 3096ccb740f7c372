"""Is everything heard that a base's folder says about its licence, and nothing outside it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from picdeed.core.ids import sha256
from picdeed.sources.modelcard import LONGEST, addresses_of, card_of, texts_of


def card(folder: Path, front: str):
    (folder / "README.md").write_text(front)
    return card_of(folder)


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("---\nlicense: apache-2.0\n---\n# x\n", ("apache-2.0",)),
        ("---\nlicense: other\nlicense_name: my-terms\n---\n", ("my-terms",)),
        ("---\nlicense: other\n---\n", ("other",)),
        ("---\nlicense: mit\nlicense_name: my-terms\n---\n", ("mit", "my-terms")),
        ("---\nlicense: [mit, apache-2.0]\n---\n", ("mit", "apache-2.0")),
        ("---\nlicense: mit\nlicense: other\n---\n", ("mit", "other")),
        ("---\nlicense: {a: b}\n---\n", ("unreadable entry",)),
        ("---\ntags: [x]\n---\n", ()),
        ("---\n---\n", ()),
        ("# license: mit\n", ()),
        ("", ()),
    ],
)
def test_the_front_matter(tmp_path: Path, front: str, words: tuple[str, ...]) -> None:
    found = card(tmp_path, front)
    assert (found.words, found.is_broken) == (words, False)


@pytest.mark.parametrize("front", ["---\nlicense: [mit\n---\n", "---\nlicense: mit\n\t: x\n---\n"])
def test_a_card_that_cannot_be_read_says_so(tmp_path: Path, front: str) -> None:
    assert card(tmp_path, front).is_broken
    assert not card(tmp_path, "---\ntags: [x\n---\n").is_broken


def test_without_a_card_nothing_is_said(tmp_path: Path) -> None:
    assert card_of(tmp_path).words == ()


def test_texts_by_name_and_by_link(tmp_path: Path) -> None:
    for name in ("LICENSE", "License.md", "LICENCE-weights.txt", "COPYING", "NOTICE", "notes.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "LICENSES").mkdir()
    (tmp_path / "legal").mkdir()
    (tmp_path / "legal" / "terms.md").write_text("terms")
    (tmp_path.parent / "outside.txt").write_text("outside")
    links = ("legal/terms.md", "./LICENSE", "README.md", "../outside.txt", "https://x.example/y",
             str(tmp_path.parent / "outside.txt"), "legal", "gone.md", "x" * 5000)  # fmt: skip
    found = texts_of(tmp_path, links)
    assert [one.name for one in found] == [
        "COPYING", "LICENCE-weights.txt", "LICENSE", "License.md", "legal/terms.md",
    ]  # fmt: skip
    assert found[2].sha256 == sha256(b"LICENSE")
    assert found[4].text == "terms"
    assert addresses_of(links) == ("https://x.example/y",)


def test_a_text_without_end_is_named_and_not_read(tmp_path: Path) -> None:
    data = b"x" * (LONGEST + 1)
    (tmp_path / "LICENSE").write_bytes(data)
    (found,) = texts_of(tmp_path)
    assert (found.text, found.sha256) == (None, sha256(data))
