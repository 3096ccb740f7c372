"""What was stated about a picture, by whom, and could it be read? Claims only ever grow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from picdeed.core.ids import sha256
from picdeed.core.limits import DEFAULT, Limits
from picdeed.rights.expression import parse_license

if TYPE_CHECKING:
    from collections.abc import Mapping


class ClaimSource(StrEnum):
    """Where a statement was found."""

    CONTRACT = "contract"
    ITEM_METADATA = "item-metadata"
    PACKAGE_METADATA = "package-metadata"
    EMBEDDED_XMP = "embedded-xmp"
    EMBEDDED_IPTC = "embedded-iptc"
    EMBEDDED_EXIF = "embedded-exif"
    C2PA = "c2pa"
    HTTP = "http"
    SITE_FILE = "site-file"
    LIKENESS = "likeness"
    PERSON = "person"


class ClaimKind(StrEnum):
    """What a statement is about: first what only describes, then what can move a verdict."""

    TITLE = "title"
    SOURCE_URL = "source-url"
    CAPTION = "caption"
    CAPTION_AUTHOR = "caption-author"
    ACQUIRED_AT = "acquired-at"
    OPT_IN = "opt-in"
    NO_INFERENCE = "no-inference"
    AUTHOR = "author"
    HOLDER = "holder"
    LICENSOR = "licensor"
    LICENSE = "license"
    CAPTION_LICENSE = "caption-license"
    OPT_OUT = "opt-out"
    RIGHTS_STATEMENT = "rights-statement"
    SYNTHETIC = "synthetic"
    PERSONS = "persons"
    MODEL_RELEASE = "model-release"
    PROPERTY_RELEASE = "property-release"
    CHECKED = "checked"
    WAIVER = "waiver"
    ELECTION = "election"


class ClaimStatus(StrEnum):
    """Whether the words were understood: UNREADABLE is something seen that no parser could open."""

    PARSED = "parsed"
    UNPARSED = "unparsed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Claim:
    """One recorded statement. `raw` is what was found, `parsed` what it was read as.

    `parsed` by kind: an SPDX expression (LICENSE, CAPTION_LICENSE), one elected side of an OR
    (ELECTION), a signal's key (OPT_OUT, OPT_IN, NO_INFERENCE), one of `Statement`'s words
    (RIGHTS_STATEMENT), one of `Release`'s (MODEL_RELEASE, PROPERTY_RELEASE), "identifiable" or
    "none" (PERSONS), an ISO day (WAIVER), what was asked and found to reserve nothing (CHECKED),
    else the plain value. `observed_at` is ISO-8601 UTC, "" where no time is known.
    """

    source: ClaimSource
    kind: ClaimKind
    raw: str
    parsed: str | None
    status: ClaimStatus
    parser: str
    note: str = ""
    observed_at: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values under the fields' names."""
        return {
            "source": self.source.value,
            "kind": self.kind.value,
            "raw": self.raw,
            "parsed": self.parsed,
            "status": self.status.value,
            "parser": self.parser,
            "note": self.note,
            "observed_at": self.observed_at,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Claim:
        """What `as_json` gave. Raises KeyError or ValueError on anything else."""
        return cls(
            ClaimSource(row["source"]),
            ClaimKind(row["kind"]),
            str(row["raw"]),
            None if row["parsed"] is None else str(row["parsed"]),
            ClaimStatus(row["status"]),
            str(row["parser"]),
            str(row.get("note", "")),
            str(row.get("observed_at", "")),
        )


class Release(StrEnum):
    """What a model or property release covers, in the terms of PLUS."""

    UNLIMITED = "unlimited"
    LIMITED = "limited"
    NONE = "none"
    NOT_APPLICABLE = "not-applicable"


class Statement(StrEnum):
    """How a statement about rights was read; each of these asks for a person (R4)."""

    ALL_RIGHTS_RESERVED = "all-rights-reserved"
    MENTIONS_AI = "mentions-ai"
    UNREAD_TERMS = "unread-terms"


def license_claim(
    raw: str,
    source: ClaimSource,
    aliases: Mapping[str, str],
    *,
    parser: str = "license-expression",
    limits: Limits = DEFAULT,
) -> Claim:
    """A LICENSE claim; UNPARSED with the reason in `note` when the words name no exact licence."""
    read = parse_license(raw, aliases, limits)
    status = ClaimStatus.UNPARSED if read.expression is None else ClaimStatus.PARSED
    return Claim(
        source, ClaimKind.LICENSE, clip(raw, limits), read.expression, status, parser, read.why
    )


def plain_claim(
    kind: ClaimKind, raw: str, source: ClaimSource, *, parser: str, limits: Limits = DEFAULT
) -> Claim:
    """A claim that means what it says: an author, a title, a source URL."""
    text = clip(raw, limits)
    return Claim(source, kind, text, text.strip(), ClaimStatus.PARSED, parser)


def clip(raw: str, limits: Limits = DEFAULT) -> str:
    """`raw`, cut to the limit; a cut text ends in the hash of the whole, so that it is bound."""
    if len(raw) <= limits.caption_chars:
        return raw
    digest = sha256(raw.encode("utf-8", "surrogatepass"))
    return f"{raw[: limits.caption_chars]}… [{len(raw)} characters, sha256 {digest}]"
