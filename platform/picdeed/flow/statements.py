"""Which claims does one file bring? What stands in it, beside it, and what the user said of it all.

Shared by the stages that read pictures; it decides nothing: rights does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from picdeed.core.errors import UsageError
from picdeed.core.ids import sha256_file
from picdeed.core.limits import Limits
from picdeed.rights.claims import (
    Claim,
    ClaimKind,
    ClaimSource,
    ClaimStatus,
    license_claim,
    plain_claim,
)
from picdeed.rights.signals.statement import read_statement
from picdeed.rights.signals.xmp import read_xmp, unreadable

if TYPE_CHECKING:
    from picdeed.imaging.metadata import Embedded
    from picdeed.sources.items import Item

PARSER = "picdeed.statements/1"

_FIELDS = {
    "author": ClaimKind.AUTHOR,
    "holder": ClaimKind.HOLDER,
    "title": ClaimKind.TITLE,
    "source_url": ClaimKind.SOURCE_URL,
    "acquired_at": ClaimKind.ACQUIRED_AT,
}


@dataclass(frozen=True, slots=True)
class Given:
    """What the user says of a whole source on the command line."""

    license: str | None = None
    holder: str | None = None
    source_url: str | None = None
    evidence: Path | None = None
    strict: bool = False


def batch_claims(given: Given, aliases: Mapping[str, str]) -> list[Claim]:
    """Claims that hold for every picture of the source. UsageError: strict and unparsable."""
    note = ""
    if given.evidence is not None:
        note = f"evidence sha256:{sha256_file(given.evidence)}"
    claims = []
    if given.license:
        claim = license_claim(given.license, ClaimSource.PERSON, aliases)
        if given.strict and claim.status is not ClaimStatus.PARSED:
            raise UsageError(
                f"{given.license!r} is no licence that picdeed can parse ({claim.note}); "
                "nothing was registered.",
                hint="Write an SPDX expression such as CC-BY-4.0, or leave --strict out.",
            )
        claims.append(noted(claim, note))
    for kind, text in ((ClaimKind.HOLDER, given.holder), (ClaimKind.SOURCE_URL, given.source_url)):
        if text:
            said = plain_claim(kind, text, ClaimSource.PERSON, parser=PARSER)
            claims.append(noted(said, note))
    return claims


def noted(claim: Claim, note: str) -> Claim:
    """The claim with where it was found behind what its parser noted."""
    joined = "; ".join(part for part in (claim.note, note) if part)
    return Claim(
        claim.source, claim.kind, claim.raw, claim.parsed, claim.status, claim.parser, joined
    )


def item_claims(
    item: Item, embedded: Embedded, aliases: Mapping[str, str], limits: Limits
) -> tuple[list[Claim], list[str]]:
    """Claims of one file and the warnings that a person should read."""
    claims = [*_said(item, aliases), *_inside(embedded, aliases, limits)]
    warnings = []
    for claim in claims:
        if claim.kind is ClaimKind.OPT_OUT:
            warnings.append(f"{item.name}: opt-out from training inside: {claim.raw[:120]}")
        elif claim.kind is ClaimKind.LICENSE and claim.status is not ClaimStatus.PARSED:
            warnings.append(
                f"{item.name}: licence {claim.raw[:80]!r} is not one that picdeed can parse: DENY"
            )
    return claims, warnings


def _said(item: Item, aliases: Mapping[str, str]) -> list[Claim]:
    """Every row of every table that speaks of this file, contradictions included."""
    claims = []
    for said in item.statements:
        source = ClaimSource(said.origin)
        if not said.value.strip():
            continue
        if said.field == "license":
            claims.append(noted(license_claim(said.value, source, aliases), said.where))
        elif said.field in _FIELDS:
            kind = _FIELDS[said.field]
            claims.append(noted(plain_claim(kind, said.value, source, parser=PARSER), said.where))
    return claims


def _inside(embedded: Embedded, aliases: Mapping[str, str], limits: Limits) -> list[Claim]:
    """What the file's own bytes say."""
    claims: list[Claim] = []
    for packet in embedded.packets:
        claims += read_xmp(packet, aliases, limits)
    if embedded.xmp_net:
        claims.append(unreadable("bytes that look like XMP, which no parser gave"))
    if embedded.exif_copyright:
        claims.append(read_statement(embedded.exif_copyright, ClaimSource.EMBEDDED_EXIF, aliases))
    if embedded.exif_artist:
        claims.append(
            plain_claim(
                ClaimKind.AUTHOR, embedded.exif_artist, ClaimSource.EMBEDDED_EXIF, parser=PARSER
            )
        )
    if embedded.iptc.get("copyright"):
        claims.append(
            read_statement(embedded.iptc["copyright"], ClaimSource.EMBEDDED_IPTC, aliases)
        )
    if embedded.iptc.get("byline"):
        claims.append(
            plain_claim(
                ClaimKind.AUTHOR, embedded.iptc["byline"], ClaimSource.EMBEDDED_IPTC, parser=PARSER
            )
        )
    return claims
