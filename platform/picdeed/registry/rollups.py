"""What was computed from covered rows to answer quickly, and is it still current?

Tables named `*_rollup` and `*_cache` can be rebuilt at any time and are no evidence of anything.
Each carries a watermark: the ledger's sequence up to which it speaks. What was written since
stands in `ledger_rows`, so catching up costs what changed and not what there is.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.registry.conclusions import Conclusion
from picdeed.registry.ledger import LedgerRow, last_event
from picdeed.registry.pictures import Picture
from picdeed.registry.snapshots import SnapshotMember
from picdeed.registry.tables import Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class Watermark(Table, kw_only=True):
    """Up to which event a rollup speaks; `state` is its own to fill."""

    __tablename__ = "watermarks_cache"

    name: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    state: Mapped[str] = mapped_column(default="")


class SnapshotCount(Table, kw_only=True):
    """How many members of a snapshot stand alike: one standing and one state of the picture."""

    __tablename__ = "snapshot_counts_rollup"

    snapshot_id: Mapped[str] = mapped_column(primary_key=True)
    standing_id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    pictures: Mapped[int]


@dataclass(frozen=True, slots=True)
class Counts:
    """How a snapshot's members stand now. `digest` binds who stands how, not only how many."""

    digest: str
    pictures: tuple[tuple[str, str, int], ...]  # standing, state, number


def watermark(session: Session, name: str) -> Watermark | None:
    """The mark of this name; None when nothing was computed yet."""
    return session.get(Watermark, name)


def set_watermark(session: Session, name: str, seq: int | None = None, state: str = "") -> None:
    """Everything up to event `seq` (the newest, without it) is in the rollup of this name."""
    if seq is None:
        seq, _ = last_event(session)
    row = session.get(Watermark, name)
    if row is None:
        session.add(Watermark(name=name, seq=seq, state=state))
    else:
        row.seq, row.state = seq, state
    session.flush()


def changed_since(session: Session, seq: int, tables: Collection[str]) -> bool:
    """Whether any row of these tables was written or deleted behind event `seq`."""
    wanted = sa.select(LedgerRow.event_seq).where(
        LedgerRow.event_seq > seq, LedgerRow.row_table.in_(tables)
    )
    return session.execute(wanted.limit(1)).first() is not None


def rows_since(
    session: Session, seq: int, tables: Collection[str]
) -> Iterator[tuple[str, list[Any], bool]]:
    """(table, primary key, deleted) of every row written behind event `seq`, oldest first."""
    wanted = (
        sa.select(LedgerRow.row_table, LedgerRow.row_key, LedgerRow.row_sha256)
        .where(LedgerRow.event_seq > seq, LedgerRow.row_table.in_(tables))
        .order_by(LedgerRow.event_seq, LedgerRow.position)
    )
    for table, key, digest in session.execute(wanted):
        yield table, json.loads(key), digest is None


_STANDING = ("picture_standings", "pictures")
_FEW = 20_000  # changed rows that are looked up one by one before everything is counted anew


def counts(session: Session, snapshot: str) -> Counts:
    """The members by standing and state, counted anew only when one of them changed.

    Only inside `Registry.write()`. A member without a conclusion stands under "".
    """
    name = f"snapshot-counts:{snapshot}"
    mark = watermark(session, name)
    if mark is None or _concerns(session, mark.seq, snapshot):
        digest = _count(session, snapshot)
    else:
        digest = mark.state
    if mark is None or mark.seq < last_event(session)[0]:
        set_watermark(session, name, state=digest)
    wanted = sa.select(SnapshotCount).where(SnapshotCount.snapshot_id == snapshot)
    rows = session.scalars(wanted.order_by(SnapshotCount.standing_id, SnapshotCount.state))
    return Counts(digest, tuple((row.standing_id, row.state, row.pictures) for row in rows))


def standing_as(
    session: Session, snapshot: str, places: Collection[tuple[str, str]], limit: int
) -> list[str]:
    """The first `limit` members, by id, that stand in one of these ways (standing, state)."""
    wanted = set(places)
    rare = {
        (row.standing_id, row.state): row.pictures
        for row in session.scalars(
            sa.select(SnapshotCount).where(SnapshotCount.snapshot_id == snapshot)
        )
    }
    if sum(rare.get(place, 0) for place in wanted) > limit:
        # Many: walk the members in order and stop early.
        rows = session.execute(_members(snapshot).execution_options(yield_per=10_000))
        found = (picture for picture, *place in rows if tuple(place) in wanted)
        return [picture for picture, _ in zip(found, range(limit), strict=False)]
    # Few: from the standings, which have an index, to the members.
    listed = []
    for standing, state in sorted(wanted):
        alike = sa.select(Conclusion.picture_id).where(Conclusion.standing_id == standing)
        for part in chunks(session.scalars(alike).all()):
            inside = _members(snapshot).where(SnapshotMember.picture_id.in_(part))
            listed += [p for p, _, at in session.execute(inside) if at == state]
    return sorted(listed)


def _concerns(session: Session, seq: int, snapshot: str) -> bool:
    """Whether anything that was written behind event `seq` is about a member of the snapshot."""
    wanted = sa.select(LedgerRow.row_key).where(
        LedgerRow.event_seq > seq, LedgerRow.row_table.in_(_STANDING)
    )
    keys = session.scalars(wanted.limit(_FEW)).all()
    if len(keys) == _FEW:
        return True
    for part in chunks({json.loads(key)[0] for key in keys}):
        inside = sa.select(SnapshotMember.picture_id).where(
            SnapshotMember.snapshot_id == snapshot, SnapshotMember.picture_id.in_(part)
        )
        if session.execute(inside.limit(1)).first() is not None:
            return True
    return False


def _count(session: Session, snapshot: str) -> str:
    digest = hashlib.sha256()
    found: Counter[tuple[str, str]] = Counter()
    for picture, standing, state in session.execute(
        _members(snapshot).execution_options(yield_per=10_000)
    ):
        found[standing or "", state] += 1
        digest.update(f"{picture} {standing} {state}\n".encode())
    session.execute(sa.delete(SnapshotCount).where(SnapshotCount.snapshot_id == snapshot))
    session.execute(
        sa.insert(SnapshotCount),
        [
            {"snapshot_id": snapshot, "standing_id": standing, "state": state, "pictures": n}
            for (standing, state), n in sorted(found.items())
        ],
    )
    return digest.hexdigest()


def _members(snapshot: str) -> sa.Select[str, str, str]:
    return (
        sa.select(SnapshotMember.picture_id, Conclusion.standing_id, Picture.state)
        .join(Picture, Picture.id == SnapshotMember.picture_id)
        .outerjoin(Conclusion, Conclusion.picture_id == SnapshotMember.picture_id)
        .where(SnapshotMember.snapshot_id == snapshot)
        .order_by(SnapshotMember.picture_id)
    )
