"""What does a Debian copyright file say about an installed picture? One stanza, or nothing.

Paths in such a file are those of the source package (`16.04/x.jpg`), while the pictures lie
where the package put them (`/usr/share/backgrounds/x.jpg`). So stanzas are matched by the end
of the path, the longest agreement first, and where two stanzas fit equally well nothing is
claimed. Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debian_inspector.copyright import CopyrightFilesParagraph, DebianCopyright

from picdeed.core.errors import SourceError
from picdeed.sources.items import Statement, clean_text, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FORMAT = re.compile(
    rb"\s*format(-specification)?:\s*https?://(www\.)?debian\.org/doc/packaging-manuals/"
    rb"copyright-format/1\.0",
    re.IGNORECASE,
)
_PACKAGING = "debian/*"
_YEARS = r"(?:\d{4}(?:\s*[-\u2013]\s*(?:\d{2,4}|present))?[\s,.;]*)+"
_YEARS_FIRST = re.compile(rf"^(?:©|\(c\)|copyright|\s)*{_YEARS}", re.IGNORECASE)
_YEARS_LAST = re.compile(rf"[\s,;(]+{_YEARS}\)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stanza:
    """One `Files:` paragraph: its patterns, licence short name, holders and first line."""

    patterns: tuple[str, ...]
    license: str
    author: str
    line: int

    def same_terms(self, other: Stanza) -> bool:
        """Whether it makes no difference which of the two applies."""
        return (self.license, self.author) == (other.license, other.author)


@dataclass(slots=True)
class CopyrightTable:
    """The stanzas of one copyright file."""

    name: str
    stanzas: tuple[Stanza, ...]
    warnings: list[str] = field(default_factory=list)

    def lookup(self, relative: str, absolute: str | None = None) -> list[DebianRow]:
        """The one stanza that speaks of this file; none, with a warning, when several might."""
        path = (absolute or relative).lstrip("/")
        fitting = _literal(self.stanzas, path) or _wildcard(self.stanzas, path)
        if not fitting:
            self.warnings.append(f"{self.name}: no stanza speaks of {shown(relative)}")
            return []
        if not all(stanza.same_terms(fitting[0]) for stanza in fitting):
            lines = " and ".join(str(stanza.line) for stanza in fitting)
            self.warnings.append(
                f"{self.name}: the stanzas at lines {lines} might all speak of"
                f" {shown(relative)}; no licence was taken from them"
            )
            return []
        stanza = fitting[0]
        fields = {"license": stanza.license, "author": stanza.author}
        return [
            DebianRow(
                {name: text for name, text in fields.items() if text},
                f"{self.name} line {stanza.line}",
            )
        ]

    def unused(self) -> list[str]:
        """A copyright file covers a source package; what is not installed is no news."""
        return []


@dataclass(frozen=True, slots=True)
class DebianRow:
    """What a stanza says about one file."""

    fields: Mapping[str, str]
    where: str

    def statements(self) -> tuple[Statement, ...]:
        return tuple(Statement(name, text, self.where) for name, text in self.fields.items())


def is_copyright(data: bytes) -> bool:
    """Whether a file begins as machine-readable copyright format 1.0 must."""
    return _FORMAT.match(data.removeprefix(b"\xef\xbb\xbf")) is not None


def parse_copyright(data: bytes, name: str) -> CopyrightTable:
    """The stanzas in a copyright file. Raises SourceError when it cannot be read as one."""
    try:
        parsed = DebianCopyright.from_text(data.decode("utf-8-sig"))
    except (ValueError, TypeError, AttributeError, AssertionError, IndexError) as error:
        raise _broken(name, "it does not follow the format") from error
    stanzas = tuple(
        _stanza(paragraph)
        for paragraph in parsed.paragraphs
        if isinstance(paragraph, CopyrightFilesParagraph)
    )
    if not stanzas:
        raise _broken(name, "no paragraph begins with Files")
    table = CopyrightTable(name, stanzas)
    table.warnings += [
        f"{name}: the stanza at line {stanza.line} names no licence"
        for stanza in stanzas
        if not stanza.license
    ]
    return table


def _stanza(paragraph: CopyrightFilesParagraph) -> Stanza:
    holders = [_holder(str(one.dumps())) for one in paragraph.copyright.statements]
    return Stanza(
        patterns=tuple(str(pattern) for pattern in paragraph.files.values),
        license=clean_text((paragraph.license.name or "").strip()),
        author=clean_text("; ".join(holder for holder in holders if holder)),
        line=int(paragraph.get_first_last_line_numbers()[0]),
    )


def _holder(statement: str) -> str:
    """`2018. Ann Field` and `Ann Field, 2018` are both `Ann Field`."""
    return _YEARS_LAST.sub("", _YEARS_FIRST.sub("", statement.strip())).strip()


def _literal(stanzas: Sequence[Stanza], path: str) -> list[Stanza]:
    """Stanzas that spell out the file's name, those that agree on most folders before it."""
    agreeing: dict[int, list[Stanza]] = {}
    for stanza in stanzas:
        length = max(
            (_shared_end(pattern, path) for pattern in stanza.patterns if not _is_wild(pattern)),
            default=0,
        )
        agreeing.setdefault(length, []).append(stanza)
    longest = max(agreeing)
    return agreeing[longest] if longest else []


def _shared_end(pattern: str, path: str) -> int:
    """How many components of the two paths agree, from the file's name backwards."""
    shared = 0
    parts = zip(reversed(pattern.split("/")), reversed(path.split("/")), strict=False)
    for one, other in parts:
        if one != other:
            break
        shared += 1
    return shared


def _wildcard(stanzas: Sequence[Stanza], path: str) -> list[Stanza]:
    """The last stanza whose pattern fits an end of the path, and every later doubt.

    In the format the last matching paragraph applies. A pattern whose folder does not show in
    the installed path might still be meant, so it is returned too: then they must agree.
    """
    ends = _ends(path)
    name = ends[-1]
    certain: list[Stanza] = []
    possible: list[Stanza] = []
    for stanza in stanzas:
        wild = [p for p in stanza.patterns if _is_wild(p) and p != _PACKAGING]
        if any(_expression(p).fullmatch(end) for p in wild for end in ends):
            certain, possible = [stanza], []
        elif any(_expression(p.rsplit("/", 1)[-1]).fullmatch(name) for p in wild):
            possible.append(stanza)
    return certain + possible


def _ends(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _is_wild(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _expression(pattern: str) -> re.Pattern[str]:
    """The format's own wildcards: * for any characters, slashes too, ? for one, \\ escapes."""
    pieces = re.findall(r"\\[*?\\]|.", pattern, re.DOTALL)
    # fnmatch knows the same two, does not backtrack, and would take brackets for a third.
    spelled = (f"[{piece[-1]}]" if len(piece) > 1 or piece == "[" else piece for piece in pieces)
    return re.compile(fnmatch.translate("".join(spelled)))


def _broken(name: str, why: str) -> SourceError:
    return SourceError(
        f"{name} cannot be used: {why}; nothing was registered.",
        hint="It must be machine-readable: "
        "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
    )
