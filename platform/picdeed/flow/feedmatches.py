"""Which of our pictures does a feed name, or what was revoked here? By hashes, looks and pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from picdeed.core.errors import UsageError
from picdeed.core.events import Progress
from picdeed.flow.edges import verdicts
from picdeed.flow.feeds import notes_on, whole_feed
from picdeed.flow.foreign import judged_by_looks, kind_by_looks
from picdeed.flow.listed import (
    BothWays,
    Listing,
    Side,
    candidates,
    compared,
    corners_by,
    kind_from,
)
from picdeed.flow.looks import code_row, corners_in
from picdeed.flow.matched import Against, Compared, Listed, Matched, gravest_first, turn_of
from picdeed.flow.pixels import hash_pixels
from picdeed.flow.protected import REVOKED, Work, works_of
from picdeed.imaging.codes import ALGORITHM
from picdeed.imaging.verify import PairKind
from picdeed.registry import codes, looks, pictures, protected, tombstones
from picdeed.registry.codes import CodeRow
from picdeed.registry.looks import TombstoneLook
from picdeed.registry.session import Registry, Session
from picdeed.registry.tombstones import Entry, Tombstone


def against_feed(
    registry: Registry, path: Path, rows: Sequence[CodeRow], progress: Progress
) -> Against:
    """A feed in a file, verified but not kept: nobody has to trust it in order to ask."""
    feed = whole_feed(path)
    header = feed.header
    kept = [
        tombstones.entry_row(header["feed"], header["salt"], entry, at="") for entry in feed.entries
    ]
    hash_pixels(registry, [row.picture_id for row in rows])
    with registry.read() as session:
        found = _by_hashes(session, rows, kept)
    if feed.looks:
        corners = _corners(registry, rows, progress)
        entries = {(row.feed, row.seq): row for row in kept}
        found += _by_looks(registry, rows, corners, [*feed.looks.values()], entries)
    count = Compared(len(rows), len(feed.entries))
    notes = notes_on(feed)
    return Against(str(path.absolute()), "feed", count, gravest_first(_once(found)), (), notes)


def against_tombstones(registry: Registry, rows: Sequence[CodeRow], progress: Progress) -> Against:
    """What was revoked here and kept its bytes, and every entry of every feed that was read."""
    with registry.read() as session:
        feeds = tombstones.salts(session)
    if feeds:
        hash_pixels(registry, [row.picture_id for row in rows])
    with registry.read() as session:
        usable = protected.usable(session)
        rows = [row for row in rows if row.picture_id in usable]
        works = [work for work in works_of(session) if work.why.word == REVOKED]
        said = looks.all_looks(session)
        kept = [
            row
            for feed, _ in tombstones.salts(session)
            for row in tombstones.entries(session, feed)
        ]
        found = _by_hashes(session, rows, kept)
    if not kept and not works:
        raise UsageError(
            "Nothing was revoked here and no feed was read; nothing was compared.",
            hint="picdeed tombstones read FILE reads another registry's feed.",
        )
    corners = _corners(registry, rows, progress) if works or said else []
    entries = {(row.feed, row.seq): row for row in kept}
    found += _by_looks(registry, rows, corners, said, entries)
    found += _by_pixels(registry, rows, corners, works, progress)
    other = sorted({one.algorithm for one in said if one.algorithm != ALGORITHM})
    notes = [f"written with {name}: compared by file and pixels only" for name in other]
    count = Compared(len(rows), len(works) + sum(1 for row in kept if row.seq))
    matches = gravest_first(_once(found))
    return Against("tombstones", "tombstones", count, matches, (), tuple(notes))


def _corners(registry: Registry, rows: Sequence[CodeRow], progress: Progress) -> list[BothWays]:
    return corners_by(registry, [row.picture_id for row in rows], progress)


def _by_hashes(
    session: Session, rows: Sequence[CodeRow], kept: Iterable[Tombstone]
) -> list[Matched]:
    """Pictures whose file or pixels an entry names under its feed's salt."""
    named: dict[str, list[Tombstone]] = {}
    salts = set()
    for row in kept:
        salts.add(row.salt)
        for one in (row.file_hash, row.pixels_hash):
            if one is not None:
                named.setdefault(one, []).append(row)
    ids = [row.picture_id for row in rows]
    digests = [("file", one, one.removeprefix("img_")) for one in ids]
    digests += [
        ("pixels", one, digest) for one, digest in tombstones.pixels_of(session, ids).items()
    ]
    return [
        Matched(
            picture,
            Listed(feed=row.feed, seq=row.seq),
            str(PairKind.SAME_PIXELS),
            0.0,
            "none",
            {"by": by, **_about(row)},
        )
        for by, picture, digest in digests
        for salt in sorted(salts)
        for row in named.get(tombstones.salted(salt, digest), ())
    ]


def _by_looks(
    registry: Registry,
    rows: Sequence[CodeRow],
    corners: Sequence[BothWays],
    said: Sequence[TombstoneLook],
    entries: dict[tuple[str, int], Tombstone],
) -> list[Matched]:
    """Pictures that look like what an entry's fingerprint is of; pixels are not at hand."""
    some = [one for one in said if one.algorithm == ALGORITHM]
    places = [corners_in(one) for one in some]
    with registry.read() as session:
        known = pictures.by_ids(session, [row.picture_id for row in rows] if some else [])
    found = []
    for one in candidates(Side(rows, corners), Listing([code_row(one) for one in some], places)):
        row, look = rows[one.at], some[one.listed]
        seen = (row, known[row.picture_id], corners[one.at])
        certain = judged_by_looks(one, seen, (look, places[one.listed]))
        if certain is None:
            continue
        by = {"by": "corners"} if one.distance is None else {"by": "code", "bits": one.distance}
        evidence = {**by, **_about(entries[look.feed, look.seq])}
        where = Listed(feed=look.feed, seq=look.seq)
        kind = kind_by_looks(certain)
        found.append(Matched(row.picture_id, where, kind, None, turn_of(one), evidence))
    return found


def _by_pixels(
    registry: Registry,
    rows: Sequence[CodeRow],
    corners: Sequence[BothWays],
    works: Sequence[Work],
    progress: Progress,
) -> Iterator[Matched]:
    """Copies of pictures of ours that were revoked."""
    ours = [work for work in works if work.look is None]
    places = [one for one, _ in _corners(registry, [work.code for work in ours], progress)]
    found = candidates(Side(rows, corners), Listing([work.code for work in ours], places))
    met = {(rows[one.at].picture_id, ours[one.listed].key): one for one in found}
    pairs = compared(registry, {(min(pair), max(pair)) for pair in met}, progress)
    with registry.read() as session:
        said = verdicts(codes.decisions(session))
    why = {work.key: work.why for work in ours}
    for (picture, work), one in met.items():
        pair = pairs[min(picture, work), max(picture, work)]
        kind = kind_from(pair, picture)
        if kind is PairKind.UNRELATED or (pair.a, pair.b) in said:
            continue
        about = {"ground": why[work].ground, "since": why[work].since}
        yield Matched(
            picture,
            Listed(picture=work),
            str(kind),
            pair.distance,
            turn_of(one),
            {**pair.evidence, **about},
            pair.evidence.get("edit"),
        )


def _about(row: Tombstone | Entry) -> dict[str, str]:
    return {"ground": row.ground, "since": row.effective}


def _once(found: Iterable[Matched]) -> Iterator[Matched]:
    """Of several matches of one picture with one entry the gravest: hashes were asked first."""
    seen = set()
    for one in found:
        key = (one.picture, one.listed)
        if key not in seen:
            seen.add(key)
            yield one
