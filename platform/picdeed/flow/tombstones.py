"""How do other registries learn what was revoked here, and this one what was revoked elsewhere?

A feed is a file of JSON Lines: a header, one entry for each revoked picture, and a signed head.
It names nobody's pictures: whoever has the same file, or the same pixels, finds them under the
feed's salt; whoever has not learns a number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.events import Event
from picdeed.core.ids import canonical_json, hash_json, sha256_file
from picdeed.flow.feeds import (
    MOST_LOOKS,
    Feed,
    bound,
    broken,
    feed_header,
    looks_header,
    notes_on,
    whole_feed,
)
from picdeed.flow.foreign import tombstone_claim
from picdeed.flow.grounds import Ground
from picdeed.flow.likeness import corners_of
from picdeed.flow.looks import as_json, look_of
from picdeed.flow.pixels import hash_pixels
from picdeed.flow.protected import Caught
from picdeed.imaging.codes import ALGORITHM
from picdeed.registry import claims as claim_rows
from picdeed.registry import codes, ledger, looks, pictures, revocations, tombstones
from picdeed.registry.codes import CodeRow
from picdeed.registry.heads import LedgerKey, load_key
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.signed import fingerprint, sign_document
from picdeed.registry.tables import Table, fresh, merged
from picdeed.registry.tombstones import Entry, Tombstone


@dataclass(frozen=True, slots=True)
class Exported:
    """`head` is the signed last line: whoever keeps it can prove a feed that was cut short.

    `fingerprints` is how many entries say how their picture looks; None where none was to.
    """

    path: Path
    sha256: str
    feed: str
    fingerprint: str
    entries: int
    head: Mapping[str, Any]
    fingerprints: int | None


@dataclass(frozen=True, slots=True)
class Match:
    """One picture of ours that a feed names, by its file or by its pixels alone."""

    picture: str
    by: str
    ground: str
    effective: str
    seq: int


@dataclass(frozen=True, slots=True)
class Tombstones:
    """What reading a feed came to. `new` entries of `entries`; `pending` are not revoked yet.

    `fingerprints` is how many entries say how their picture looks, `notes` what a person should
    know of them, `alike` pictures here that look like what they are of.
    """

    feed: str
    fingerprint: str
    entries: int
    new: int
    applied: bool
    matches: tuple[Match, ...]
    pending: tuple[Match, ...]
    fingerprints: int = 0
    notes: tuple[str, ...] = ()
    alike: tuple[Caught, ...] = ()


def export_tombstones(
    registry: Registry, to: Path, *, fingerprints: bool = False, privacy_too: bool = False
) -> Exported:
    """Write this registry's feed. The same revocations give the same bytes; entries only grow.

    With `fingerprints` each entry says how its picture looks, so that crops and mirrored copies
    are found too (the newest MOST_LOOKS of them). A fingerprint of a picture that was revoked for
    privacy is about that picture itself: only `privacy_too` gives it away.
    """
    key = load_key(registry.ledger_key)
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    with registry.read() as session:
        told = _fingerprinted(session, key, privacy_too=privacy_too) if fingerprints else {}
        header = tombstones.own_header(session, key)
        last, count = hash_json(header), 0
        first = looks_header(header) if fingerprints else header
        whole = hash_json(first)
        with part.open("wb") as stream:
            stream.write(canonical_json(first) + b"\n")
            for row in tombstones.entries(session, key.public):
                entry = _entry_of(row, last)
                line = asdict(entry)
                if fingerprints:
                    look = _look(registry, session, key.public, row.seq, told.get(row.seq))
                    whole = bound(entry.hash, look, whole)
                    line |= {"looks": look, "whole": whole}
                stream.write(canonical_json(line) + b"\n")
                last, count = entry.hash, row.seq
            said = {"schema": first["schema"], "seq": count, "hash": last}
            head = sign_document(key, said | ({"whole": whole} if fingerprints else {}))
            stream.write(canonical_json(head) + b"\n")
    part.replace(to)
    return Exported(
        to.absolute(),
        sha256_file(to),
        key.public,
        fingerprint(key.public),
        count,
        head,
        len(told) if fingerprints else None,
    )


def _fingerprinted(session: Session, key: LedgerKey, *, privacy_too: bool) -> dict[int, CodeRow]:
    """The codes that go with entries of our feed, by entry: of pictures whose bytes are here."""
    salt = tombstones.own_salt(key)
    ours = {
        tombstones.salted(salt, one.removeprefix("img_")): one for one in pictures.all_ids(session)
    }
    named = [
        (row.seq, ours[row.file_hash], row.ground)
        for row in tombstones.entries(session, key.public)
        if row.file_hash in ours
    ]
    private = {one for _, one, ground in named if ground == Ground.PRIVACY and not privacy_too}
    wanted = {seq: one for seq, one, _ in named if one not in private}
    rows = {
        row.picture_id: row for row in codes.of_pictures(session, set(wanted.values()), ALGORITHM)
    }
    held = [(seq, rows[one]) for seq, one in wanted.items() if one in rows]
    return dict(held[-MOST_LOOKS:])


def _look(
    registry: Registry, session: Session, feed: str, seq: int, code: CodeRow | None
) -> dict[str, Any] | None:
    if code is None:
        return None
    picture = pictures.by_ids(session, [code.picture_id])[code.picture_id]
    corners = corners_of(registry, picture.sha256)[0]
    return as_json(look_of(feed, seq, code, picture, corners))


def read_tombstones(
    registry: Registry, path: Path, *, trust: bool = False, simulate: bool = False
) -> Tombstones:
    """Verify a feed, keep what is new of it, and put an opt-out on each picture that it names.

    An older copy, or the same again, has no second effect. Raises UsageError on what is no feed,
    on a feed that nobody trusted yet (`trust` does) and on our own; IntegrityError when it was
    edited, cut short, or tells another history than the one that was read before.
    """
    own = load_key(registry.ledger_key).public
    with registry.read() as session:
        feed = _read(session, path, own, trust=trust)
    hash_pixels(registry)
    if simulate:
        with registry.read() as session:
            return _matched(session, feed, applied=False)
    with registry.write() as session:
        known = tombstones.last(session, feed.header["feed"])
        rows, gone = _new_rows(session, feed), list[Table]()
        if feed.looks is not None and (known is None or known.seq <= feed.last):
            changed, gone = _new_looks(session, feed)
            rows += changed
        if rows or gone:
            payload = {"feed": feed.header["feed"], "seq": feed.last, "hash": feed.head_hash}
            ledger.write(session, Event.TOMBSTONES_READ, payload, rows, gone)
        done = _matched(session, feed, applied=True)
        said = fresh(session, [_claim_row(session, own, one, feed) for one in done.matches])
        if said:
            payload = {"feed": feed.header["feed"], "claims": len(said)}
            ledger.write(session, Event.TOMBSTONES_READ, payload, said)
    return done


def _read(session: Session, path: Path, own: str, *, trust: bool) -> Feed:
    """The feed in a file, once all of it was verified and held against what was read before."""
    header = feed_header(path)
    public = header["feed"]
    if public == own:
        raise UsageError(
            f"{path} is this registry's own feed; nothing was changed.",
            hint="picdeed dedup --against tombstones asks about what was revoked here.",
        )
    known = tombstones.last(session, public)
    if known is None and not trust:
        raise UsageError(
            f"Nobody has trusted the feed with the key {fingerprint(public)} yet; nothing "
            "was changed.",
            hint="Compare the fingerprint with its publisher's, then repeat with --trust.",
        )
    begun = tombstones.at(session, public, 0)
    if begun is not None and begun.entry_hash != hash_json(header):
        raise broken(path, "its header is not the one that was read before")
    feed = whole_feed(path, mark=None if known is None else known.seq)
    if feed.header != header:
        raise broken(path, "it was written anew while it was read")
    if known is not None:
        _hold_against(session, path, feed, known)
    return feed


def _hold_against(session: Session, path: Path, feed: Feed, known: Tombstone) -> None:
    """Another history under the same key is refused, longer and shorter ones alike."""
    at = min(feed.last, known.seq)
    before = known if at == known.seq else tombstones.at(session, known.feed, at)
    told = feed.head_hash if at == feed.last else feed.mark_hash
    if before is None or before.entry_hash != told:
        raise _forked(path, at)


def _entry_of(row: Tombstone, previous: str) -> Entry:
    return Entry(
        seq=row.seq,
        revocation=row.revocation,
        ground=row.ground,
        effective=row.effective,
        file_hash=row.file_hash,
        pixels_hash=row.pixels_hash,
        previous=previous,
        hash=row.entry_hash,
    )


def _new_rows(session: Session, feed: Feed) -> list[Table]:
    now, public = utc_now(), feed.header["feed"]
    rows = [tombstones.header_row(feed.header, at=now)]
    salt = feed.header["salt"]
    rows += [tombstones.entry_row(public, salt, entry, at=now) for entry in feed.entries]
    new: list[Table] = []
    new += fresh(session, rows)
    return new


def _new_looks(session: Session, feed: Feed) -> tuple[list[Table], list[Table]]:
    """(changed, gone): the newest feed says which fingerprints its publisher stands by."""
    said = feed.looks or {}
    gone = [row for row in looks.of_feed(session, feed.header["feed"]) if row.seq not in said]
    return [*merged(session, said.values())], [*gone]


def _matched(session: Session, feed: Feed, *, applied: bool) -> Tombstones:
    """Pictures of ours under any entry of the feed, those that were read before included."""
    public, salt = feed.header["feed"], feed.header["salt"]
    by_hash: dict[str, list[Tombstone]] = {}
    rows = [
        *tombstones.entries(session, public),
        *(tombstones.entry_row(public, salt, entry, at="") for entry in feed.entries),
    ]
    for row in rows:
        for one in (row.file_hash, row.pixels_hash):
            if one is not None:
                by_hash.setdefault(one, []).append(row)
    found: dict[tuple[str, str], Match] = {}
    for picture, by, digest in _ours(session):
        for row in by_hash.get(tombstones.salted(salt, digest), ()):
            match = Match(picture, by, row.ground, row.effective, row.seq)
            found.setdefault((picture, row.ground), match)
    matches = tuple(found[key] for key in sorted(found))
    return Tombstones(
        public,
        fingerprint(public),
        feed.last,
        len(feed.entries),
        applied,
        matches,
        _pending(session, matches),
        len(feed.looks or ()),
        notes_on(feed),
    )


def _ours(session: Session) -> Iterator[tuple[str, str, str]]:
    ids = pictures.all_ids(session)
    for picture in ids:
        yield picture, "file", picture.removeprefix("img_")
    for picture, digest in tombstones.pixels_of(session, ids).items():
        yield picture, "pixels", digest


def _pending(session: Session, matches: Sequence[Match]) -> tuple[Match, ...]:
    """Matches that no revocation on the same ground has reached."""
    done = {
        ground: revocations.on(session, [m.picture for m in matches if m.ground == ground], ground)
        for ground in {match.ground for match in matches}
    }
    return tuple(match for match in matches if match.picture not in done[match.ground])


def _claim_row(session: Session, own: str, match: Match, feed: Feed) -> Table:
    row = tombstones.at(session, feed.header["feed"], match.seq)
    assert row is not None and row.feed != own  # noqa: S101, PT018 - written just before
    claim = tombstone_claim(row, match.picture.removeprefix("img_"))
    return claim_rows.new_claim(match.picture, **{**claim.as_json(), "observed_at": utc_now()})


def _forked(path: Path, seq: int) -> IntegrityError:
    return IntegrityError(
        f"The feed {path} tells another history: its entry {seq} is not the one that was read "
        "before. Nothing was changed.",
        hint="Its publisher signed two histories, or the key is in two hands: ask them.",
    )
