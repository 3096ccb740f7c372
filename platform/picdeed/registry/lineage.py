"""What does a thing come from, and what came out of it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from picdeed.registry import descent, subjects
from picdeed.registry.counterfactuals import counterfactuals
from picdeed.registry.datasets import Dataset, Member
from picdeed.registry.decisions import Decision
from picdeed.registry.outputs import Output
from picdeed.registry.runs import Adapter, Run
from picdeed.registry.similar import ClusterMember
from picdeed.registry.snapshots import Snapshot, SnapshotMember, SnapshotRequest
from picdeed.registry.tables import Table, chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


@dataclass(frozen=True, slots=True)
class Node:
    """One thing: its id, its kind in words, a short label, its state ("" where it has none)."""

    id: str
    kind: str
    label: str
    state: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by id, and edges (from, to, relation) that all point downstream."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str, str], ...]


_Text = InstrumentedAttribute[str] | InstrumentedAttribute[str | None]


@dataclass(frozen=True, slots=True)
class _Relation:
    """Rows of one table read as edges: `source` and `target` are its columns."""

    source_kind: str
    source: _Text
    target_kind: str
    target: _Text
    word: str
    only: sa.ColumnElement[bool] | None = None


def _relations() -> tuple[_Relation, ...]:
    return (
        _Relation(
            "dat",
            Member.dataset_id,
            "img",
            Member.picture_id,
            "holds",
            Member.removed_at.is_(None),
        ),
        _Relation("img", ClusterMember.picture_id, "clu", ClusterMember.cluster_id, "looks-like"),
        _Relation("img", SnapshotMember.picture_id, "snp", SnapshotMember.snapshot_id, "frozen-in"),
        _Relation(
            "dat", SnapshotRequest.dataset_id, "snp", SnapshotRequest.snapshot_id, "frozen-as"
        ),
        _Relation("snp", Decision.snapshot_id, "dec", Decision.id, "judged-by"),
        _Relation("bas", Decision.base_id, "dec", Decision.id, "judged-by"),
        _Relation("dec", Run.decision_id, "run", Run.id, "allowed"),
        _Relation("snp", Run.snapshot_id, "run", Run.id, "trained"),
        _Relation("bas", Run.base_id, "run", Run.id, "tuned-by"),
        _Relation("run", Adapter.run_id, "adp", Adapter.id, "made"),
        _Relation("adp", Output.adapter_id, "out", Output.id, "drew"),
        _Relation("bas", Output.base_id, "out", Output.id, "drew"),
    )


def graph(session: Session, subject: str, depth: int | None = None) -> Graph:
    """All ancestors and all descendants of a whole id, at most `depth` steps away.

    The way never turns round: from a snapshot it goes up to its members and down to its runs,
    but not down again to other snapshots of the same pictures.
    """
    edges: set[tuple[str, str, str]] = set()
    ids = {subject}
    for downstream in (True, False):
        seen, front, step = {subject}, {subject}, 0
        while front and (depth is None or step < depth):
            found = set(_step(session, front, downstream=downstream))
            edges |= found
            reached = {edge[1] if downstream else edge[0] for edge in found}
            front = reached - seen
            seen |= front
            step += 1
        ids |= seen
    return Graph(_nodes(session, ids), tuple(sorted(edges)))


def rows(session: Session, ids: Collection[str]) -> dict[str, Table]:
    """The rows behind whole ids of any kind; what the registry does not hold is missing."""
    by_kind: dict[str, list[str]] = {}
    for one in sorted(ids):
        by_kind.setdefault(subjects.kind_of(one), []).append(one)
    found: dict[str, Table] = {}
    for kind, listed in by_kind.items():
        model = subjects.MODELS.get(kind)
        if model is None:
            continue
        key = sa.inspect(model).primary_key[0]
        for part in chunks(listed):
            here = session.scalars(sa.select(model).where(key.in_(part)))
            found.update({row.id: row for row in here})  # type: ignore[attr-defined]
    return found


def _step(
    session: Session, front: Collection[str], *, downstream: bool
) -> Iterator[tuple[str, str, str]]:
    by_kind: dict[str, list[str]] = {}
    for one in sorted(front):
        by_kind.setdefault(subjects.kind_of(one), []).append(one)
    for relation in _relations():
        kind = relation.source_kind if downstream else relation.target_kind
        here = relation.source if downstream else relation.target
        for part in chunks(by_kind.get(kind, ())):
            wanted = sa.select(relation.source, relation.target).where(
                here.in_(part), relation.source.is_not(None)
            )
            if relation.only is not None:
                wanted = wanted.where(relation.only)
            for source, target in session.execute(wanted):
                yield str(source), str(target), relation.word
    for row in descent.recorded(session, front):
        if (row.parent_id if downstream else row.child_id) in front:
            yield row.parent_id, row.child_id, row.relation
    if by_kind.keys() & {"rev", "run"}:
        yield from _retrained(session, front, downstream=downstream)


def _retrained(
    session: Session, front: Collection[str], *, downstream: bool
) -> Iterator[tuple[str, str, str]]:
    """From a revocation to the runs that leave out what it took back; not from what was revoked,
    which they do not come from."""
    for one in counterfactuals(session):
        for cause in one.revocations:
            if (cause if downstream else one.run) in front:
                yield cause, one.run, "retrained-without"


def _nodes(session: Session, ids: Collection[str]) -> tuple[Node, ...]:
    found = rows(session, ids)
    return tuple(_node(one, found.get(one)) for one in sorted(ids))


def _node(identity: str, row: object) -> Node:
    kind = subjects.kind_of(identity)
    label = ""
    for name in ("name", "media_type", "verdict", "prompt", "kind", "ground", "license"):
        label = label or str(getattr(row, name, "") or "")
    if isinstance(row, Snapshot):
        label = f"{row.members} pictures"
    if isinstance(row, Run):
        label = f"{row.steps} steps, seed {row.seed}"
    if isinstance(row, Dataset):
        label = row.name
    return Node(identity, subjects.WORDS.get(kind, kind), label, str(getattr(row, "state", "")))
