"""Which claims does one file bring? What stands in it, beside it, and what the user said of it all.

Shared by the stages that read pictures; it decides nothing: rights does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from picdeed.core.errors import UsageError
from picdeed.core.ids import hash_json, sha256_file
from picdeed.core.limits import Limits
from picdeed.core.resources import bundled
from picdeed.credentials.mining import ABSENT, Store
from picdeed.rights.claims import (
    Claim,
    ClaimKind,
    ClaimSource,
    ClaimStatus,
    license_claim,
    plain_claim,
)
from picdeed.rights.signals import found, headers, iptc, plus, robots, tdmrep
from picdeed.rights.signals.agents import Agents, load_agents
from picdeed.rights.signals.c2pa import read_c2pa
from picdeed.rights.signals.statement import read_remark, read_statement
from picdeed.rights.signals.xmp import read_xmp, unreadable
from picdeed.sources.items import ANSWERED
from picdeed.sources.responses import utc_of

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
    "licensor": ClaimKind.LICENSOR,
    "caption_author": ClaimKind.CAPTION_AUTHOR,
}
_RELEASES = {
    "model_release": ClaimKind.MODEL_RELEASE,
    "property_release": ClaimKind.PROPERTY_RELEASE,
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
    return replace(claim, note="; ".join(part for part in (claim.note, note) if part))


@lru_cache(maxsize=1)
def training_agents() -> Agents:
    """The list of crawlers that ships with picdeed."""
    return load_agents(bundled("configs"))


def item_claims(
    item: Item,
    embedded: Embedded,
    aliases: Mapping[str, str],
    limits: Limits,
    credentials: Store = ABSENT,
) -> tuple[list[Claim], list[str]]:
    """Claims of one file and the warnings that a person should read."""
    claims = [*_said(item, aliases), *_inside(embedded, aliases, limits)]
    claims += read_c2pa(
        credentials.report,
        present=credentials.present,
        problems=credentials.problems,
        limits=limits,
    )
    warnings = []
    answered, notes = _answered(item, aliases, limits)
    claims += answered
    warnings += notes
    for claim in claims:
        if claim.kind is ClaimKind.OPT_OUT:
            said = claim.raw[:120] or claim.note[:120]
            warnings.append(f"{item.name}: opt-out from training ({claim.source}): {said}")
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
        claim = None
        if said.field == "license":
            claim = license_claim(said.value, source, aliases)
        elif said.field == "caption_license":
            claim = replace(
                license_claim(said.value, source, aliases), kind=ClaimKind.CAPTION_LICENSE
            )
        elif said.field == "persons":
            claim = iptc.persons_claim(said.value, source, PARSER, word=True)
        elif said.field in _RELEASES:
            claim = plus.release_claim(_RELEASES[said.field], said.value, source, PARSER)
        elif said.field in _FIELDS:
            claim = plain_claim(_FIELDS[said.field], said.value, source, parser=PARSER)
        if claim is not None:
            claims.append(noted(claim, said.where))
    return claims


def _answered(
    item: Item, aliases: Mapping[str, str], limits: Limits
) -> tuple[list[Claim], list[str]]:
    """What servers answered, as tables recorded it: signals, or that nothing was reserved."""
    rows: dict[str, dict[str, str]] = {}
    for said in item.statements:
        if said.value.strip():
            rows.setdefault(said.where, {}).setdefault(said.field, said.value)
    claims: list[Claim] = []
    warnings = []
    for where, row in rows.items():
        asked = {name: row[name] for name in ANSWERED if name in row}
        if not asked:
            continue
        try:
            at = utc_of(row["fetched_at"]) if "fetched_at" in row else ""
        except ValueError:
            at = ""
            warnings.append(f"{item.name}: {where}: fetched_at is no ISO-8601 time; not used")
        signals = _signals_of(asked, row.get("source_url", ""), aliases, limits)
        claims += [replace(noted(claim, where), observed_at=at) for claim in signals]
        if at and not any(claim.kind is ClaimKind.OPT_OUT for claim in signals):
            claims.append(
                found.checked(
                    ClaimSource.HTTP,
                    ", ".join(asked),
                    row.get("source_url", ""),
                    at,
                    hash_json(asked),
                    0,
                    where,
                )
            )
    return claims, warnings


def _signals_of(
    asked: Mapping[str, str], url: str, aliases: Mapping[str, str], limits: Limits
) -> list[Claim]:
    agents = training_agents()
    claims: list[Claim] = []
    if "http_headers" in asked:
        pairs = headers.parse_headers(asked["http_headers"])
        if pairs is None:
            claims.append(headers.broken_headers(asked["http_headers"], "column http_headers"))
        else:
            claims += headers.read_headers(pairs, aliases, agents.names, limits=limits)
    if "x_robots_tag" in asked:
        claims += headers.read_directives(
            asked["x_robots_tag"], ClaimSource.HTTP, agents.names, "column x_robots_tag"
        )
    claims += tdmrep.reservation_claims(
        asked.get("tdm_reservation"), asked.get("tdm_policy"), ClaimSource.HTTP, limits
    )
    text = asked.get("robots_txt", "")
    if url:
        claims += robots.read_robots(text, url, agents, note="column robots_txt")
    elif "disallow" in text.lower():
        why = "column robots_txt without source_url: nobody can tell which rule applies"
        claims.append(found.unparsed(ClaimSource.SITE_FILE, text[:300], robots.PARSER, why))
    return claims


def _inside(embedded: Embedded, aliases: Mapping[str, str], limits: Limits) -> list[Claim]:
    """What the file's own bytes say."""
    claims: list[Claim] = []
    for packet in embedded.packets:
        claims += read_xmp(packet, aliases, limits)
    if embedded.xmp_net:
        claims.append(unreadable("bytes that look like XMP, which no parser gave"))
    # XMP that is broken is in `xmp_net` already.
    claims += [_broken(part) for part in embedded.unreadable if part != "xmp"]
    return [*claims, *_texts(embedded, aliases, limits)]


def _texts(embedded: Embedded, aliases: Mapping[str, str], limits: Limits) -> list[Claim]:
    """What EXIF, IPTC and the comments of the container say in words."""
    claims: list[Claim] = []
    exif, named = ClaimSource.EMBEDDED_EXIF, ClaimSource.EMBEDDED_IPTC
    for source, copyright_, author in (
        (exif, embedded.exif_copyright, embedded.exif_artist),
        (named, embedded.iptc.get("copyright"), embedded.iptc.get("byline")),
    ):
        if copyright_:
            claims.append(read_statement(copyright_, source, aliases))
        if author:
            claims.append(plain_claim(ClaimKind.AUTHOR, author, source, parser=PARSER))
    for place, text in embedded.notices:
        source = named if place.startswith("IPTC") else exif
        said = read_statement(text, source, aliases, note=place, limits=limits)
        # A licence's name in a comment field is a word, no grant.
        claims.append(
            replace(said, kind=ClaimKind.RIGHTS_STATEMENT, parsed=None)
            if said.kind is ClaimKind.LICENSE
            else said
        )
    for place, text in embedded.remarks:
        source = named if place.startswith("IPTC") else exif
        remark = read_remark(text, source, note=place, limits=limits)
        if remark is not None:
            claims.append(remark)
    return claims


def _broken(part: str) -> Claim:
    """EXIF or IPTC that is there and breaks off: its copyright notice may say anything."""
    source = ClaimSource.EMBEDDED_IPTC if part == "iptc" else ClaimSource.EMBEDDED_EXIF
    kind = ClaimKind.RIGHTS_STATEMENT
    return Claim(
        source, kind, "", None, ClaimStatus.UNREADABLE, PARSER, f"{part} that cannot be read"
    )
