"""What does the TDM Reservation Protocol say: headers, page, metadata, /.well-known/tdmrep.json?

TDMRep, W3C Community Group Final Report of 2024-05-10: tdm-reservation is 1 (reserved) or 0, and
tdm-policy is a URL. Everything else breaks the protocol and asks for a person.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from picdeed.core.limits import DEFAULT, Limits
from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, clip
from picdeed.rights.signals.found import opt_out, path_of, unparsed, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

PARSER = "tdmrep/1"
PLACE = "/.well-known/tdmrep.json"
_MAX_RULES = 10_000


def reservation_claims(
    reservation: str | None,
    policy: str | None,
    source: ClaimSource,
    limits: Limits = DEFAULT,
    *,
    note: str = "",
) -> tuple[Claim, ...]:
    """What one pair of values states; None: not there. An empty reservation is a mark all the same.

    Of several reservations in one value ("0, 1": headers that were sent twice) the strictest
    counts. A policy without a reservation is terms that nobody read.
    """
    words = {part.strip().strip("\"'") for part in (reservation or "").split(",")} - {""}
    said = "" if reservation is None else clip(f"tdm-reservation: {reservation}", limits)
    if policy and policy.strip():
        said = clip("\n".join(part for part in (said, f"tdm-policy: {policy}") if part), limits)
    if "1" in words:
        return (opt_out(source, said, "tdm-reservation=1", PARSER, note),)
    if words - {"0"}:
        return (unparsed(source, said, PARSER, f"neither 0 nor 1; {note}".rstrip("; ")),)
    if reservation is not None and not words:
        return (unparsed(source, said, PARSER, f"no value; {note}".rstrip("; ")),)
    if words == {"0"}:
        hint = f"a hint, no licence; {note}".rstrip("; ")
        parsed = "tdm-reservation=0"
        kind = ClaimKind.OPT_IN
        return (Claim(source, kind, said, parsed, ClaimStatus.PARSED, PARSER, hint),)
    if policy and policy.strip():
        why = f"a policy without a reservation; {note}".rstrip("; ")
        return (unparsed(source, said, PARSER, why),)
    return ()


def read_tdmrep(
    text: str, url: str, limits: Limits = DEFAULT, *, note: str = ""
) -> tuple[Claim, ...]:
    """Claims about the picture at `url` from its site's tdmrep.json; none where no rule fits.

    Never raises: what is no list of rules is UNREADABLE. The first rule that fits the path binds;
    one behind it that reserves more asks for a person, because writers differ about the order.
    """
    try:
        rules = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return (unreadable(ClaimSource.SITE_FILE, text[:1000], PARSER, f"no JSON; {note}"),)
    if isinstance(rules, dict):
        rules = [rules]
    if not isinstance(rules, list) or len(rules) > _MAX_RULES:
        return (unreadable(ClaimSource.SITE_FILE, text[:1000], PARSER, f"no rules; {note}"),)
    claims: list[Claim] = []
    for rule in rules:
        for claim in _rule(rule, path_of(url), limits, note):
            if claim.kind is ClaimKind.OPT_OUT and claim.status is ClaimStatus.PARSED and claims:
                later = "an earlier rule says otherwise"
                claims.append(unparsed(claim.source, claim.raw, PARSER, f"{later}; {note}"))
            else:
                claims.append(claim)
    return tuple(dict.fromkeys(claims))


def _rule(rule: Any, path: str, limits: Limits, note: str) -> Iterator[Claim]:
    source = ClaimSource.SITE_FILE
    raw = clip(json.dumps(rule, sort_keys=True, ensure_ascii=False), limits)
    if not isinstance(rule, dict):
        yield unparsed(source, raw, PARSER, f"no rule; {note}")
        return
    said = {str(key).strip().lower(): value for key, value in rule.items()}
    place, value = said.get("location"), said.get("tdm-reservation")
    if not isinstance(place, str):
        yield unparsed(source, raw, PARSER, f"a rule without a location; {note}")
        return
    if not _fits(place, path):
        return
    if isinstance(value, bool) or not isinstance(value, int | str):
        yield unparsed(source, raw, PARSER, f"a rule without a reservation; {note}")
        return
    policy = said.get("tdm-policy")
    for claim in reservation_claims(
        str(value), policy if isinstance(policy, str) else None, source, limits, note=note
    ):
        yield Claim(source, claim.kind, raw, claim.parsed, claim.status, claim.parser, claim.note)


def _fits(pattern: str, path: str) -> bool:
    """Robots' patterns (RFC 9309, section 2.2.3): a prefix, `*` for anything, `$` for the end."""
    pattern = pattern.strip()
    if not pattern.startswith(("/", "*")):
        pattern = f"/{pattern}"
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for piece in rest:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    if not pattern.endswith("$"):
        return True
    # The last piece must also be the end; `*` before it may swallow earlier copies of it.
    return path.endswith(rest[-1]) if rest else at == len(path)
