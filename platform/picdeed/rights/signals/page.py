"""What does the page around a picture say: robots and TDM meta elements, licence links, RSL?"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

from picdeed.core.limits import DEFAULT, Limits
from picdeed.rights.claims import Claim, ClaimSource
from picdeed.rights.signals.found import unparsed, unreadable
from picdeed.rights.signals.headers import (
    RSL_TYPE,
    license_link,
    read_directives,
    usage_claim,
)
from picdeed.rights.signals.statement import read_statement
from picdeed.rights.signals.tdmrep import reservation_claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PARSER = "page/1"
_ROBOTS = frozenset({"robots", "x-robots-tag", "googlebot", "bingbot", "slurp", "msnbot"})
_ODD = ("tdm", "noai", "noimageai", "ai-training", "aipref")


def is_page(body: bytes, content_type: str) -> bool:
    """Whether these bytes are an HTML page, by what the server says or by how they begin."""
    start = body[:1024].replace(b"\0", b"").lower()
    return "html" in content_type.lower() or b"<html" in start or b"<!doctype html" in start


def is_rsl(body: bytes, content_type: str) -> bool:
    """Whether these bytes are an RSL document."""
    start = body[:4096].replace(b"\0", b"").lower()
    return RSL_TYPE in content_type.lower() or b"<rsl" in start or b"rslstandard.org" in start


def read_page(
    body: bytes,
    aliases: Mapping[str, str],
    agents: Iterable[str] = (),
    *,
    note: str = "",
    limits: Limits = DEFAULT,
) -> tuple[Claim, ...]:
    """Everything that a page's elements state; never raises, a broken page is UNREADABLE."""
    if len(body) > limits.xmp_bytes:
        return (unreadable(ClaimSource.HTTP, "", PARSER, f"a page of {len(body)} bytes; {note}"),)
    reader = _Elements()
    try:
        reader.feed(_text(body))
        reader.close()
    except (AssertionError, ValueError, RecursionError) as error:
        why = f"the page does not parse: {type(error).__name__}; {note}"
        return (
            *_claims(reader, aliases, agents, note, limits),
            unreadable(ClaimSource.HTTP, "", PARSER, why),
        )
    return tuple(dict.fromkeys(_claims(reader, aliases, agents, note, limits)))


class _Elements(HTMLParser):
    """Gathers meta elements, licence links and RSL islands."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.metas: list[tuple[str, str]] = []
        self.links: list[tuple[str, str]] = []
        self.islands = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said: dict[str, str] = {}
        for name, value in attrs:
            said.setdefault(name.lower(), value or "")
        kind = said.get("type", "").lower()
        if tag == "meta":
            name = said.get("name") or said.get("http-equiv") or said.get("property") or ""
            self.metas.append((name.strip().lower(), said.get("content", "")))
        elif tag in ("link", "a") and "license" in said.get("rel", "").lower().split():
            if tag == "link":  # a link in the text may be about something else on the page
                self.links.append((said.get("href", ""), kind))
        elif RSL_TYPE in kind:
            self.islands += 1


def _claims(
    page: _Elements, aliases: Mapping[str, str], agents: Iterable[str], note: str, limits: Limits
) -> list[Claim]:
    source = ClaimSource.HTTP
    known = {agent.lower() for agent in agents}
    claims: list[Claim] = []
    reservation = [value for name, value in page.metas if name == "tdm-reservation"]
    policies = [value for name, value in page.metas if name == "tdm-policy"]
    where = f"meta; {note}"
    claims += reservation_claims(
        ", ".join(reservation) if reservation else None,
        ", ".join(policies),
        source,
        limits,
        note=where,
    )
    for name, value in page.metas:
        if name in _ROBOTS or name in known:
            said = f"{name}: {value}" if name in known else value
            claims += read_directives(said, source, known, f"meta {name}; {note}")
        elif name == "content-usage":
            claims.append(usage_claim(f"meta {name}: {value}", source, note))
        elif name not in ("tdm-reservation", "tdm-policy") and any(odd in name for odd in _ODD):
            claims.append(unparsed(source, f"meta {name}: {value}", PARSER, f"unknown; {note}"))
    for target, kind in page.links:
        if RSL_TYPE in kind:
            claims.append(license_link(f"link rel=license {target}", source, note))
        else:
            claims.append(
                read_statement(
                    target, source, aliases, terms=True, note=f"link; {note}", limits=limits
                )
            )
    if page.islands:
        claims.append(license_link("RSL inside the page", source, note))
    return claims


def _text(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    return body.replace(b"\0", b"").decode("utf-8", "replace")
