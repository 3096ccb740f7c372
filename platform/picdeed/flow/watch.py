"""What runs out, and which licence texts are no longer those that the rules were read from?

Nothing is decided and nothing revoked here: a list for the person who has to act. With another
day as `at` the same list speaks of that day, from what is on record now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from picdeed.core.errors import UsageError
from picdeed.core.moments import later, moment
from picdeed.flow.forecast import losses
from picdeed.flow.pins import CATALOGUE, FETCHED, FILE, pins, record_pins
from picdeed.registry import expiry, facts, grants, texts
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.texts import LicenseText
from picdeed.rights.catalogue import Catalogue, plain_text
from picdeed.rights.claims import ClaimKind
from picdeed.rights.conclude import FRESHNESS
from picdeed.rights.notices import one_line
from picdeed.rights.verdict import Use

LONGEST_TEXT = 4 << 20
MOST_DAYS = 36_500
HTTP_OK = 200


class Ask(Protocol):
    """The bytes under an address, or why there are none."""

    def __call__(self, url: str) -> tuple[bytes | None, str]: ...


@dataclass(frozen=True, slots=True)
class Expiring:
    """One thing that ends. `id` is its own, or of the first of `pictures` that share the day.

    `kind`: grant, check, decision, approval, adapter or fact. `uses` are those that end with it.
    """

    kind: str
    id: str
    when: str
    what: str
    uses: tuple[str, ...]
    pictures: int | None = None


@dataclass(frozen=True, slots=True)
class ChangedText:
    """Another text under the same address. `was`, `now`: SHA-256; `pinned`: the rules know it."""

    license: str
    url: str
    was: str
    now: str
    first_seen: str
    origin: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class Watched:
    as_of: str
    days: int
    expiring: tuple[Expiring, ...]
    changed_texts: tuple[ChangedText, ...]
    unreachable: tuple[Mapping[str, str], ...]


def watch(
    registry: Registry,
    catalogue: Catalogue,
    *,
    days: int = 30,
    at: str | None = None,
    seen: Mapping[str, Path] | None = None,
    ask: Ask | None = None,
) -> Watched:
    """Everything that ends within `days` of `at` (now), or has ended.

    `seen` holds texts by the address where somebody found them; `ask` fetches those of the
    catalogue. A text that nobody saw before is recorded. Raises UsageError on an address that
    no licence has, recording nothing.
    """
    if not 0 <= days <= MOST_DAYS:
        raise UsageError(f"{days} days cannot be looked ahead.", hint=f"0 to {MOST_DAYS}.")
    now = at or utc_now()
    since, until = _shifted(now, -days), _shifted(now, days)
    known_at = max(now, utc_now())
    named = {url: _read(path) for url, path in (seen or {}).items()}
    sighted, unreachable = _look(registry, catalogue, named, ask)
    with registry.read() as session:
        expiring = [
            *_grants(session, now, until, known_at),
            *_checks(session, now, until),
            *_decisions(session, since, now, until),
            *_adapters(session, catalogue, (since, now, until), known_at),
            *_facts(session, now, until),
        ]
        changed = tuple(_changed(session, catalogue, sighted, since))
    expiring.sort(key=lambda one: (one.when, one.kind, one.id))
    return Watched(now, days, tuple(expiring), changed, unreachable)


def _shifted(than: str, days: int) -> str:
    try:
        return later(than, timedelta(days=days))
    except OverflowError:
        raise UsageError(f"{days} days from {than[:10]} is no date.") from None


def _grants(session: Session, now: str, until: str, known_at: str) -> Iterator[Expiring]:
    sizes = grants.sizes(session)
    for ends, row in expiry.grants_ending(session, until, known_at):
        verb = "ended" if ends <= now else "ends"
        said = f"the contract with {one_line(row.licensor, 200)} {verb}"
        if row.ended_because:
            said += f" ({one_line(row.ended_because, 200)})"
        survives = {"yes": "outlive it", "no": "end with it"}.get(
            row.survival, "may end with it: unknown"
        )
        said += f"; adapters and outputs {survives}"
        yield Expiring("grant", row.id, ends, said, tuple(row.actions), sizes.get(row.id, 0))


def _checks(session: Session, now: str, until: str) -> Iterator[Expiring]:
    """R9, as rights.conclude reckons it: an answer is believed for FRESHNESS, a waiver longer."""
    stale: dict[str, str] = {}
    for picture, observed, _ in expiry.last_said(session, ClaimKind.CHECKED):
        stale[picture] = max(stale.get(picture, ""), later(observed, FRESHNESS))
    for picture, _, day in expiry.last_said(session, ClaimKind.WAIVER):
        if picture in stale and day:
            stale[picture] = max(stale[picture], moment(day))
    days: dict[str, list[tuple[str, str]]] = {}
    for name, when in stale.items():
        if when <= until:
            days.setdefault(when[:10], []).append((when, name))
    for _, alike in sorted(days.items()):
        when, name = min(alike)
        verb = "grew stale" if when <= now else "grows stale"
        said = f"what the source answered {verb}: ask it again, or training is DENY (R9)"
        yield Expiring("check", name, when, said, (str(Use.TRAIN),), len(alike))


def _decisions(session: Session, since: str, now: str, until: str) -> Iterator[Expiring]:
    rows = expiry.decisions_expiring(session, since, until)
    newest = expiry.newest_alike(session, rows)
    for row in rows:
        if newest[row.id] > row.valid_until:
            continue  # the same question was answered again, for longer
        verb = "expired" if row.valid_until <= now else "expires"
        said = f"the decision {row.verdict} about {row.snapshot_id[:12]} {verb}: gate decides again"
        yield Expiring("decision", row.id, row.valid_until, said, tuple(row.uses))
    for passed, row in expiry.approvals_expiring(session, since, until):
        verb = "expired" if passed.until <= now else "expires"
        said = f"the approval by {one_line(passed.by, 200)} {verb}: the decision is REVIEW again"
        yield Expiring("approval", row.id, passed.until, said, tuple(row.uses))


def _adapters(
    session: Session, catalogue: Catalogue, span: tuple[str, str, str], known_at: str
) -> Iterator[Expiring]:
    since, now, until = span
    for loss in losses(session, catalogue, since=since, until=until, known_at=known_at):
        verb = "lost" if loss.when <= now else "loses"
        said = f"{verb} {', '.join(loss.uses)}: {loss.why}"
        yield Expiring("adapter", loss.adapter, loss.when, said, loss.uses)


def _facts(session: Session, now: str, until: str) -> Iterator[Expiring]:
    corrected: set[tuple[str, str]] = set()
    for row in facts.all_facts(session):
        if now < row.since <= until and (row.name, row.since) not in corrected:
            corrected.add((row.name, row.since))
            said = f"{row.name} becomes {row.value}"
            yield Expiring("fact", row.id, row.since, said, ())


def _read(path: Path) -> bytes:
    if path.stat().st_size > LONGEST_TEXT:
        raise UsageError(
            f"{path} is longer than {LONGEST_TEXT >> 20} MiB; nothing was recorded.",
            hint="Name the licence's text itself.",
        )
    return path.read_bytes()


def _look(
    registry: Registry, catalogue: Catalogue, named: Mapping[str, bytes], ask: Ask | None
) -> tuple[dict[str, str], tuple[Mapping[str, str], ...]]:
    """Record what is pinned, what was handed in and what can be fetched.

    Gives the hash that was seen now by address, and which addresses gave nothing.
    """
    known = pins(catalogue)
    names = {url: name for name, url, _ in known}
    for url in named:
        if url not in names:
            raise UsageError(
                f"No licence of the catalogue has its text at {one_line(url, 200)}; "
                "nothing was recorded.",
                hint="Addresses: " + ", ".join(sorted(names)[:3]) + ", ...",
            )
    unreachable = []
    found = [(FILE, url, data) for url, data in named.items()]
    answers = {url: ask(url) for url in sorted(names)} if ask is not None else {}
    for url, (data, why) in answers.items():
        if data is None:
            unreachable.append({"url": url, "why": one_line(why, 300)})
        else:
            found.append((FETCHED, url, data))
    kept = [(origin, url, _keep(registry, data)) for origin, url, data in found]
    record_pins(registry, catalogue, [(names[url], url, d, origin) for origin, url, d in kept])
    return {url: digest for _, url, digest in kept}, tuple(unreachable)


def _keep(registry: Registry, data: bytes) -> str:
    """The text as texts are pinned, kept as a blob: line ends and trailing blanks do not count."""
    text = data.decode("utf-8", "backslashreplace")
    return registry.blobs.put(plain_text(text).encode())


def fetch_text(url: str) -> tuple[bytes | None, str]:
    """The bytes that a public server gives for an address, or why none can be held against it."""
    from picdeed.sources.fetch import fetch

    answer = fetch(url)[-1]
    if answer.status == HTTP_OK and answer.body is not None:
        return answer.body, ""
    return None, answer.problem or f"the server answered {answer.status}"


def _changed(
    session: Session, catalogue: Catalogue, sighted: Mapping[str, str], since: str
) -> Iterator[ChangedText]:
    """Addresses whose newest text is not the pinned one, or became another since `since`."""
    pinned = {(url, digest) for _, url, digest in pins(catalogue)}
    by_url: dict[str, list[LicenseText]] = {}
    for row in texts.all_texts(session):
        by_url.setdefault(row.url, []).append(row)
    for url, rows in sorted(by_url.items()):
        # In one event the pin comes first: what was seen is held against it.
        rows.sort(key=lambda row: (row.first_seen, row.origin != CATALOGUE, row.sha256))
        now = next((row for row in rows if row.sha256 == sighted.get(url)), rows[-1])
        known = (url, now.sha256) in pinned
        earlier = rows[: rows.index(now)]
        held = [row for row in rows if row is not now and (url, row.sha256) in pinned]
        was = next(reversed(earlier if known else held or earlier), None)
        if was is None or (known and now.first_seen < since):
            continue
        yield ChangedText(
            now.license, url, was.sha256, now.sha256, now.first_seen, now.origin, known
        )
