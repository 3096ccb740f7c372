"""What did other registries revoke, and up to where was each feed read?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.registry.tables import Table

if TYPE_CHECKING:
    from collections.abc import Collection


class Tombstone(Table, kw_only=True):
    """One entry of another registry's feed: salted hashes of something that was revoked there.

    `feed` is the public key that signs the feed; `file_hash` and `pixels_hash` are
    HMAC-SHA256(salt, SHA-256), hex; `entry_hash` chains the entry to those before it.
    """

    __tablename__ = "tombstones"

    feed: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    salt: Mapped[str]
    file_hash: Mapped[str] = mapped_column(index=True)
    pixels_hash: Mapped[str | None] = mapped_column(default=None, index=True)
    ground: Mapped[str]
    effective: Mapped[str]
    entry_hash: Mapped[str]
    read_at: Mapped[str]


def last(session: Session, feed: str) -> Tombstone | None:
    """The newest entry that was read of a feed."""
    wanted = sa.select(Tombstone).where(Tombstone.feed == feed)
    return session.scalars(wanted.order_by(Tombstone.seq.desc()).limit(1)).first()


def salts(session: Session) -> list[tuple[str, str]]:
    """(feed, salt) of every feed that was read."""
    wanted = sa.select(Tombstone.feed, Tombstone.salt).distinct()
    return list(session.execute(wanted.order_by(Tombstone.feed, Tombstone.salt)).tuples().all())


def with_hashes(session: Session, hashes: Collection[str]) -> list[Tombstone]:
    """Entries whose file or pixels have one of these salted hashes, in order."""
    wanted = sa.select(Tombstone).where(
        sa.or_(Tombstone.file_hash.in_(hashes), Tombstone.pixels_hash.in_(hashes))
    )
    return list(session.scalars(wanted.order_by(Tombstone.feed, Tombstone.seq)))
