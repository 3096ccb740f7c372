"""What can a source yield? A picture to read, a file that is none, or one that cannot be read."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HEAD = 64
"""Bytes of a file that `is_picture` is asked about."""

_DESCRIBED = ("license", "author", "source_url", "title", "caption", "acquired_at")
_PEOPLE = ("caption_author", "caption_license", "persons", "model_release", "property_release")
ANSWERED = ("http_headers", "x_robots_tag", "tdm_reservation", "tdm_policy", "robots_txt")
"""What a server answered when the picture was fetched, at the time `fetched_at`."""

FIELDS = (*_DESCRIBED, *_PEOPLE, "licensor", *ANSWERED, "fetched_at")
"""What a table may say about a picture, see the contract's `ingest` row."""

_SUFFIXES = (
    "png apng jpg jpeg jpe jfif webp gif tif tiff bmp dib avif heic heif jp2 j2k jpx jxl"
    " svg svgz ico ppm pgm pbm pnm tga psd"
)
PICTURE_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class Origin(StrEnum):
    """Whether a statement was made about this one picture or about the package it came in."""

    ITEM = "item-metadata"
    PACKAGE = "package-metadata"


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a table, card or copyright file says about a picture, as it stands there.

    `field` is one of FIELDS; `where` names the place, such as `metadata.jsonl line 3`.
    """

    field: str
    value: str
    where: str
    origin: Origin = Origin.ITEM


@dataclass(frozen=True, slots=True)
class Item:
    """A would-be picture.

    `name` is the absolute path to show (members of an archive continue the archive's path) and
    `relative` the same from the source's root; both percent-escaped where a name is not UTF-8.
    `absolute` is the file on disk that holds the bytes, an archive or Parquet file perhaps.
    `read` gives the bytes and raises UnreadablePicture; call it before asking for the next
    item, because going back in a compressed archive is slow. Statements may contradict.
    """

    name: str
    relative: str
    absolute: Path
    read: Callable[[], bytes]
    caption: str | None = None
    statements: tuple[Statement, ...] = ()

    @property
    def origin(self) -> Origin:
        """Whose word `fields` is."""
        return Origin.ITEM

    @property
    def fields(self) -> Mapping[str, str]:
        """The first thing said about this picture itself, by field."""
        return _first(self.statements, Origin.ITEM)

    @property
    def package_fields(self) -> Mapping[str, str]:
        """The first thing said about the package it came in, by field."""
        return _first(self.statements, Origin.PACKAGE)


@dataclass(frozen=True, slots=True)
class Skipped:
    """No picture and none pretended: `why` in a few words."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A would-be picture that cannot be read; `reason` is a short machine word."""

    path: str
    reason: str
    message: str


Found = Item | Skipped | Refused


def shown(name: str) -> str:
    """A path fit for documents and terminals, percent-escaped component by component.

    A component is escaped when it is no valid UTF-8 (Python holds such bytes as lone
    surrogates) or contains control characters, which could rewrite a terminal's line.
    """
    return "/".join(_shown_part(part) for part in name.split("/"))


def _shown_part(part: str) -> str:
    raw = os.fsencode(part) if _is_bytes_name(part) else part.encode("utf-8", "surrogatepass")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return quote_from_bytes(raw, safe=_PRINTABLE)
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        return quote_from_bytes(raw, safe=_PRINTABLE)
    return text


def _is_bytes_name(part: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in part)


def clean_text(text: str) -> str:
    """Text that every database and document can hold: lone surrogates and NULs are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def has_picture_suffix(name: str) -> bool:
    """Whether a file of this name pretends to be a picture."""
    return PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES


def _first(statements: tuple[Statement, ...], origin: Origin) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for statement in statements:
        if statement.origin is origin:
            found.setdefault(statement.field, statement.value)
    return found
