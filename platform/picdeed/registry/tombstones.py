"""What was revoked here and elsewhere, as salted hashes that others can look their pictures up in?

A feed is one registry's append-only chain of entries. Our own is written with the revocations
themselves; those of others are kept as they were read. Entry 0 is a feed's header: it holds the
salt, and its presence says that a person trusts the feed.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import hash_json
from picdeed.registry import ledger
from picdeed.registry.similar import Fingerprint
from picdeed.registry.tables import Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from picdeed.registry.heads import LedgerKey

SCHEMA = "picdeed.tombstones/1"


class Tombstone(Table, kw_only=True):
    """One entry of a feed: salted hashes of something that was revoked there.

    `feed` is the public key that signs the feed; `file_hash` and `pixels_hash` are
    HMAC-SHA256(salt, SHA-256), hex; `entry_hash` chains the entry to those before it.
    """

    __tablename__ = "tombstones"

    feed: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    salt: Mapped[str]
    revocation: Mapped[str]
    file_hash: Mapped[str] = mapped_column(index=True)
    pixels_hash: Mapped[str | None] = mapped_column(default=None, index=True)
    ground: Mapped[str]
    effective: Mapped[str]
    entry_hash: Mapped[str]
    read_at: Mapped[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a feed; `hash` covers every other field."""

    seq: int
    revocation: str
    ground: str
    effective: str
    file_hash: str
    pixels_hash: str | None
    previous: str
    hash: str

    def holds(self) -> bool:
        """Whether the hash is the one that the other fields give."""
        return self.hash == _chained(
            {name: value for name, value in asdict(self).items() if name != "hash"}
        )


def header(feed: str, salt: str, created: str) -> dict[str, str]:
    """The first line of a feed; its hash is what the first entry names as `previous`."""
    return {"schema": SCHEMA, "feed": feed, "salt": salt, "created": created}


def header_row(head: Mapping[str, str], *, at: str) -> Tombstone:
    """Entry 0: the feed is known and trusted."""
    return Tombstone(
        feed=head["feed"],
        seq=0,
        salt=head["salt"],
        revocation="",
        file_hash="",
        ground="",
        effective=head["created"],
        entry_hash=hash_json(dict(head)),
        read_at=at,
    )


def entry_row(feed: str, salt: str, entry: Entry, *, at: str) -> Tombstone:
    """An entry as it is kept."""
    return Tombstone(
        feed=feed,
        seq=entry.seq,
        salt=salt,
        revocation=entry.revocation,
        file_hash=entry.file_hash,
        pixels_hash=entry.pixels_hash,
        ground=entry.ground,
        effective=entry.effective,
        entry_hash=entry.hash,
        read_at=at,
    )


def next_entry(  # noqa: PLR0917 - all of them make the entry
    last: Tombstone,
    revocation: str,
    ground: str,
    effective: str,
    digest: str,
    pixels: str | None,
) -> Entry:
    """The entry behind `last` about a file (SHA-256) and its pixels (SHA-256, where known)."""
    said: dict[str, Any] = {
        "seq": last.seq + 1,
        "revocation": revocation,
        "ground": str(ground),
        "effective": effective,
        "file_hash": salted(last.salt, digest),
        "pixels_hash": salted(last.salt, pixels) if pixels else None,
        "previous": last.entry_hash,
    }
    return Entry(**said, hash=_chained(said))


def salted(salt: str, digest: str) -> str:
    """HMAC-SHA256 of a SHA-256 (hex) under a feed's salt (hex)."""
    return hmac.new(bytes.fromhex(salt), bytes.fromhex(digest), hashlib.sha256).hexdigest()


def own_salt(key: LedgerKey) -> str:
    """This registry's salt. Derived from the ledger's key, so that it is restored with it."""
    seed = key.private.private_bytes_raw()
    return hmac.new(seed, f"{SCHEMA} salt".encode(), hashlib.sha256).hexdigest()


def own_header(session: Session, key: LedgerKey) -> dict[str, str]:
    """The first line of this registry's feed: the same whenever it is asked for."""
    begun = ledger.events(session, limit=1)[0].at
    return header(key.public, own_salt(key), begun)


def _chained(said: Mapping[str, Any]) -> str:
    return hash_json(dict(said))


def last(session: Session, feed: str) -> Tombstone | None:
    """The newest entry of a feed (its header, when there is none); None for an unknown feed."""
    wanted = sa.select(Tombstone).where(Tombstone.feed == feed)
    return session.scalars(wanted.order_by(Tombstone.seq.desc()).limit(1)).first()


def at(session: Session, feed: str, seq: int) -> Tombstone | None:
    """One entry of a feed."""
    return session.get(Tombstone, (feed, seq))


def entries(session: Session, feed: str) -> Iterator[Tombstone]:
    """Every entry of a feed behind its header, in order."""
    wanted = sa.select(Tombstone).where(Tombstone.feed == feed, Tombstone.seq > 0)
    yield from session.scalars(wanted.order_by(Tombstone.seq).execution_options(yield_per=1_000))


def salts(session: Session) -> list[tuple[str, str]]:
    """(feed, salt) of every known feed."""
    wanted = sa.select(Tombstone.feed, Tombstone.salt).where(Tombstone.seq == 0)
    return list(session.execute(wanted.order_by(Tombstone.feed)).tuples().all())


def with_hashes(session: Session, hashes: Collection[str]) -> list[Tombstone]:
    """Entries whose file or pixels have one of these salted hashes, in order."""
    found: dict[tuple[str, int], Tombstone] = {}
    for part in chunks(hashes):
        wanted = sa.select(Tombstone).where(
            sa.or_(Tombstone.file_hash.in_(part), Tombstone.pixels_hash.in_(part))
        )
        found.update({(row.feed, row.seq): row for row in session.scalars(wanted)})
    return [found[key] for key in sorted(found)]


def pixels_of(session: Session, pictures: Collection[str]) -> dict[str, str]:
    """SHA-256 of the pixels by picture, where some fingerprint holds it."""
    found: dict[str, str] = {}
    for part in chunks(pictures):
        wanted = (
            sa.select(Fingerprint.picture_id, Fingerprint.pixels_sha256)
            .where(Fingerprint.picture_id.in_(part), Fingerprint.pixels_sha256.is_not(None))
            .order_by(Fingerprint.created_at, Fingerprint.algorithm)
        )
        found.update({name: str(digest) for name, digest in session.execute(wanted)})
    return found
