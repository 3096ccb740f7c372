"""What do HTTP headers say: TDMRep, X-Robots-Tag, AIPREF, content signals, licence links?

X-Robots-Tag `noai` and `noimageai` come from DeviantArt (2022) and are no standard; `noindex` and
its like speak of search and are recorded only. AIPREF: draft-ietf-aipref-attach-05. RSL 1.0.
Pure: header pairs in, claims out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from picdeed.core.limits import DEFAULT, Limits
from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, clip
from picdeed.rights.signals.found import opt_out, recorded, unparsed, unreadable
from picdeed.rights.signals.statement import read_statement
from picdeed.rights.signals.tdmrep import reservation_claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARSER = "headers/1"
AIPREF = "aipref-attach-05"
RSL = "rsl-1.0"
SIGNALS = "content-signal/1"
RSL_TYPE = "application/rsl+xml"

_NO_AI = frozenset({"noai", "noimageai"})
_ABOUT_AI = re.compile(r"\bai\b|^no[\W_]*(?:image|gen)*[\W_]*ai|genai|train|mining|tdm|\bml\b")
_ODD_NAME = re.compile(
    r"tdm|(?:^|-)no-?(?:image-?)?ai(?:-|$)|(?:^|-)ai-|aipref|content-(?:usage|signal)"
)
_CLOSED_TO = frozenset({"none", "noindex"})
_LINK = re.compile(r"<([^<>]{0,4000})>([^<]{0,4000})")
_LICENSE_REL = re.compile(r";\s*rel\s*=\s*(?:\"[^\"]*\blicense\b[^\"]*\"|license\b)", re.IGNORECASE)
_SIGNAL = re.compile(r"([a-z][a-z-]*)\s*=\s*(yes|no)", re.IGNORECASE)
_KNOWN = frozenset(
    {"tdm-reservation", "tdm-policy", "x-robots-tag", "content-usage", "content-signal", "link"}
)

Headers = Mapping[str, Any] | list[tuple[str, str]] | tuple[tuple[str, str], ...]


def by_name(headers: Headers) -> dict[str, list[str]]:
    """Values by lower-case name, in their order; a value may be a list of values itself."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        values = value if isinstance(value, list | tuple) else [value]
        plain = str(name).strip().lower().rstrip(":")
        found.setdefault(plain, []).extend(str(each).strip() for each in values)
    return found


def parse_headers(text: str) -> list[tuple[str, str]] | None:
    """Header pairs from a JSON object, a JSON list of pairs, or `Name: value` lines; else None."""
    stripped = text.strip()
    if stripped.startswith(("{", "[")):
        try:
            return _pairs(json.loads(stripped, object_pairs_hook=list))
        except (ValueError, RecursionError):
            return None
    found: list[tuple[str, str]] = []
    for line in stripped.replace("\\r\\n", "\n").splitlines():
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t") and found:  # a folded line goes on with the one before
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        elif colon and name.strip() and " " not in name.strip():
            found.append((name, value))
        elif line.strip() and not line.upper().startswith("HTTP/"):
            return None
    return found


def _pairs(listed: Any) -> list[tuple[str, str]] | None:
    found: list[tuple[str, str]] = []
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, list | tuple) or len(entry) != 2:  # noqa: PLR2004 - a pair
            return None
        name, value = entry
        values = value if isinstance(value, list) else [value]
        if not isinstance(name, str) or any(
            isinstance(each, list | tuple | dict) for each in values
        ):
            return None
        found += [(name, "" if each is None else str(each)) for each in values]
    return found


def read_headers(
    headers: Headers,
    aliases: Mapping[str, str],
    agents: Iterable[str] = (),
    *,
    note: str = "",
    limits: Limits = DEFAULT,
) -> tuple[Claim, ...]:
    """Everything that the headers of one response state about mining, training and licences.

    Names and values are compared whatever their case; headers sent twice are joined. `agents`:
    names of crawlers that gather for training; `noindex` for one of them asks for a person.
    """
    said = by_name(headers)
    source = ClaimSource.HTTP
    claims = list(
        reservation_claims(
            ", ".join(said["tdm-reservation"]) if "tdm-reservation" in said else None,
            ", ".join(said.get("tdm-policy", ())),
            source,
            limits,
            note=note,
        )
    )
    if "x-robots-tag" in said:
        value = ", ".join(said["x-robots-tag"])
        claims += read_directives(value, source, agents, f"X-Robots-Tag; {note}")
    for value in said.get("content-usage", ()):
        claims.append(usage_claim(f"Content-Usage: {value}", source, note))
    for value in said.get("content-signal", ()):
        claims += signal_claims(value, source, note)
    for value in said.get("link", ()):
        claims += _links(value, aliases, note, limits)
    for name, values in said.items():
        if name not in _KNOWN and _ODD_NAME.search(name):
            raw = f"{name}: {', '.join(values)}"
            claims.append(unparsed(source, raw, PARSER, f"a header nobody knows; {note}"))
    return tuple(dict.fromkeys(claims))


def read_directives(
    value: str, source: ClaimSource, agents: Iterable[str] = (), note: str = ""
) -> Iterator[Claim]:
    """The directives of X-Robots-Tag or of a robots meta element: `agent: noai, noimageai`."""
    known = {agent.lower() for agent in agents}
    agent = ""
    quiet = []
    for part in value.replace(";", ",").split(","):
        head, colon, tail = part.partition(":")
        named = head.strip().lower()
        word = part.strip().lower()
        if colon and not named.startswith(("max-", "unavailable_after")):
            agent, word = named, tail.strip().lower()
        raw = f"{agent}: {word}" if agent else word
        if word in _NO_AI:
            yield opt_out(source, value, raw, PARSER, note)
        elif _ABOUT_AI.search(word):
            yield unparsed(source, value, PARSER, f"a directive nobody knows: {word[:80]}; {note}")
        elif word in _CLOSED_TO and agent in known:
            yield unparsed(source, value, PARSER, f"{raw[:80]}: closed to a crawler; {note}")
        elif word:
            quiet.append(word)
    if quiet:
        yield recorded(source, value, PARSER, f"no signal about AI; {note}")


def usage_claim(raw: str, source: ClaimSource, note: str = "") -> Claim:
    """AIPREF: a draft whose vocabulary still moves, so a person reads it."""
    return unparsed(source, raw, AIPREF, f"AIPREF is a draft; {note}".rstrip("; "))


def license_link(raw: str, source: ClaimSource, note: str = "") -> Claim:
    """RSL: terms for crawlers that somebody has to read."""
    return unparsed(source, raw, RSL, f"RSL terms; {note}".rstrip("; "))


def signal_claims(value: str, source: ClaimSource, note: str = "") -> list[Claim]:
    """`Content-Signal: search=yes, ai-input=no, ai-train=no`."""
    raw = f"Content-Signal: {value}"
    found = {name.lower(): said.lower() for name, said in _SIGNAL.findall(value)}
    parts = [part for part in value.split(",") if part.strip()]
    claims = []
    if len(found) != len(parts) or not set(found) <= {"search", "ai-input", "ai-train"}:
        claims.append(unparsed(source, raw, SIGNALS, f"content signals nobody knows; {note}"))
    # Every pair counts, so that a second, laxer one does not cover the first.
    said = {(name.lower(), word.lower()) for name, word in _SIGNAL.findall(value)}
    if ("ai-train", "no") in said:
        claims.append(opt_out(source, raw, "ai-train=no", SIGNALS, note))
    elif ("ai-train", "yes") in said:
        claims.append(
            Claim(
                source,
                ClaimKind.OPT_IN,
                clip(raw),
                "ai-train=yes",
                ClaimStatus.PARSED,
                SIGNALS,
                f"a hint, no licence; {note}",
            )
        )
    if ("ai-input", "no") in said:
        kind, status = ClaimKind.NO_INFERENCE, ClaimStatus.PARSED
        claims.append(Claim(source, kind, clip(raw), "ai-input=no", status, SIGNALS, note))
    return claims


def _links(value: str, aliases: Mapping[str, str], note: str, limits: Limits) -> Iterator[Claim]:
    source = ClaimSource.HTTP
    if RSL_TYPE in value.lower():
        yield license_link(f"Link: {value}", source, note)
    for target, parameters in _LINK.findall(value):
        if _LICENSE_REL.search(parameters) and RSL_TYPE not in parameters.lower():
            yield read_statement(
                target, source, aliases, terms=True, note=f"Link; {note}", limits=limits
            )


def broken_headers(text: str, note: str) -> Claim:
    """Recorded headers that nobody can take apart."""
    return unreadable(ClaimSource.HTTP, text, PARSER, f"no HTTP headers; {note}")
