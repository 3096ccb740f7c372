"""What does a thing come from, and what came out of it?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from picdeed.registry import outputs, runs, snapshots, subjects
from picdeed.registry.datasets import Dataset, Member
from picdeed.registry.decisions import Decision
from picdeed.registry.outputs import Output
from picdeed.registry.runs import Adapter, Run
from picdeed.registry.similar import ClusterMember
from picdeed.registry.snapshots import Snapshot, SnapshotMember, SnapshotRequest
from picdeed.registry.tables import chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


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


@dataclass(frozen=True, slots=True)
class Descendants:
    """Everything that came out of some pictures, each by id."""

    snapshots: tuple[Snapshot, ...]
    runs: tuple[Run, ...]
    adapters: tuple[Adapter, ...]
    outputs: tuple[Output, ...]


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


def descendants(session: Session, pictures: Collection[str]) -> Descendants:
    """The snapshots that hold any of these pictures, and all that came out of those."""
    frozen = snapshots.holding(session, pictures)
    trained = runs.of_snapshots(session, [row.id for row in frozen])
    return replace(from_runs(session, trained), snapshots=tuple(frozen))


def from_runs(session: Session, trained: Sequence[Run]) -> Descendants:
    """The runs themselves, their adapters, and what those drew."""
    made = runs.adapters_of(session, [row.id for row in trained])
    return replace(from_adapters(session, made), runs=tuple(trained))


def from_adapters(session: Session, made: Sequence[Adapter]) -> Descendants:
    """The adapters themselves and what they drew."""
    drawn = outputs.of_adapters(session, [row.id for row in made])
    return Descendants((), (), tuple(made), tuple(drawn))


def from_base(session: Session, base: str) -> Descendants:
    """Every run on a base (an id), and all that the base drew, with an adapter or alone."""
    trained = session.scalars(sa.select(Run).where(Run.base_id == base).order_by(Run.id)).all()
    drawn = session.scalars(sa.select(Output).where(Output.base_id == base).order_by(Output.id))
    return replace(from_runs(session, trained), outputs=tuple(drawn))


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


def _nodes(session: Session, ids: Collection[str]) -> tuple[Node, ...]:
    by_kind: dict[str, list[str]] = {}
    for one in sorted(ids):
        by_kind.setdefault(subjects.kind_of(one), []).append(one)
    nodes: list[Node] = []
    for kind, listed in by_kind.items():
        model = subjects.MODELS.get(kind)
        if model is None:
            continue
        key = sa.inspect(model).primary_key[0]
        for part in chunks(listed):
            rows = session.scalars(sa.select(model).where(key.in_(part)))
            nodes.extend(_node(kind, row) for row in rows)
    return tuple(sorted(nodes, key=lambda node: node.id))


def _node(kind: str, row: object) -> Node:
    label = ""
    for name in ("name", "media_type", "verdict", "prompt", "kind", "ground", "license"):
        label = label or str(getattr(row, name, "") or "")
    if isinstance(row, Snapshot):
        label = f"{row.members} pictures"
    if isinstance(row, Run):
        label = f"{row.steps} steps, seed {row.seed}"
    if isinstance(row, Dataset):
        label = row.name
    return Node(str(row.id), subjects.WORDS[kind], label, str(getattr(row, "state", "")))  # type: ignore[attr-defined]
