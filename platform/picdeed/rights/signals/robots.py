"""What do a site's files for crawlers say about one of its pictures: robots.txt and ai.txt?

RFC 9309; AIPREF's Content-Usage (draft-ietf-aipref-attach-05), Content-Signal and RSL's License
lines stand in robots.txt too. A site that shuts out any crawler that gathers for training, or
picdeed itself, from a picture's path has reserved that picture.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from picdeed.core.ids import sha256
from picdeed.rights.claims import Claim, ClaimSource
from picdeed.rights.signals.found import opt_out, path_of, unparsed, unreadable
from picdeed.rights.signals.headers import license_link, signal_claims, usage_claim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from picdeed.rights.signals.agents import Agents

PARSER = "robots/1"
AI_TXT = "ai.txt/1"
ROBOTS_PLACE, AI_TXT_PLACE = "/robots.txt", "/ai.txt"

_MOST = 4 << 20  # RFC 9309, section 2.5, asks for at least 500 KiB
_LINE = re.compile(
    r"^[ \t]*(user-agent|content-usage|content-signal|license)[ \t]*:[ \t]*([^\r\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_RULE = re.compile(
    r"^[ \t]*(?:user-?agent|disallow|allow|sitemap|crawl-delay|content-(?:usage|signal)|license)"
    r"[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_MARKUP = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|head|body|\?xml|script)", re.IGNORECASE | re.DOTALL
)


def read_robots(text: str, url: str, agents: Agents, *, note: str = "") -> tuple[Claim, ...]:
    """Claims about the picture at `url` from its site's robots.txt; none when it is open.

    Never raises: what is no robots.txt (a page, mostly) is UNREADABLE.
    """
    source = ClaimSource.SITE_FILE
    text = text.removeprefix("\ufeff")
    if len(text) > _MOST:
        return (unreadable(source, "", PARSER, f"robots.txt of {len(text)} characters; {note}"),)
    if text.strip() and not _RULE.search(text) and _MARKUP.match(text):
        return (unreadable(source, text[:300], PARSER, f"a page in its place; {note}"),)
    claims = list(_lines(text, note))
    try:
        shut = _shut_out(text, url, agents)
    except (ValueError, RecursionError) as error:
        why = f"robots.txt cannot be applied to this URL: {type(error).__name__}; {note}"
        claims.append(unreadable(source, text[:300], PARSER, why))
        shut = []
    if shut:
        raw = f"robots.txt (sha256 {_digest(text)}) disallows {', '.join(shut)} at {path_of(url)}"
        key = f"robots.txt disallows {', '.join(shut[:3])}" + (", ..." if len(shut) > 3 else "")  # noqa: PLR2004
        parser = f"{PARSER} agents {agents.version}"
        claims.append(opt_out(source, raw, key, parser, note))
    return tuple(dict.fromkeys(claims))


def read_ai_txt(text: str, *, note: str = "") -> tuple[Claim, ...]:
    """Spawning's ai.txt was never specified to the letter: one that says anything is REVIEW."""
    source = ClaimSource.SITE_FILE
    if _MARKUP.match(text):
        return (unreadable(source, text[:300], AI_TXT, f"a page in its place; {note}"),)
    lines = [line.partition("#")[0].strip() for line in text.removeprefix("\ufeff").splitlines()]
    if not any(lines):
        return ()
    raw = "\n".join(line for line in lines if line)[:1000]
    return (unparsed(source, raw, AI_TXT, f"sha256 {_digest(text)}; {note}"),)


def _lines(text: str, note: str) -> Iterator[Claim]:
    source = ClaimSource.SITE_FILE
    for name, value in _LINE.findall(text):
        said = value.partition("#")[0].strip()
        field = name.lower()
        if field == "content-usage":
            yield usage_claim(f"{name}: {said}", source, note)
        elif field == "content-signal":
            yield from signal_claims(said, source, note)
        elif field == "license":
            yield license_link(f"{name}: {said}", source, note)


def _shut_out(text: str, url: str, agents: Agents) -> list[str]:
    """The agents that may not fetch `url`, in the list's order."""
    rules = _parsed(text)
    named = [
        value.partition("#")[0].strip().lower()
        for f, value in _LINE.findall(text)
        if f.lower() == "user-agent"
    ]
    shut = []
    others: bool | None = None  # whoever is not named stands under `*`: asked once for all
    for agent in agents.names:
        name = agent.lower()
        if any(each and each != "*" and (each in name or name in each) for each in named):
            open_ = bool(rules.can_fetch(url, agent))
        else:
            if others is None:
                others = bool(rules.can_fetch(url, agent))
            open_ = others
        if not open_:
            shut.append(agent)
    return shut


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    from protego import Protego

    return Protego.parse(text)


@lru_cache(maxsize=64)
def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass"))
