"""What do a base's folder, the hub it came from and a person say about its licence?

Facts with their source, and the files that prove them; rights settles what they come to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from picdeed.core.errors import UsageError
from picdeed.core.ids import canonical_json
from picdeed.flow.basefiles import RECORDED, Deed, read_deed
from picdeed.registry.blobs import Blobs
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.expression import NOASSERTION, spelling
from picdeed.rights.weights import Fact, Voice, by_text, by_words, settle
from picdeed.sources import modelcard

NOBODY = "somebody who gave no name"
NOTICES = ("NOTICE", "NOTICE.txt", "NOTICE.md")
LONGEST_DEED = 4 << 20
LONGEST_NOTICE = 1 << 20
_HINT = (
    "Correct the one that is wrong, or say in your name which holds: "
    "--license LICENSE --by NAME --because TEXT."
)


@dataclass(frozen=True, slots=True)
class Person:
    """What somebody says on the command line about a base's licence (asserted)."""

    license: str
    by: str = ""
    because: str = ""

    @property
    def answers(self) -> bool:
        """Whether somebody by name says why, so that it can outweigh what the files say."""
        return bool(self.by.strip() and self.because.strip())


@dataclass(frozen=True, slots=True)
class Told:
    """What lies in a base's folder: facts about its licence, its deed, and the files to keep."""

    facts: tuple[Fact, ...]
    deed: Deed | None
    papers: tuple[Path, ...]
    notice: Path | None


def told_by(folder: Path, catalogue: Catalogue, hub: str | None = None) -> Told:
    """Read the card, the licence texts and the deed; `hub` is where picdeed downloaded it from.

    Raises UsageError or IntegrityError naming a file that cannot be read.
    """
    card = modelcard.card_of(folder)
    if card.is_broken:
        raise UsageError(
            f"{folder / modelcard.CARD} speaks of a licence, and the YAML on top of it cannot be "
            "read. Nothing was recorded.",
            hint="Mend what stands between the two lines of ---.",
        )
    texts = modelcard.texts_of(folder, card.links)
    deed = _deed(folder)
    facts = [
        *_of_card(card, catalogue),
        *(_of_text(text, catalogue) for text in texts),
        *_of_deed(deed, catalogue),
        *_of_hub(hub, catalogue),
    ]
    papers = [text.path for text in texts if text.text is not None]
    if (folder / modelcard.CARD).is_file():
        papers.append(folder / modelcard.CARD)
    notice = next((folder / name for name in NOTICES if (folder / name).is_file()), None)
    if notice is not None and notice.stat().st_size > LONGEST_NOTICE:
        raise UsageError(
            f"{notice} is longer than {LONGEST_NOTICE >> 20} MiB.",
            hint="Cut it to what its licence asks to pass on.",
        )
    return Told(tuple(dict.fromkeys(facts)), deed, tuple(papers), notice)


def said_by(person: Person, catalogue: Catalogue) -> Fact:
    """A person's word; raises UsageError when it names no licence."""
    name = person.by.strip() or NOBODY
    fact = by_words(Voice.PERSON, name, person.license, catalogue, because=person.because)
    if fact.license is None:
        raise UsageError(
            f"--license {fact.said} names no licence that is known: {fact.how}. "
            "Nothing was recorded.",
            hint="Write its SPDX id or its full title with its version; docs/licenses.md names "
            "those that are described.",
        )
    return fact


def licensed(facts: Sequence[Fact], word: Fact | None, *, answered: bool) -> str:
    """The licence that the files, and a person's word about them, come to.

    Two files that name different licences are refused, and so is a word that differs from them
    or stands for a text that nobody read, unless a person answers for it by name and reason.
    """
    found = settle(facts)
    if word is None or word.license is None:
        if found.differing:
            raise UsageError(f"{_apart(found.differing)} Nothing was recorded.", hint=_HINT)
        return found.license
    others = [fact for fact in (*found.differing, *found.unread) if fact.license != word.license]
    if found.license not in (NOASSERTION, word.license):
        others = [fact for fact in facts if fact.license == found.license]
    if others and not answered:
        raise UsageError(
            f"{_apart((word, others[0]))} Nothing was recorded.",
            hint="Whoever overrides what lies in the folder says who they are and why: "
            "--by NAME --because TEXT.",
        )
    return word.license


def why_open(facts: Sequence[Fact]) -> str:
    """Why no licence is on record, in words for whoever added the base."""
    unread = settle(facts).unread
    if not unread:
        return "no card, licence text or deed in its folder names a licence"
    return "; ".join(_named(fact) for fact in unread)


def keep(blobs: Blobs, told: Told) -> str | None:
    """Keep the papers by their hashes; gives the hash of the base's own NOTICE."""
    for paper in told.papers:
        blobs.put_file(paper)
    return None if told.notice is None else blobs.put_file(told.notice)


def _apart(facts: Sequence[Fact]) -> str:
    said = ", ".join(map(_named, facts))
    return f"What is said of the licence of these weights does not agree: {said}."


def _named(fact: Fact) -> str:
    if fact.license is not None:
        where = "--license" if fact.voice is Voice.PERSON else fact.where
        return f"{where} names {fact.license}"
    return f"{fact.where} ({fact.said!r}) cannot be read as a licence: {fact.how}"


def _of_card(card: modelcard.Spoken, catalogue: Catalogue) -> Iterator[Fact]:
    for words in card.words:
        yield by_words(Voice.CARD, modelcard.CARD, words, catalogue)
    for link in modelcard.addresses_of(card.links):
        fact = by_words(Voice.CARD, modelcard.CARD, link, catalogue)
        if fact.license is not None:
            yield fact


def _of_text(found: modelcard.LicenseText, catalogue: Catalogue) -> Fact:
    if found.text is None:
        long = f"longer than {modelcard.LONGEST >> 20} MiB"
        return Fact(Voice.TEXT, found.name, "", None, long, found.sha256)
    return by_text(found.name, found.text, found.sha256, catalogue)


def _of_deed(deed: Deed | None, catalogue: Catalogue) -> Iterator[Fact]:
    if deed is not None and deed.license != NOASSERTION:
        yield by_words(Voice.DEED, "deed.json", deed.license, catalogue)


def _of_hub(hub: str | None, catalogue: Catalogue) -> Iterator[Fact]:
    """Models that configs/models names by their hub id: only where it was downloaded from there."""
    for base in catalogue.bases.values():
        if hub is not None and "/" in base.name and spelling(base.name) == spelling(hub):
            yield replace(
                by_words(Voice.HUB, hub, base.license, catalogue), how="configs/models names it"
            )


def _deed(folder: Path) -> Deed | None:
    path = folder / "deed.json"
    if not path.exists():
        return None
    if path.stat().st_size > LONGEST_DEED:
        raise UsageError(
            f"{path} is longer than {LONGEST_DEED >> 20} MiB. Nothing was recorded.",
            hint="A deed names what a base learned from; it does not hold it.",
        )
    deed = read_deed(folder)
    try:
        canonical_json(deed.content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be kept: {error}. Nothing was recorded.") from error
    if not all(isinstance(one, str) for one in (deed.name, deed.sha256, deed.license)):
        raise UsageError(
            f"{path}: name, sha256 and license are texts. Nothing was recorded.",
        )
    deed.content.pop(RECORDED, None)  # what the registry records is no word of a deed's
    return deed
