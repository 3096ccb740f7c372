"""Which sets of pictures were frozen, and what was left out of them?"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from picdeed.core.ids import canonical_json, hash_json, make_id, merkle_root, sha256
from picdeed.registry.tables import CanonicalJson, Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection


class SnapshotState(StrEnum):
    """Whether a frozen set may still be trained on."""

    GOOD = "good"
    NOT_USABLE = "not-usable"


class Snapshot(Table, kw_only=True):
    """A frozen, hashed set; `root` is the Merkle root over its leaves, 64 hex digits."""

    __tablename__ = "snapshots"

    id: Mapped[str] = mapped_column(primary_key=True)
    root: Mapped[str]
    members: Mapped[int]
    state: Mapped[str] = mapped_column(default=SnapshotState.GOOD)
    created_at: Mapped[str]


class SnapshotMember(Table, kw_only=True):
    """One frozen picture. `caption` is erased with its picture, the hashes stay."""

    __tablename__ = "snapshot_members"

    snapshot_id: Mapped[str] = mapped_column(sa.ForeignKey("snapshots.id"), primary_key=True)
    picture_id: Mapped[str] = mapped_column(
        sa.ForeignKey("pictures.id"), primary_key=True, index=True
    )
    caption: Mapped[str | None] = mapped_column(default=None)
    caption_sha256: Mapped[str]
    license: Mapped[str]
    leaf_sha256: Mapped[str]


class SnapshotRequest(Table, kw_only=True):
    """One time that a snapshot was asked for: of which dataset, how, and what was left out.

    `left_out` is [{picture, why}] or {why: n}, as the stage gives it.
    """

    __tablename__ = "snapshot_requests"

    id: Mapped[str] = mapped_column(primary_key=True)
    snapshot_id: Mapped[str] = mapped_column(sa.ForeignKey("snapshots.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(sa.ForeignKey("datasets.id"), index=True)
    query: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    left_out: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)
    requested_at: Mapped[str]


def leaf(picture_sha256: str, caption: str | None, license: str) -> bytes:  # noqa: A002 - contract
    """Canonical JSON of one member: picture, caption (empty when none) and concluded licence."""
    return _leaf(picture_sha256, sha256((caption or "").encode()), license)


def leaf_of(row: SnapshotMember) -> bytes:
    """The leaf of a frozen member from its hashes: an erased caption changes no root."""
    return _leaf(row.picture_id.removeprefix("img_"), row.caption_sha256, row.license)


def caption_holds(row: SnapshotMember) -> bool:
    """Whether the caption is the one that was hashed, or was erased."""
    return row.caption is None or sha256(row.caption.encode()) == row.caption_sha256


def _leaf(picture_sha256: str, caption_sha256: str, license: str) -> bytes:  # noqa: A002 - contract
    named = {
        "caption_sha256": caption_sha256,
        "license": license,
        "picture_sha256": picture_sha256,
    }
    return canonical_json(named)


def root_of(leaves: Collection[bytes]) -> str:
    """Merkle root over the sorted leaves, RFC 6962 section 2.1, hex."""
    return merkle_root(sorted(leaves))


def snapshot_id(root: str) -> str:
    """The id of the set with this Merkle root."""
    return make_id("snp", root)


def request_id(snapshot: str, dataset: str, query: Any, left_out: Any) -> str:
    """The id of a request: asking the same again with the same answer is the same request."""
    named = {"snapshot": snapshot, "dataset": dataset, "query": query, "left_out": left_out}
    return hash_json(named)


def members(session: Session, snapshot: str) -> list[SnapshotMember]:
    """The frozen members, by picture id."""
    wanted = sa.select(SnapshotMember).where(SnapshotMember.snapshot_id == snapshot)
    return list(session.scalars(wanted.order_by(SnapshotMember.picture_id)))


def requests(session: Session, snapshot: str) -> list[SnapshotRequest]:
    """Every request that gave this snapshot, oldest first."""
    wanted = sa.select(SnapshotRequest).where(SnapshotRequest.snapshot_id == snapshot)
    return list(session.scalars(wanted.order_by(SnapshotRequest.requested_at, SnapshotRequest.id)))


def all_snapshots(session: Session) -> list[Snapshot]:
    """Every snapshot, newest first."""
    wanted = sa.select(Snapshot).order_by(Snapshot.created_at.desc(), Snapshot.id)
    return list(session.scalars(wanted))


def holding(session: Session, pictures: Collection[str]) -> list[Snapshot]:
    """Snapshots with at least one of these pictures in them, by id."""
    found: dict[str, Snapshot] = {}
    for part in chunks(pictures):
        inside = sa.select(SnapshotMember.snapshot_id).where(SnapshotMember.picture_id.in_(part))
        rows = session.scalars(sa.select(Snapshot).where(Snapshot.id.in_(inside)))
        found.update({row.id: row for row in rows})
    return [found[one] for one in sorted(found)]
