"""What do all the tables and texts of one source say about one of its files?"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from picdeed.core.errors import UnreadablePicture
from picdeed.sources.items import Statement, clean_text, shown
from picdeed.sources.metadata import BESIDE, KEY, MetadataTable, parse_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from picdeed.core.limits import Limits
    from picdeed.sources.debian import CopyrightTable

_CAPTION_SUFFIX = ".txt"
_MAX_UTF8 = 4  # bytes of the longest character


@dataclass(slots=True)
class Annotations:
    """The table that the user named, tables found beside pictures, and what the package says.

    Every statement is kept, those of the named table first, then the nearest folder's: which
    of two contradicting statements counts is a question of rights and not of reading.
    """

    named: MetadataTable | CopyrightTable | None = None
    package: tuple[Statement, ...] = ()
    beside: dict[str, list[MetadataTable]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    whole: bool = True  # false for a single picture, whose neighbours are no news

    def add(self, relative: str, data: bytes, limits: Limits) -> None:
        """Take a `metadata.jsonl` or `metadata.csv` found at `relative`. Raises SourceError."""
        table = parse_table(data, relative, limits=limits)
        if table is None:
            self.warnings.append(f"{shown(relative)} has no column {KEY!r}; it was not used")
            return
        self.beside.setdefault(posixpath.dirname(relative), []).append(table)

    def of(self, relative: str, absolute: str | None = None) -> tuple[Statement, ...]:
        """All statements about the file at `relative` in the source, the package's last."""
        found: list[Statement] = []
        if self.named is not None:
            for row in self.named.lookup(relative, absolute):
                found.extend(row.statements())
        relative = relative.lstrip("/")  # an archive may hold absolute names
        folder = relative
        while folder:
            folder = posixpath.dirname(folder)
            below = posixpath.relpath(relative, folder) if folder else relative
            for table in self.beside.get(folder, ()):
                for row in table.lookup(below):
                    found.extend(row.statements())
        return (*found, *self.package)

    def caption(
        self,
        statements: Sequence[Statement],
        relative: str,
        read: Callable[[int], bytes | None],
        limits: Limits,
    ) -> str | None:
        """The first caption that a table gives, else what stands in the picture's NAME.txt.

        `read` gives at most so many bytes of that text, or None when there is none, and raises
        UnreadablePicture when there are more.
        """
        for statement in statements:
            if statement.field == "caption":
                return statement.value
        try:
            data = read(limits.caption_chars * _MAX_UTF8)
            text = clean_text((data or b"").decode("utf-8-sig").strip())
            if len(text) <= limits.caption_chars:
                return text or None
        except (UnicodeDecodeError, UnreadablePicture, OSError):
            pass
        self.warnings.append(f"{shown(caption_name(relative))}: no caption that can be read")
        return None

    def all_warnings(self) -> list[str]:
        """Everything a person should read, complete after the last file."""
        beside = [table for tables in self.beside.values() for table in tables]
        tables = [*([self.named] if self.named is not None else []), *beside]
        noted = [note for table in tables for note in table.warnings]
        if self.whole:
            noted += [note for table in tables for note in table.unused()]
        return list(dict.fromkeys([*self.warnings, *noted]))


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source is read: what is said of its files, what begins a picture, how much is much."""

    annotations: Annotations
    is_picture: Callable[[bytes], bool]
    limits: Limits


def is_table(relative: str) -> bool:
    """Whether this is a table that is found by itself."""
    return posixpath.basename(relative) in BESIDE


def caption_name(relative: str) -> str:
    """Where the caption of `a/b.png` would stand: `a/b.txt`."""
    return posixpath.splitext(relative)[0] + _CAPTION_SUFFIX


def absolute_of(root: Path, relative: str) -> str:
    """Where a file really lies, links in the way to the source resolved."""
    return str(root.resolve() / relative)
