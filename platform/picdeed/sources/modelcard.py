"""What does a base's folder itself say about its licence? The model card and the licence texts.

https://huggingface.co/docs/hub/model-cards
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from picdeed.core.ids import sha256, sha256_file
from picdeed.sources.huggingface import front_matter, values_of
from picdeed.sources.items import clean_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CARD = "README.md"
LONGEST = 1 << 20
_LONGEST_NAME = 200
_TEXTS = ("license", "licence", "copying")
# What the hub makes people write whose licence is not in its list: the name stands beside it.
_PLACEHOLDERS = frozenset({"other", "unknown"})


@dataclass(frozen=True, slots=True)
class LicenseText:
    """One licence text of a folder; `text` is None when it is too long to be one."""

    path: Path
    name: str
    sha256: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the card names as licences, and where it points for their text.

    `is_broken`: its front matter speaks of a licence and cannot be read.
    """

    words: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    is_broken: bool = False


def card_of(folder: Path) -> Spoken:
    """`license`, `license_name` and `license_link` of the card's front matter.

    `other` counts only where no name stands beside it. Links keep what they say; files and
    addresses among them are told apart by whoever follows them.
    """
    path = folder / CARD
    if not path.is_file():
        return Spoken()
    with path.open("rb") as stream:
        front, card = front_matter(stream.read(LONGEST))
    if front is None:
        return Spoken()
    if card is None:
        return Spoken(is_broken="license" in front)
    names = tuple(map(clean_text, values_of(card, "license_name")))
    said = tuple(map(clean_text, values_of(card, "license")))
    if names:
        said = tuple(one for one in said if one.casefold() not in _PLACEHOLDERS)
    return Spoken((*said, *names), tuple(map(clean_text, values_of(card, "license_link"))))


def texts_of(folder: Path, links: Sequence[str] = ()) -> tuple[LicenseText, ...]:
    """Files called LICENSE, LICENCE or COPYING in the folder, and those that the card points to.

    Only files inside the folder are read, whatever a link says.
    """
    found = {path.name: path for path in sorted(folder.iterdir()) if _is_text(path)}
    for link in links:
        path = folder / link
        if len(link) > _LONGEST_NAME or _is_address(link) or path == folder / CARD:
            continue
        if _is_inside(path, folder) and path.is_file():
            found.setdefault(path.relative_to(folder).as_posix(), path)
    return tuple(_read(name, path) for name, path in sorted(found.items()))


def addresses_of(links: Sequence[str]) -> tuple[str, ...]:
    """The links that lead to a page; one that no table knows says nothing about a licence."""
    return tuple(link for link in links if _is_address(link))


def _is_address(link: str) -> bool:
    return link.casefold().startswith(("http://", "https://"))


def _is_text(path: Path) -> bool:
    return path.name.casefold().startswith(_TEXTS) and path.is_file()


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether the file's name stays in the folder; a folder of the hub's cache holds symlinks."""
    return path.is_relative_to(folder) and ".." not in path.relative_to(folder).parts


def _read(name: str, path: Path) -> LicenseText:
    with path.open("rb") as stream:
        data = stream.read(LONGEST + 1)
        if len(data) <= LONGEST:
            return LicenseText(path, name, sha256(data), data.decode("utf-8-sig", "replace"))
    return LicenseText(path, name, sha256_file(path), None)
