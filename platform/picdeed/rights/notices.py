"""Who is to be named, under which licence, for what? The text that goes along with an adapter.

Pure: facts in, text out. Nothing is invented: what nobody recorded is said to be missing. The
same facts give the same bytes.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from picdeed.core.ids import canonical_json, sha256
from picdeed.rights.expression import leaves, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from picdeed.rights.catalogue import Catalogue
    from picdeed.rights.terms import Terms

SCHEMA = "picdeed.notices/1"
LONGEST = 2_000
"""Characters of one value; a longer one is cut and bound by the hash of the whole."""

NOT_RECORDED = "not recorded"
_RULE = "=" * 79
# What a text may hold of the format characters: joiners that scripts and emoji are spelled with.
_JOINERS = frozenset("\u200c\u200d")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Licences whose own text must go along: where a duty says "notice", and the GPL (2.0: 1, 3.0: 4).
_TEXT_DUTY = "notice"
_TEXT_FAMILIES = frozenset({"GPL"})
_INTRODUCTION = """\
Whose work is in here, under which licence it stands and what was done with it, as far as that
is on record. "not recorded" means that nobody said so; it does not mean that nobody is to be
named."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A grant in force over a picture: that there is one and with whom, not what it says."""

    id: str
    licensor: str


@dataclass(frozen=True, slots=True)
class Work:
    """One picture as it is to be credited; an empty tuple is a fact that nobody recorded.

    `license` is the concluded expression, `frozen_license` the one in the snapshot's leaf.
    `changed` says what was done with the picture. Of an erased one only the id is left.
    """

    id: str
    sha256: str
    license: str
    frozen_license: str
    changed: str
    titles: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    copyrights: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    caption_authors: tuple[str, ...] = ()
    contracts: tuple[Contract, ...] = ()
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """The pictures of one snapshot, and the run that learned from them, if it is about one."""

    snapshot: str
    root: str
    works: tuple[Work, ...]
    run: str | None = None


@dataclass(frozen=True, slots=True)
class BaseNotice:
    """A base model; `notice` is the text of its own NOTICE, None when it has none."""

    id: str
    name: str
    sha256: str
    license: str
    notice: str | None


@dataclass(frozen=True, slots=True)
class Notices:
    """What a set of adapters, or a snapshot, owes to name."""

    parts: tuple[Part, ...]
    bases: tuple[BaseNotice, ...] = ()

    @property
    def pictures(self) -> int:
        """How many pictures are named, each once for each part that holds it."""
        return sum(len(part.works) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Due:
    """A licence text that must go along; `text` is None when picdeed does not ship it."""

    license: str
    name: str
    url: str
    sha256: str
    text: str | None


def one_line(text: str, longest: int = LONGEST) -> str:
    r"""A value on one line that can forge nothing: blanks run together, what cannot be seen or
    turns the writing round becomes `\u202e`. Empty when nothing is left.
    """
    cut = ""
    if len(text) > longest:
        digest = sha256(text.encode("utf-8", "surrogatepass"))
        text, cut = text[:longest], f" [cut: {len(text)} characters, sha256 {digest}]"
    shown = "".join(map(_visible, " ".join(text.split())))
    return f"{shown}{cut}" if shown else ""


def lines_of(text: str) -> list[str]:
    """A text of several lines, each made harmless, trailing blanks dropped."""
    return [
        "".join(map(_visible, line.expandtabs(8).rstrip()))
        for line in text.replace("\r\n", "\n").replace("\r", "\n").strip("\n").split("\n")
    ]


def values(found: Iterable[str]) -> tuple[str, ...]:
    """Recorded values as they are shown: harmless, sorted, once each, without the empty ones."""
    return tuple(sorted({shown for text in found if (shown := one_line(text))}))


def missing(notices: Notices) -> dict[str, int]:
    """Of how many pictures the title, author, holder or source is not on record."""
    counted: Counter[str] = Counter()
    for part in notices.parts:
        for work in part.works:
            if work.erased:
                counted["erased"] += 1
                continue
            named = {
                "title": work.titles,
                "author": work.authors,
                "holder": work.holders,
                "source": work.sources,
            }
            counted.update(what for what, found in named.items() if not found)
    return dict(sorted(counted.items()))


def due_terms(notices: Notices, catalogue: Catalogue) -> dict[str, Terms]:
    """Licences whose text a duty asks to pass on, by id; texts are handed in under these ids."""
    found = {}
    for part in notices.parts:
        for expression in {work.license for work in part.works}:
            for name in _names(expression):
                terms = catalogue.licenses.get(name)
                if terms is not None and _passes_text_on(terms):
                    found[name] = terms
    for base in notices.bases:
        own = catalogue.under(base.license).terms
        if _passes_text_on(own):
            found.setdefault(base.license, catalogue.licenses.get(base.license, own))
    return dict(sorted(found.items()))


def due_texts(notices: Notices, catalogue: Catalogue, texts: Mapping[str, str]) -> tuple[Due, ...]:
    """The texts to append; `texts` holds those that picdeed ships, by licence id."""
    return tuple(
        Due(name, terms.name, terms.url, terms.text_sha256, texts.get(name))
        for name, terms in due_terms(notices, catalogue).items()
    )


def as_text(notices: Notices, catalogue: Catalogue, texts: Mapping[str, str]) -> str:
    """The whole of NOTICES.txt."""
    return "\n".join(_lines(notices, catalogue, texts)) + "\n"


def as_json(notices: Notices, catalogue: Catalogue, texts: Mapping[str, str]) -> bytes:
    """The same as canonical JSON; of the licence texts only name, address and hash."""
    document = {
        "schema": SCHEMA,
        "parts": [
            {
                "snapshot": part.snapshot,
                "root": part.root,
                "run": part.run,
                "pictures": [_work_json(work, catalogue) for work in _in_order(part.works)],
            }
            for part in notices.parts
        ],
        "bases": [
            {
                "id": base.id,
                "name": base.name,
                "sha256": base.sha256,
                "license": base.license,
                "notice": None if base.notice is None else lines_of(base.notice),
            }
            for base in notices.bases
        ],
        "texts": [
            {
                "license": due.license,
                "url": due.url,
                "sha256": due.sha256 or None,
                "included": due.text is not None,
            }
            for due in due_texts(notices, catalogue, texts)
        ],
        "missing": missing(notices),
    }
    return canonical_json(document) + b"\n"


def _visible(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - 4 digits


def _passes_text_on(terms: Terms) -> bool:
    return _TEXT_DUTY in terms.duties or terms.family in _TEXT_FAMILIES


def _in_order(works: Iterable[Work]) -> list[Work]:
    """By licence, then by id: what stands together is passed on together."""
    return sorted(works, key=lambda work: (work.license, work.id))


def _lines(notices: Notices, catalogue: Catalogue, texts: Mapping[str, str]) -> Iterator[str]:
    yield from ("NOTICES", "", *_INTRODUCTION.split("\n"))
    absent = missing(notices)
    erased = absent.pop("erased", 0)
    if absent:
        yield ""
        yield "Not on record: " + ", ".join(f"{what} of {n}" for what, n in absent.items())
    if erased:
        yield f"Erased from the registry: {erased}"
    for part in notices.parts:
        yield from _part_lines(part, catalogue)
    for base in notices.bases:
        yield from _base_lines(base, catalogue)
    for due in due_texts(notices, catalogue, texts):
        yield from _due_lines(due)


def _part_lines(part: Part, catalogue: Catalogue) -> Iterator[str]:
    yield ""
    yield from ([f"Run: {part.run}"] if part.run else [])
    yield f"Snapshot: {part.snapshot}"
    yield f"Merkle root: {part.root}"
    yield f"Pictures: {len(part.works)}"
    held = Counter(work.license for work in part.works)
    before = None
    for number, work in enumerate(_in_order(part.works), 1):
        if work.license != before:
            yield from ("", _RULE, f"{work.license} ({held[work.license]})")
            yield from (_described(name, catalogue) for name in _names(work.license))
            yield _RULE
            before = work.license
        yield from _work_lines(number, work, catalogue)


def _names(expression: str) -> tuple[str, ...]:
    return leaves(tree_of(expression))


def _described(license_id: str, catalogue: Catalogue) -> str:
    """A licence by its name, which holds its version, its id and its address."""
    terms = catalogue.licenses.get(license_id)
    if terms is None:
        return f"{license_id}: no such licence is in the catalogue; name and address {NOT_RECORDED}"
    return f"{terms.name} ({license_id}), {terms.url or 'address ' + NOT_RECORDED}"


def _work_lines(number: int, work: Work, catalogue: Catalogue) -> Iterator[str]:
    yield ""
    yield f"[{number}] {work.id}"
    if work.erased:
        yield "    erased: picture, title, author and source were erased from the registry"
        yield f"    licence when frozen: {work.frozen_license}"
        yield f"    changed: {work.changed}"
        return
    yield from _field("title", work.titles)
    yield from _field("author", work.authors)
    yield from _field("holder", work.holders)
    yield from _field("copyright notice", work.copyrights)
    yield from _field("source", work.sources)
    if work.caption_authors:
        yield from _field("author of the caption", work.caption_authors)
    yield from _field("licence", [_described(name, catalogue) for name in _names(work.license)])
    if work.frozen_license != work.license:
        yield f"    licence when frozen: {work.frozen_license}"
    for contract in work.contracts:
        yield f"    contract: {contract.id} with {one_line(contract.licensor) or NOT_RECORDED}"
    yield f"    changed: {work.changed}"


def _field(label: str, found: Sequence[str]) -> Iterator[str]:
    yield from (f"    {label}: {value}" for value in found or (NOT_RECORDED,))


def _work_json(work: Work, catalogue: Catalogue) -> dict[str, Any]:
    terms = {name: catalogue.licenses.get(name) for name in _names(work.license)}
    return {
        "id": work.id,
        "sha256": work.sha256,
        "erased": work.erased,
        "title": list(work.titles),
        "author": list(work.authors),
        "holder": list(work.holders),
        "copyright_notice": list(work.copyrights),
        "source": list(work.sources),
        "caption_author": list(work.caption_authors),
        "license": work.license,
        "license_when_frozen": work.frozen_license,
        "license_urls": {name: said.url if said else None for name, said in terms.items()},
        "contracts": [{"id": one.id, "licensor": one_line(one.licensor)} for one in work.contracts],
        "changed": work.changed,
    }


def _base_lines(base: BaseNotice, catalogue: Catalogue) -> Iterator[str]:
    terms = catalogue.under(base.license).terms
    yield from ("", _RULE, f"Base model: {one_line(base.name)}", _RULE, "")
    yield f"Base: {base.id}"
    yield f"    weights: sha256 {base.sha256}"
    yield f"    licence: {one_line(base.license)}, {terms.url or 'address ' + NOT_RECORDED}"
    if base.notice is None:
        yield "    its own NOTICE: none lies in its folder"
        return
    yield "    its own NOTICE:"
    yield ""
    # Indented: a line of a foreign file must not look like one of ours.
    yield from (f"    {line}".rstrip() for line in lines_of(base.notice))


def _due_lines(due: Due) -> Iterator[str]:
    yield from ("", _RULE, f"Licence text: {due.name} ({due.license})", _RULE, "")
    if due.text is not None:
        yield from (f"    {line}".rstrip() for line in lines_of(due.text))
        return
    pinned = f"sha256 {due.sha256}" if due.sha256 else f"its hash is {NOT_RECORDED}"
    yield "The licence asks to pass this text on. It is not included here."
    yield f"    address: {due.url or NOT_RECORDED}"
    yield f"    text: {pinned}"
