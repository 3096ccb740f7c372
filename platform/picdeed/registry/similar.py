"""Which pictures look alike, and which of them count as one?"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from picdeed.core.events import Event
from picdeed.core.ids import content_id
from picdeed.registry.datasets import Member
from picdeed.registry.ledger import LedgerEvent, LedgerRow
from picdeed.registry.pictures import Picture, PictureState
from picdeed.registry.tables import CanonicalJson, Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection


class Likeness(StrEnum):
    """How two pictures are alike. The first two make them the same picture."""

    SAME_PIXELS = "same-pixels"
    NEAR = "near"
    CROP_OF = "crop-of"
    CONTAINS = "contains"
    VARIANT = "variant"
    RELATED = "related"
    UNRELATED = "unrelated"


SAME = (Likeness.SAME_PIXELS, Likeness.NEAR)
PARTS = (Likeness.CROP_OF, Likeness.CONTAINS)


class Fingerprint(Table, kw_only=True):
    """Hashes of how one picture looks: 16 hex digits each; `pixels_sha256` over its pixels."""

    __tablename__ = "fingerprints"

    picture_id: Mapped[str] = mapped_column(sa.ForeignKey("pictures.id"), primary_key=True)
    algorithm: Mapped[str] = mapped_column(primary_key=True)
    phash: Mapped[str]
    dhash: Mapped[str]
    pixels_sha256: Mapped[str | None] = mapped_column(default=None, index=True)
    created_at: Mapped[str]


class Pair(Table, kw_only=True):
    """Two pictures that were compared on their pixels and are alike; `a` sorts before `b`."""

    __tablename__ = "pairs"

    a: Mapped[str] = mapped_column(sa.ForeignKey("pictures.id"), primary_key=True)
    b: Mapped[str] = mapped_column(sa.ForeignKey("pictures.id"), primary_key=True, index=True)
    kind: Mapped[str]
    distance: Mapped[float]
    evidence: Mapped[Any] = mapped_column(CanonicalJson, nullable=False)


class Cluster(Table, kw_only=True):
    """Pictures that belong together; `keeper` is the one that stands for them."""

    __tablename__ = "clusters"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    keeper: Mapped[str] = mapped_column(sa.ForeignKey("pictures.id"))


class ClusterMember(Table, kw_only=True):
    """One picture of one cluster, the keeper included."""

    __tablename__ = "cluster_members"

    cluster_id: Mapped[str] = mapped_column(sa.ForeignKey("clusters.id"), primary_key=True)
    picture_id: Mapped[str] = mapped_column(
        sa.ForeignKey("pictures.id"), primary_key=True, index=True
    )


def new_pair(first: str, second: str, *, kind: str, distance: float, evidence: Any) -> Pair:
    """A pair in its one order. Raises ValueError for a picture paired with itself."""
    if first == second:
        raise ValueError(f"{first} cannot be a pair with itself")
    a, b = sorted((first, second))
    return Pair(a=a, b=b, kind=kind, distance=distance, evidence=evidence)


def cluster_id(kind: str, pictures: Collection[str]) -> str:
    """The id of a cluster: its kind and its members, whatever their order."""
    return content_id("clu", {"kind": str(kind), "members": sorted(set(pictures))})


def without_fingerprint(session: Session, algorithm: str, dataset: str | None = None) -> list[str]:
    """Ids of pictures, by id, that have no fingerprint of this algorithm; erased ones left out."""
    has = sa.select(Fingerprint.picture_id).where(Fingerprint.algorithm == algorithm)
    wanted = sa.select(Picture.id).where(
        Picture.id.not_in(has), Picture.state != PictureState.ERASED
    )
    if dataset is not None:
        wanted = wanted.where(Picture.id.in_(_held_by(dataset)))
    return list(session.scalars(wanted.order_by(Picture.id)))


def fingerprints(session: Session, algorithm: str) -> list[Fingerprint]:
    """Every fingerprint of one algorithm, by picture id."""
    wanted = sa.select(Fingerprint).where(Fingerprint.algorithm == algorithm)
    return list(session.scalars(wanted.order_by(Fingerprint.picture_id)))


def pairs(session: Session, kind: str | None = None) -> list[Pair]:
    """Every recorded pair, in a fixed order."""
    wanted = sa.select(Pair).order_by(Pair.a, Pair.b)
    return list(session.scalars(wanted if kind is None else wanted.where(Pair.kind == kind)))


def pairs_among(session: Session, pictures: Collection[str]) -> list[Pair]:
    """Recorded pairs of which both pictures are among these, in a fixed order."""
    inside = set(pictures)
    found = []
    for part in chunks(inside):
        wanted = sa.select(Pair).where(Pair.a.in_(part))
        found += [row for row in session.scalars(wanted) if row.b in inside]
    return sorted(found, key=lambda row: (row.a, row.b))


def written_since(session: Session, seq: int, table: str) -> int:
    """How many rows of one table were written or deleted behind event `seq`, each counted once."""
    wanted = sa.select(sa.func.count(sa.distinct(LedgerRow.row_key))).where(
        LedgerRow.event_seq > seq, LedgerRow.row_table == table
    )
    return session.execute(wanted).scalar_one()


def pairs_of(session: Session, pictures: Collection[str]) -> list[Pair]:
    """Pairs that one of these pictures is part of, without those found unrelated."""
    found: dict[tuple[str, str], Pair] = {}
    for part in chunks(pictures):
        wanted = sa.select(Pair).where(
            sa.or_(Pair.a.in_(part), Pair.b.in_(part)), Pair.kind != Likeness.UNRELATED
        )
        found.update(((pair.a, pair.b), pair) for pair in session.scalars(wanted))
    return [found[ends] for ends in sorted(found)]


def kinds(session: Session) -> dict[tuple[str, str], str]:
    """What every recorded pair is, without its evidence."""
    wanted = sa.select(Pair.a, Pair.b, Pair.kind)
    return {(a, b): kind for a, b, kind in session.execute(wanted)}


def settled(session: Session) -> int:
    """The newest event that is no decision about a pair: only such events change clusters."""
    wanted = sa.select(LedgerEvent.seq).where(LedgerEvent.kind != str(Event.DEDUP_DECIDED))
    return session.execute(wanted.order_by(LedgerEvent.seq.desc()).limit(1)).scalar() or 0


def clusters(session: Session, dataset: str | None = None) -> list[tuple[Cluster, list[str]]]:
    """Clusters with their members by id; `dataset` keeps those that touch this dataset (an id)."""
    wanted = sa.select(Cluster).order_by(Cluster.kind, Cluster.id)
    if dataset is not None:
        touching = sa.select(ClusterMember.cluster_id).where(
            ClusterMember.picture_id.in_(_held_by(dataset))
        )
        wanted = wanted.where(Cluster.id.in_(touching))
    found = list(session.scalars(wanted))
    inside = cluster_members(session, [cluster.id for cluster in found])
    return [(cluster, [row.picture_id for row in inside[cluster.id]]) for cluster in found]


def cluster_members(session: Session, ids: Collection[str]) -> dict[str, list[ClusterMember]]:
    """Member rows by cluster id, each list by picture id."""
    found: dict[str, list[ClusterMember]] = {one: [] for one in ids}
    for part in chunks(ids):
        wanted = sa.select(ClusterMember).where(ClusterMember.cluster_id.in_(part))
        for row in session.scalars(wanted.order_by(ClusterMember.picture_id)):
            found[row.cluster_id].append(row)
    return found


def clusters_of(session: Session, picture: str) -> list[str]:
    """Ids of the clusters that hold a picture."""
    wanted = sa.select(ClusterMember.cluster_id).where(ClusterMember.picture_id == picture)
    return list(session.scalars(wanted.order_by(ClusterMember.cluster_id)))


def same_picture(session: Session, pictures: Collection[str]) -> dict[str, list[str]]:
    """For each picture of a same-pixels or near cluster: all members of that cluster, by id."""
    found = _of_cluster(session, pictures, Cluster.id)
    inside = cluster_members(session, set(found.values()))
    return {p: [row.picture_id for row in inside[c]] for p, c in found.items()}


def keepers(session: Session, pictures: Collection[str]) -> dict[str, str]:
    """Who stands for each picture of a same-pixels or near cluster; itself, maybe."""
    return _of_cluster(session, pictures, Cluster.keeper)


def _of_cluster(
    session: Session, pictures: Collection[str], what: InstrumentedAttribute[str]
) -> dict[str, str]:
    """By picture, one column of the cluster of its copies."""
    found: dict[str, str] = {}
    for part in chunks(pictures):
        wanted = (
            sa.select(ClusterMember.picture_id, what)
            .join(Cluster, Cluster.id == ClusterMember.cluster_id)
            .where(ClusterMember.picture_id.in_(part), Cluster.kind.in_(SAME))
        )
        found.update(dict(session.execute(wanted).tuples().all()))
    return found


def _held_by(dataset: str) -> sa.Select[str]:
    return sa.select(Member.picture_id).where(
        Member.dataset_id == dataset, Member.removed_at.is_(None)
    )
