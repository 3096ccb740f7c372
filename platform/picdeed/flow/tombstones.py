"""How do other registries learn what was revoked here, and this one what was revoked elsewhere?

A feed is a file of JSON Lines: a header, one entry for each revoked picture, and a signed head.
It names nobody's pictures: whoever has the same file, or the same pixels, finds them under the
feed's salt; whoever has not learns a number.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.events import Event
from picdeed.core.ids import canonical_json, hash_json, sha256_file
from picdeed.core.moments import moment
from picdeed.flow.foreign import tombstone_claim
from picdeed.flow.grounds import Ground
from picdeed.registry import claims as claim_rows
from picdeed.registry import ledger, pictures, revocations, tombstones
from picdeed.registry.heads import load_key
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.signed import fingerprint, sign_document, verify_document
from picdeed.registry.tables import Table, fresh
from picdeed.registry.tombstones import SCHEMA, Entry, Tombstone

LONGEST_LINE = 4_096
MOST_ENTRIES = 5_000_000
_HEX = frozenset("0123456789abcdef")
_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Exported:
    """`head` is the signed last line: whoever keeps it can prove a feed that was cut short."""

    path: Path
    sha256: str
    feed: str
    fingerprint: str
    entries: int
    head: Mapping[str, Any]


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
    """What reading a feed came to. `new` entries of `entries`; `pending` are not revoked yet."""

    feed: str
    fingerprint: str
    entries: int
    new: int
    applied: bool
    matches: tuple[Match, ...]
    pending: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class _Feed:
    """A whole, verified feed; `entries` are those behind what was known."""

    header: dict[str, str]
    entries: list[Entry]
    last: int
    head_hash: str


def export_tombstones(registry: Registry, to: Path) -> Exported:
    """Write this registry's feed. The same revocations give the same bytes; entries only grow."""
    key = load_key(registry.ledger_key)
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    with registry.read() as session, part.open("wb") as stream:
        header = tombstones.own_header(session, key)
        last, count = hash_json(header), 0
        stream.write(canonical_json(header) + b"\n")
        for row in tombstones.entries(session, key.public):
            entry = _entry_of(row, last)
            stream.write(canonical_json(asdict(entry)) + b"\n")
            last, count = entry.hash, row.seq
        head = sign_document(key, {"schema": SCHEMA, "seq": count, "hash": last})
        stream.write(canonical_json(head) + b"\n")
    part.replace(to)
    return Exported(
        to.absolute(), sha256_file(to), key.public, fingerprint(key.public), count, head
    )


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
    if simulate:
        with registry.read() as session:
            return _matched(session, feed, applied=False)
    with registry.write() as session:
        rows = _new_rows(session, feed)
        if rows:
            payload = {"feed": feed.header["feed"], "seq": feed.last, "hash": feed.head_hash}
            ledger.write(session, Event.TOMBSTONES_READ, payload, rows)
        done = _matched(session, feed, applied=True)
        said = fresh(session, [_claim_row(session, own, one, feed) for one in done.matches])
        if said:
            payload = {"feed": feed.header["feed"], "claims": len(said)}
            ledger.write(session, Event.TOMBSTONES_READ, payload, said)
    return done


def _read(session: Session, path: Path, own: str, *, trust: bool) -> _Feed:
    """The feed in a file, once all of it was verified."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}; nothing was changed."
        ) from error
    with stream:
        lines = _lines(stream, path)
        header = _header(next(lines, None), path)
        public = header["feed"]
        if public == own:
            raise UsageError(f"{path} is this registry's own feed; nothing was changed.")
        known = tombstones.last(session, public)
        if known is None and not trust:
            raise UsageError(
                f"Nobody has trusted the feed with the key {fingerprint(public)} yet; nothing "
                "was changed.",
                hint="Compare the fingerprint with its publisher's, then repeat with --trust.",
            )
        begun = tombstones.at(session, public, 0)
        if begun is not None and begun.entry_hash != hash_json(header):
            raise _broken(path, "its header is not the one that was read before")
        return _chain(session, path, header, lines, known)


def _chain(
    session: Session,
    path: Path,
    header: dict[str, str],
    lines: Iterator[Any],
    known: Tombstone | None,
) -> _Feed:
    """Walk the entries to the signed head; hold them against what was read before."""
    public, previous, last = header["feed"], hash_json(header), 0
    entries: list[Entry] = []
    head: Any = None
    for line in lines:
        if head is not None:
            raise _broken(path, "something stands behind its signed head")
        if isinstance(line, dict) and "signature" in line:
            head = line
            continue
        entry = _entry(line, path)
        if (entry.seq, entry.previous) != (last + 1, previous) or not entry.holds():
            raise _broken(path, f"entry {last + 1} does not follow from those before it")
        previous, last = entry.hash, entry.seq
        if known is None or entry.seq > known.seq:
            entries.append(entry)
        elif entry.seq == known.seq and entry.hash != known.entry_hash:
            raise _forked(path, entry.seq)
    bound = isinstance(head, dict) and (head.get("seq"), head.get("hash")) == (last, previous)
    if not bound or not verify_document(head, public):
        raise _broken(path, "its signed head is missing or vouches for something else")
    before = tombstones.at(session, public, last)
    if known is not None and last < known.seq and (before is None or before.entry_hash != previous):
        raise _forked(path, last)
    return _Feed(header, entries, last, previous)


def _lines(stream: IO[bytes], path: Path) -> Iterator[Any]:
    """Each line's JSON value; None where a line is none."""
    for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE + 1), b"")):
        if len(line) > LONGEST_LINE or number > MOST_ENTRIES:
            raise UsageError(f"{path} is larger than any feed; nothing was changed.")
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            yield None


def _header(line: Any, path: Path) -> dict[str, str]:
    names = {"schema", "feed", "salt", "created"}
    whole = isinstance(line, dict) and line.keys() == names and line["schema"] == SCHEMA
    if not whole or not (_is_digest(line["feed"]) and _is_digest(line["salt"])):
        raise UsageError(
            f"{path} is no tombstone feed; nothing was changed.",
            hint="picdeed tombstones export writes one.",
        )
    return {name: str(line[name]) for name in sorted(names)}


def _entry(line: Any, path: Path) -> Entry:
    if not isinstance(line, dict) or line.keys() != {field.name for field in fields(Entry)}:
        raise _broken(path, "one of its lines is no entry")
    entry = Entry(**line)
    digests = (entry.file_hash, entry.pixels_hash or "0" * _DIGITS, entry.previous, entry.hash)
    words = (entry.revocation, entry.ground, entry.effective)
    if type(entry.seq) is not int or not all(map(_is_digest, digests)):
        raise _broken(path, "one of its entries is malformed")
    if not all(isinstance(word, str) for word in words) or entry.ground not in tuple(Ground):
        raise _broken(path, f"entry {entry.seq} names a ground that picdeed does not know")
    try:
        moment(entry.effective)
    except UsageError as error:
        raise _broken(path, f"entry {entry.seq} holds no date") from error
    return entry


def _is_digest(text: Any) -> bool:
    return isinstance(text, str) and len(text) == _DIGITS and set(text) <= _HEX


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


def _new_rows(session: Session, feed: _Feed) -> list[Table]:
    now, public = utc_now(), feed.header["feed"]
    rows = [tombstones.header_row(feed.header, at=now)]
    salt = feed.header["salt"]
    rows += [tombstones.entry_row(public, salt, entry, at=now) for entry in feed.entries]
    new: list[Table] = []
    new += fresh(session, rows)
    return new


def _matched(session: Session, feed: _Feed, *, applied: bool) -> Tombstones:
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


def _claim_row(session: Session, own: str, match: Match, feed: _Feed) -> Table:
    row = tombstones.at(session, feed.header["feed"], match.seq)
    assert row is not None and row.feed != own  # noqa: S101, PT018 - written just before
    claim = tombstone_claim(row, match.picture.removeprefix("img_"))
    return claim_rows.new_claim(match.picture, **{**claim.as_json(), "observed_at": utc_now()})


def _broken(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"The feed {path} cannot be trusted: {why}. Nothing was changed.",
        hint="Get it again from its publisher.",
    )


def _forked(path: Path, seq: int) -> IntegrityError:
    return IntegrityError(
        f"The feed {path} tells another history: its entry {seq} is not the one that was read "
        "before. Nothing was changed.",
        hint="Its publisher signed two histories, or the key is in two hands: ask them.",
    )
