"""Under which licence do a base's weights stand, when card, text, deed and person each say one?

Pure: what was said in, one licence out. Two that differ are a contradiction, and nothing here
chooses between them; what nobody could read is never taken for agreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from picdeed.rights.catalogue import text_digest
from picdeed.rights.expression import NOASSERTION, parse_license, spelling
from picdeed.rights.notices import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from picdeed.rights.catalogue import Catalogue

_HEAD = 6
"""Lines of a licence text, empty ones aside, among which its title is looked for."""

OTHER = frozenset({"other", "unknown"})
"""What the hub makes people write whose licence is not in its list."""

_LONGEST = 200
_FRAME = "#*=-_>~|\"'` \t"


class Voice(StrEnum):
    """Who says under which licence the weights stand."""

    CARD = "card"
    TEXT = "text"
    DEED = "deed"
    HUB = "hub"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was said. `where`: the file, the hub's name, or who the person is.

    `license` is the licence as the catalogue writes it; None when the words or the text name none
    that is known, and `how` then says why. Of a text `sha256` is that of the file's bytes. Short
    names without a version may mean each of `fits`; those in OTHER whatever lies beside them.
    """

    voice: Voice
    where: str
    said: str
    license: str | None
    how: str
    sha256: str | None = None
    because: str = ""
    fits: frozenset[str] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """Plain values under the fields' names."""
        return {
            "voice": self.voice.value,
            "where": self.where,
            "said": self.said,
            "license": self.license,
            "how": self.how,
            "sha256": self.sha256,
            "because": self.because,
        }


@dataclass(frozen=True, slots=True)
class Settled:
    """What the facts come to: NOASSERTION while they differ, or while one is unread.

    `differing` holds one fact for each licence that was named; `unread` those that leave open
    what is named.
    """

    license: str
    differing: tuple[Fact, ...]
    unread: tuple[Fact, ...]


def by_words(
    voice: Voice, where: str, words: str, catalogue: Catalogue, *, because: str = ""
) -> Fact:
    """A licence by its name, title, address, or the name of a model that everybody knows by it."""
    read = parse_license(words, _aliases(catalogue))
    tag = spelling(words)
    return Fact(
        voice,
        one_line(where, _LONGEST),
        one_line(words, _LONGEST),
        read.expression,
        "its words" if read.expression else one_line(read.why, _LONGEST),
        because=one_line(because),
        fits=frozenset(
            base.license for base in catalogue.bases.values() if tag in map(spelling, base.tags)
        ),
    )


def by_text(where: str, text: str, sha256: str, catalogue: Catalogue) -> Fact:
    """A licence by its text: the same words as a pinned one, else the title in its first lines.

    A title says nothing about the words below it, and `how` says which of the two it was.
    """
    head = _head(text)
    shown = one_line(head[0], _LONGEST) if head else ""

    def fact(license_id: str | None, how: str) -> Fact:
        return Fact(Voice.TEXT, one_line(where, _LONGEST), shown, license_id, how, sha256)

    digest = text_digest(text)
    pinned = [*catalogue.licenses.values(), *(base.terms for base in catalogue.bases.values())]
    same = {terms.id for terms in pinned if terms.text_sha256 == digest}
    if len(same) == 1:
        return fact(same.pop(), "its text, word for word")
    known = _aliases(catalogue)
    titled = {license_id for line in _titles(head) if (license_id := _title(line, known))}
    if len(titled) == 1:
        return fact(titled.pop(), "its title; the words below it were not compared")
    if same or titled:
        return fact(None, f"it names several: {', '.join(sorted(same | titled))}")
    return fact(None, "a text that no file in configs describes")


def settle(facts: Sequence[Fact]) -> Settled:
    """What all the facts together say; a person's word is weighed by whoever asked for it.

    What nobody could read leaves the licence open, for it may say anything. The exceptions are
    short names ("openrail++", "other") beside a text that was read and that they may mean.
    """
    read = [fact for fact in facts if fact.license is not None]
    told: dict[str, Fact] = {}
    for fact in read:
        told.setdefault(fact.license or NOASSERTION, fact)
    texts = {fact.license for fact in read if fact.voice is Voice.TEXT}
    unread = tuple(f for f in facts if f.license is None and not _points_at(f, texts))
    if len(told) > 1:
        return Settled(NOASSERTION, tuple(told.values()), unread)
    license_id = next(iter(told), NOASSERTION)
    return Settled(NOASSERTION if unread else license_id, (), unread)


def _points_at(fact: Fact, texts: Collection[str | None]) -> bool:
    other = bool(texts) and fact.said.casefold() in OTHER
    return fact.voice is not Voice.TEXT and (other or any(text in fact.fits for text in texts))


def _aliases(catalogue: Catalogue) -> Mapping[str, str]:
    """The catalogue's spellings, and those of base models' licences and their best known models."""
    found = dict(catalogue.aliases)
    for base in catalogue.bases.values():
        if base.license == "NONE":
            continue  # training from nothing is no licence of anybody's weights
        for text in (base.license, base.terms.name, base.terms.url, base.name):
            if text:
                found.setdefault(spelling(text), base.license)
    return found


def _head(text: str) -> list[str]:
    lines = (" ".join(line.strip(_FRAME).split()) for line in text.splitlines())
    return list(islice(filter(None, lines), _HEAD))


def _titles(head: Sequence[str]) -> Iterator[str]:
    """Each line, and each with the next: titles stand over two lines as often as not."""
    yield from head
    yield from (f"{one} {other}" for one, other in pairwise(head))


def _title(line: str, known: Mapping[str, str]) -> str | None:
    found = known.get(spelling(line))
    if found is not None or not line.casefold().startswith("copyright"):
        return found
    # "Copyright (c) 2023 Somebody CreativeML Open RAIL++-M License dated ...": one line for both.
    words = line.split()
    ends = (spelling(" ".join(words[at:])) for at in range(1, len(words)))
    return next((known[end] for end in ends if "licen" in end and end in known), None)
