"""How does a signal that somebody sent become a claim? The few shapes that all carriers share."""

from __future__ import annotations

from picdeed.core.ids import canonical_json
from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus, clip


def opt_out(source: ClaimSource, raw: str, key: str, parser: str, note: str = "") -> Claim:
    """A reservation that was understood: DENY."""
    kind = ClaimKind.OPT_OUT
    return Claim(source, kind, clip(raw), clip(key), ClaimStatus.PARSED, parser, note)


def unparsed(source: ClaimSource, raw: str, parser: str, note: str) -> Claim:
    """A signal that was recognised and whose meaning nobody can tell for sure: REVIEW."""
    kind = ClaimKind.OPT_OUT
    return Claim(source, kind, clip(raw), None, ClaimStatus.UNPARSED, parser, note)


def unreadable(source: ClaimSource, raw: str, parser: str, note: str) -> Claim:
    """Something that could hold a reservation and could not be read: REVIEW."""
    kind = ClaimKind.OPT_OUT
    return Claim(source, kind, clip(raw), None, ClaimStatus.UNREADABLE, parser, note)


def recorded(source: ClaimSource, raw: str, parser: str, note: str) -> Claim:
    """Words that are kept and move nothing, such as `noindex`."""
    kind = ClaimKind.RIGHTS_STATEMENT
    return Claim(source, kind, clip(raw), None, ClaimStatus.PARSED, parser, note)


def checked(  # noqa: PLR0917 - all of them make the record
    source: ClaimSource, what: str, url: str, at: str, sha256: str, status: int, note: str = ""
) -> Claim:
    """`what` was asked at `at` and reserves nothing; a later check is another claim."""
    raw = canonical_json({"url": url, "at": at, "sha256": sha256, "status": status}).decode()
    parser = "signals/1"
    kind = ClaimKind.CHECKED
    return Claim(source, kind, raw, what, ClaimStatus.PARSED, parser, note, observed_at=at)


def unanswered(  # noqa: PLR0917 - all of them make the record
    source: ClaimSource, what: str, url: str, at: str, status: int, note: str
) -> Claim:
    """`what` was asked at `at` and the server failed: REVIEW until it is asked and answers."""
    raw = canonical_json({"url": url, "at": at, "status": status}).decode()
    kind = ClaimKind.CHECKED
    return Claim(source, kind, raw, what, ClaimStatus.UNREADABLE, "signals/1", note, observed_at=at)


def path_of(url: str) -> str:
    """Path and query of a URL, at least `/`."""
    place = url.partition("#")[0].partition("://")[2]
    for at, letter in enumerate(place):
        if letter == "/":
            return place[at:]
        if letter == "?":
            return f"/{place[at:]}"
    return "/"
