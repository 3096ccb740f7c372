"""What do the sites that pictures came from say today? Recorded answers become claims.

Answers come from an evidence file (WARC or JSON Lines) or, only when asked for, from the network.
Either way the evidence is kept as a blob and every claim names its SHA-256. A site that reserves
nothing is a claim too: CHECKED, with the time of the answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from picdeed.core.errors import UsageError
from picdeed.core.events import Event, Progress, silent
from picdeed.core.ids import sha256_file
from picdeed.flow.asking import Ask, Asking
from picdeed.flow.statements import training_agents
from picdeed.registry import claims as claim_rows
from picdeed.registry import datasets, ledger, pictures
from picdeed.registry.session import Registry, Session
from picdeed.registry.tables import fresh
from picdeed.rights.catalogue import Catalogue
from picdeed.rights.claims import Claim, ClaimKind, ClaimSource, ClaimStatus
from picdeed.rights.signals import found as shapes
from picdeed.rights.signals import page, robots, tdmrep
from picdeed.rights.signals.headers import license_link, read_headers
from picdeed.sources import fetch as network
from picdeed.sources import responses as recorded
from picdeed.sources.responses import Chain, Evidence, Recorded

BATCH = 200

_PICTURE = "picture"
_SITE_FILES = (robots.ROBOTS_PLACE, tdmrep.PLACE, robots.AI_TXT_PLACE)
_OK, _CLIENT_ERROR, _SERVER_ERROR = range(200, 300), range(400, 500), range(500, 1000)
_TOO_MANY = 429  # says nothing about the file: the server was only busy


@dataclass(frozen=True, slots=True)
class Signals:
    """Counts are of pictures, each counted once: the worst that was found.

    `checked`: the picture's URL answered and nothing is reserved. `unreachable`: it was asked and
    gave no answer that counts. `not_checked`: no source URL is known, or nobody asked it.
    """

    checked: int
    opt_outs: int
    unreachable: int
    not_checked: int
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Work:
    """What one call knows: answers, where each is kept, and what came of the pictures so far."""

    registry: Registry
    aliases: Mapping[str, str]
    evidence: Evidence = field(default_factory=Evidence)
    kept_in: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    warnings: dict[str, None] = field(default_factory=dict)


def signals(
    registry: Registry,
    catalogue: Catalogue,
    dataset: str | None = None,
    *,
    responses: Path | None = None,
    fetch: bool = False,
    ask: Ask = network.fetch,
    progress: Progress = silent,
) -> Signals:
    """Read what the sites say of every picture of the dataset (or all) whose source URL is known.

    One transaction a batch; repeating it with the same evidence changes nothing. Raises
    UsageError without evidence and without `fetch`, SourceError when the evidence cannot be read
    (nothing is recorded then).
    """
    if responses is None and not fetch:
        raise UsageError(
            "There is nothing to read signals from; nothing was recorded.",
            hint="Name recorded responses with --evidence FILE, or ask the sites with --fetch.",
        )
    work = _Work(registry, catalogue.aliases)
    if responses is not None:
        work.evidence = recorded.responses(responses)
        digest = sha256_file(responses)
        for answers in work.evidence.by_url.values():
            work.kept_in.update((answer.sha256, digest) for answer in answers)
    with registry.read() as session:
        wanted = _source_urls(session, dataset)
    asking = Asking(ask, partial(_is_open, work), _SITE_FILES)
    order = sorted(wanted)
    for start in range(0, len(order), BATCH):
        batch = {picture: wanted[picture] for picture in order[start : start + BATCH]}
        if fetch:
            _ask_for(work, asking, batch)
        _record(work, {picture: _read(work, urls) for picture, urls in batch.items()}, responses)
        progress("signals", min(start + BATCH, len(order)), len(order))
    return Signals(
        checked=work.counts["checked"],
        opt_outs=work.counts["opt_outs"],
        unreachable=work.counts["unreachable"],
        not_checked=work.counts["not_checked"],
        warnings=tuple(work.warnings),
    )


def _source_urls(session: Session, dataset: str | None) -> dict[str, list[str]]:
    """The source URLs that are claimed, by picture; an empty list where none is."""
    if dataset is None:
        ids = pictures.all_ids(session)
    else:
        home = datasets.by_name(session, dataset)
        ids = [member.picture_id for member in datasets.members(session, home.id)]
    said = claim_rows.in_force(session, ids)
    return {
        picture: sorted(
            {c.raw.strip() for c in said.get(picture, ()) if c.kind == ClaimKind.SOURCE_URL}
        )
        for picture in ids
    }


def _ask_for(work: _Work, asking: Asking, batch: Mapping[str, Sequence[str]]) -> None:
    """Ask what the evidence lacks, keep the answers, and read them back as they are kept."""
    urls = sorted({url for said in batch.values() for url in said})
    answers = asking.round(urls, work.evidence)
    if not answers:
        return
    lines = recorded.lines_of(answers)
    digest = work.registry.blobs.put(lines)
    for found in recorded.read_lines(lines, "fetched responses").by_url.values():
        for answer in found:
            work.evidence.add(answer)
            work.kept_in[answer.sha256] = digest


def _is_open(work: _Work, evidence: Evidence, url: str) -> bool:
    """Whether the site's robots.txt lets us ask for the picture itself."""
    origin = recorded.origin_of(url)
    return not any(
        claim.kind is ClaimKind.OPT_OUT or claim.status is not ClaimStatus.PARSED
        for chain in evidence.chains(f"{origin}{robots.ROBOTS_PLACE}")
        for claim in _site_claims(work, robots.ROBOTS_PLACE, chain, url)
    )


def _read(work: _Work, urls: Sequence[str]) -> list[Claim]:
    """All claims about one picture, and its place in the counts."""
    claims: list[Claim] = []
    silent_ = asked = False
    for url in urls:
        if recorded.origin_of(url) is None:
            work.warnings[f"{url[:200]!r} is no web address; it was not checked"] = None
            continue
        chains = work.evidence.chains(url)
        asked = asked or bool(chains)
        silent_ = silent_ or any(not _arrived(chain) for chain in chains)
        for chain in chains:
            claims += _picture_claims(work, chain)
        hops = {answer.url for chain in chains for answer in chain.answers} | {url}
        for hop in sorted(hops):
            claims += _site(work, hop)
    if any(claim.kind is ClaimKind.OPT_OUT for claim in claims):
        work.counts["opt_outs"] += 1
    elif silent_ or any(claim.status is ClaimStatus.UNREADABLE for claim in claims):
        work.counts["unreachable"] += 1
    elif asked:
        work.counts["checked"] += 1
    else:
        work.counts["not_checked"] += 1
    return claims


def _arrived(chain: Chain) -> bool:
    return chain.last is not None and chain.last.status in _OK


def _picture_claims(work: _Work, chain: Chain) -> list[Claim]:
    """What the answers for the picture's own URL say, every redirect on the way included."""
    claims: list[Claim] = []
    for answer in chain.answers:
        if answer.status:
            claims += [replace(c, observed_at=answer.fetched_at) for c in _answer(work, answer)]
    last = chain.last
    if last is None or not _arrived(chain):
        why = chain.problem or f"status {last.status if last else 0}"
        work.warnings[f"{chain.answers[0].url[:200]}: unreachable: {why}"] = None
    elif not any(claim.kind is ClaimKind.OPT_OUT for claim in claims):
        claims.append(_checked(work, ClaimSource.HTTP, _PICTURE, last))
    return claims


def _answer(work: _Work, answer: Recorded) -> Iterator[Claim]:
    agents, note = training_agents().names, _note(work, answer)
    yield from read_headers(answer.headers, work.aliases, agents, note=note)
    kind = answer.header("content-type")
    body = answer.body
    if body is None:
        if "html" in kind.lower() or "xml" in kind.lower():
            why = f"a page that was not kept whole; {note}"
            yield shapes.unreadable(ClaimSource.HTTP, answer.url, page.PARSER, why)
    elif page.is_rsl(body, kind):
        yield license_link(body[:1000].decode("utf-8", "replace"), ClaimSource.HTTP, note)
    elif page.is_page(body, kind):
        yield from page.read_page(body, work.aliases, agents, note=note)


def _site(work: _Work, url: str) -> Iterator[Claim]:
    """What the site's own files say about this URL."""
    origin = recorded.origin_of(url)
    if origin is None:
        return
    for place in _SITE_FILES:
        chains = work.evidence.chains(origin + place)
        if not chains:
            work.warnings[f"{origin}{place} is not in the evidence"] = None
        for chain in chains:
            yield from _site_claims(work, place, chain, url)


def _site_claims(work: _Work, place: str, chain: Chain, url: str) -> list[Claim]:
    last, source = chain.last, ClaimSource.SITE_FILE
    if last is None:
        work.warnings[f"{chain.answers[0].url[:200]}: unreachable: {chain.problem}"] = None
        return []
    note = _note(work, last)
    claims: list[Claim] = []
    if last.status in _OK:
        claims = _file_claims(place, last, url, note)
    elif last.status not in _CLIENT_ERROR or last.status == _TOO_MANY:
        work.warnings[f"{last.url[:200]}: unreachable: status {last.status}"] = None
        if place == robots.ROBOTS_PLACE and last.status in (*_SERVER_ERROR, _TOO_MANY):
            # RFC 9309, section 2.3.1.4: a server that fails has to be taken as closed.
            what, at = place.rpartition("/")[2], last.fetched_at
            return [shapes.unanswered(source, what, last.url, at, last.status, note)]
        return []
    if not any(claim.kind is ClaimKind.OPT_OUT for claim in claims):
        claims.append(_checked(work, source, place.rpartition("/")[2], last))
    return [replace(claim, observed_at=last.fetched_at) for claim in claims]


def _file_claims(place: str, answer: Recorded, url: str, note: str) -> list[Claim]:
    if answer.body is None:
        why = f"{place} that was not kept whole; {note}"
        return [shapes.unreadable(ClaimSource.SITE_FILE, answer.url, robots.PARSER, why)]
    text = answer.body.decode("utf-8-sig", "replace")
    if place == robots.ROBOTS_PLACE:
        return list(robots.read_robots(text, url, training_agents(), note=note))
    if place == tdmrep.PLACE:
        return list(tdmrep.read_tdmrep(text, url, note=note))
    return list(robots.read_ai_txt(text, note=note))


def _checked(work: _Work, source: ClaimSource, what: str, answer: Recorded) -> Claim:
    return shapes.checked(
        source,
        what,
        answer.url,
        answer.fetched_at,
        answer.sha256,
        answer.status,
        f"evidence sha256:{work.kept_in.get(answer.sha256, 'unknown')}",
    )


def _note(work: _Work, answer: Recorded) -> str:
    """Where a claim was found: URL, time, the record's hash and that of the file that holds it."""
    kept = work.kept_in.get(answer.sha256, "unknown")
    return (
        f"{answer.url[:500]} at {answer.fetched_at}, record sha256:{answer.sha256}; "
        f"evidence sha256:{kept}"
    )


def _record(work: _Work, said: Mapping[str, Sequence[Claim]], responses: Path | None) -> None:
    """One batch, one transaction; a file of evidence is kept before the claims that name it."""
    if not any(said.values()):
        return
    if responses is not None:
        work.registry.blobs.put_file(responses)
    with work.registry.write() as session:
        now = ledger.utc_now()
        rows = fresh(
            session,
            [
                claim_rows.new_claim(
                    picture, **{**claim.as_json(), "observed_at": claim.observed_at or now}
                )
                for picture, claims in said.items()
                for claim in claims
            ],
        )
        if rows:
            reserved = {r.picture_id for r in rows if r.kind == ClaimKind.OPT_OUT}
            unread = [r for r in rows if r.status != ClaimStatus.PARSED]
            payload = {
                "pictures": len({row.picture_id for row in rows}),
                "claims": len(rows),
                "opt_outs": len(reserved),
                "not_understood": len(unread),
                "agents": training_agents().version,
            }
            ledger.write(session, Event.SIGNALS_READ, payload, rows)
