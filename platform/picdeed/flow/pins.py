"""Which texts were the rules read from? Written down, so that a text that changes is noticed."""

from __future__ import annotations

from collections.abc import Iterable

from picdeed.core.events import Event
from picdeed.registry import ledger
from picdeed.registry.session import Registry, utc_now
from picdeed.registry.tables import fresh
from picdeed.registry.texts import LicenseText
from picdeed.rights.catalogue import Catalogue

CATALOGUE, FILE, FETCHED = "catalogue", "file", "fetched"


def pins(catalogue: Catalogue) -> tuple[tuple[str, str, str], ...]:
    """(licence or base, address, SHA-256) of every text that the rules were read from."""
    described = {**catalogue.licenses, **{n: b.terms for n, b in catalogue.bases.items()}}
    found: dict[tuple[str, str], str] = {}
    for name, terms in described.items():
        if terms.text_sha256:
            found.setdefault((_address(terms.text_source, terms.url), terms.text_sha256), name)
    return tuple(sorted((name, url, digest) for (url, digest), name in found.items() if url))


def _address(source: str, url: str) -> str:
    """Where the pinned bytes themselves lie; the licence's page where nobody wrote that down."""
    return source if source.startswith("https://") else url


def record_pins(
    registry: Registry, catalogue: Catalogue, others: Iterable[tuple[str, str, str, str]] = ()
) -> None:
    """Write down which texts the rules were read from, and `others` (licence, address, SHA-256,
    origin) that were seen; what was seen before is not written again.
    """
    at = utc_now()
    pinned = [(*pin, CATALOGUE) for pin in pins(catalogue)]
    rows = [
        LicenseText(url=url, sha256=digest, license=name, origin=origin, first_seen=at)
        for name, url, digest, origin in (*pinned, *others)
    ]
    # Asked first: whoever only looks takes no lock.
    with registry.read() as session:
        if not fresh(session, rows):
            return
    with registry.write() as session:
        new = fresh(session, rows)
        if new:
            payload = {"texts": [[row.url, row.sha256] for row in new]}
            ledger.write(session, Event.WATCH_SEEN, payload, new)
