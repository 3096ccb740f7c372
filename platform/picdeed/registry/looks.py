"""How do the pictures look that other registries revoked, where their feeds say so?

A fingerprint is kept beside its entry of the feed. A picture that is shown as a crop, mirrored or
saved again has another hash; by its looks it is still found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.registry.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator


class TombstoneLook(Table, kw_only=True):
    """The fingerprint of what one entry of a feed is about.

    `turned`, `turned_trimmed`, `quality` and `colours` are those of `CodeRow` under `algorithm`;
    `trim` is what lies inside the border, four shares of the frame from 0 to 65,535 in hex, or
    None. `corners` are hex, 40 bytes a corner (flow/looks.py says which), under
    `corners_algorithm`; None where the picture has none.
    """

    __tablename__ = "tombstone_looks"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["feed", "seq"], ["tombstones.feed", "tombstones.seq"], name="fk_tombstone_looks_entry"
        ),
    )

    feed: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    algorithm: Mapped[str]
    turned: Mapped[str]
    turned_trimmed: Mapped[str | None] = mapped_column(default=None)
    trim: Mapped[str | None] = mapped_column(default=None)
    quality: Mapped[int]
    colours: Mapped[str]
    corners_algorithm: Mapped[str | None] = mapped_column(default=None)
    corners: Mapped[str | None] = mapped_column(default=None)


def all_looks(session: Session) -> list[TombstoneLook]:
    """Every fingerprint that came with a feed, by feed and entry."""
    wanted = sa.select(TombstoneLook)
    return list(session.scalars(wanted.order_by(TombstoneLook.feed, TombstoneLook.seq)))


def of_feed(session: Session, feed: str) -> Iterator[TombstoneLook]:
    """The fingerprints of one feed, by entry."""
    wanted = sa.select(TombstoneLook).where(TombstoneLook.feed == feed)
    yield from session.scalars(wanted.order_by(TombstoneLook.seq))
