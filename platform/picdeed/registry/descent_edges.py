"""Which covered rows are edges of the descent graph, and does the graph still say what they say?

Kept current from the ledger: `catch_up` looks only at rows that were written or deleted since its
watermark. `rebuild` makes it anew, `check` compares without writing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from picdeed.registry import descent, rollups
from picdeed.registry.bases import Base
from picdeed.registry.codes import PairDecision, PairVerdict
from picdeed.registry.descent import COPY, PART, SHOWN, Derivation, Derived, Edge, Node
from picdeed.registry.outputs import Output
from picdeed.registry.runs import Adapter, Run
from picdeed.registry.similar import SAME, Cluster, ClusterMember, Likeness, Pair
from picdeed.registry.snapshots import SnapshotMember
from picdeed.registry.tables import Table, chunks, table_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.orm import Session

MARK = "descent"
STATE = "edges/2"  # of other edges the graph is made anew
MOST_CHANGED = 100_000  # changed rows that are followed one by one before all is made anew
MADE_AGAIN, TAUGHT = "made-again", "taught"
_DIFFERENCES = 1_000

_Pair = tuple[str, str, str]  # parent, child, relation
_Pairs = sa.Select[str, str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """One column pair of one table read as edges. `only` leaves rows out."""

    model: type[Table]
    relation: Any
    parent: Any
    child: Any
    only: sa.ColumnElement[bool] | None = None

    def select(self) -> _Pairs:
        """(parent, child, relation) of every edge."""
        word = sa.literal(self.relation) if isinstance(self.relation, str) else self.relation
        wanted = sa.select(
            self.parent.label("parent"), self.child.label("child"), word.label("relation")
        )
        wanted = wanted.where(self.parent.is_not(None))
        return wanted if self.only is None else wanted.where(self.only)


def sources() -> tuple[Source, ...]:
    """Every edge that a column pair tells."""
    alike = ClusterMember.cluster_id.in_(sa.select(Cluster.id).where(Cluster.kind.in_(SAME)))
    picture, cluster = ClusterMember.picture_id, ClusterMember.cluster_id
    crop, holds = _stands(Likeness.CROP_OF), _stands(Likeness.CONTAINS)
    return (
        Source(SnapshotMember, "frozen-in", SnapshotMember.picture_id, SnapshotMember.snapshot_id),
        # Both ways: whoever reaches one copy reaches them all.
        Source(ClusterMember, COPY, picture, cluster, alike),
        Source(ClusterMember, COPY, cluster, picture, alike),
        # Collages and crops that do not touch share no cluster with what they show.
        Source(Pair, PART, Pair.b, Pair.a, crop),
        Source(Pair, SHOWN, Pair.a, Pair.b, crop),
        Source(Pair, PART, Pair.a, Pair.b, holds),
        Source(Pair, SHOWN, Pair.b, Pair.a, holds),
        Source(Run, "trained", Run.snapshot_id, Run.id),
        Source(Run, "tuned-by", Run.base_id, Run.id),
        Source(Adapter, "made", Adapter.run_id, Adapter.id),
        Source(Output, "drew", Output.adapter_id, Output.id),
        Source(Output, "drew", Output.base_id, Output.id),
        Source(Derivation, Derivation.relation, Derivation.parent_id, Derivation.child_id),
    )


def _stands(kind: Likeness) -> sa.ColumnElement[bool]:
    """Pairs of a kind that no person's last word takes for two pictures."""
    about = sa.and_(
        PairDecision.a == sa.func.substr(Pair.a, 1 + len("img_")),
        PairDecision.b == sa.func.substr(Pair.b, 1 + len("img_")),
        PairDecision.undone_at.is_(None),
    )
    newest = (PairDecision.recorded_at.desc(), PairDecision.id.desc())
    last = sa.select(PairDecision.verdict).where(about).order_by(*newest).limit(1)
    merged = sa.func.coalesce(last.scalar_subquery(), PairVerdict.MERGE) == PairVerdict.MERGE
    return sa.and_(Pair.kind == kind, merged)


TABLES = tuple(
    model.__tablename__
    for model in (
        SnapshotMember,
        ClusterMember,
        Pair,
        PairDecision,
        Run,
        Adapter,
        Output,
        Derivation,
        Base,
    )
)


def _told_in_json(session: Session, ids: Sequence[str] | None = None) -> Iterator[_Pair]:
    """Edges that stand inside a JSON column: an adapter that a second run made again, and the
    snapshot that a base of ours was trained on.
    """
    runs = sa.select(Run.id, Run.result).where(Run.result.is_not(None))
    for run, result in session.execute(runs if ids is None else runs.where(Run.id.in_(ids))):
        adapter = result.get("adapter_id") if isinstance(result, dict) else None
        if isinstance(adapter, str):
            yield run, adapter, MADE_AGAIN
    bases = sa.select(Base.id, Base.deed)
    for base, deed in session.execute(bases if ids is None else bases.where(Base.id.in_(ids))):
        frozen = deed.get("snapshot") if isinstance(deed, dict) else None
        if isinstance(frozen, dict) and isinstance(frozen.get("id"), str):
            yield frozen["id"], base, TAUGHT


def catch_up(session: Session) -> None:
    """Bring the graph up to the newest event. Only inside `Registry.write()`."""
    mark = _mark(session)
    if mark is None:
        rebuild(session)
        return
    changed = _changed_since(session, mark.seq)
    if changed is None:
        rebuild(session)
        return
    for table, keys in changed.items():
        for part in chunks(keys):
            _follow(session, table, part)
    rollups.set_watermark(session, MARK, state=STATE)


def rebuild(session: Session) -> None:
    """Make the graph anew from the covered rows. Only inside `Registry.write()`."""
    session.execute(sa.delete(table_for(Edge)))
    session.execute(sa.delete(table_for(Node)))
    told = list(_told_in_json(session))
    everyone = _all_pairs().subquery()
    subjects = sa.union(sa.select(everyone.c.parent), sa.select(everyone.c.child))
    session.execute(sa.insert(table_for(Node)).from_select(["subject"], subjects))
    parent, child = aliased(Node), aliased(Node)
    wanted = (
        sa.select(parent.id, child.id, everyone.c.relation)
        .distinct()
        .join_from(everyone, parent, parent.subject == everyone.c.parent)
        .join(child, child.subject == everyone.c.child)
    )
    session.execute(sa.insert(table_for(Edge)).from_select(["parent", "child", "relation"], wanted))
    _add(session, told)
    rollups.set_watermark(session, MARK, state=STATE)


def _mark(session: Session) -> rollups.Watermark | None:
    mark = rollups.watermark(session, MARK)
    return mark if mark is not None and mark.state == STATE else None


def check(session: Session) -> list[tuple[str, str, str]]:
    """Edges that the graph has too many or too few, but for what it has not followed yet.

    Writes nothing. A graph that was never made has no differences: it is made when first needed.
    """
    mark = _mark(session)
    if mark is None:
        return []
    parent, child = aliased(Node), aliased(Node)
    stored = (
        sa.select(parent.subject, child.subject, Edge.relation)
        .join_from(Edge, parent, parent.id == Edge.parent)
        .join(child, child.id == Edge.child)
    )
    told = set(_told_in_json(session))
    pending = _changed_since(session, mark.seq)
    if pending is None:
        return []
    owners = {(table, key) for table, keys in pending.items() for key in keys}
    lonely = sa.select(sa.func.count()).where(Edge.parent.not_in(sa.select(Node.id)))
    found: list[_Pair] = []
    if session.execute(lonely).scalar_one():
        found.append(("", "", "edges of nothing"))
    in_json = (MADE_AGAIN, TAUGHT)
    found += _except(session, _all_pairs(), stored)
    found += _except(session, stored.where(Edge.relation.not_in(in_json)), _all_pairs())
    known = set(session.execute(stored.where(Edge.relation.in_(in_json))).tuples())
    found += sorted(told ^ known)
    return [one for one in found if not owners & set(_owners(one))]


def _except(session: Session, left: _Pairs, right: _Pairs) -> Iterator[_Pair]:
    rows = session.execute(sa.except_(left, right).limit(_DIFFERENCES))
    yield from (tuple(row) for row in rows)  # type: ignore[misc] # the columns of _Pairs


def _all_pairs() -> _Pairs:
    both = sa.union_all(*(source.select() for source in sources())).subquery()
    return sa.select(both.c.parent, both.c.child, both.c.relation)


def _owners(pair: _Pair) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The rows, by table and key, that could tell an edge."""
    parent, child, _ = pair
    yield "snapshot_members", (child, parent)
    yield "cluster_members", (child, parent)
    yield "cluster_members", (parent, child)
    yield "pairs", (min(parent, child), max(parent, child))
    yield "derivations", (child, parent)
    for table in ("runs", "adapters", "outputs", "bases"):
        yield table, (child,)
    yield "runs", (parent,)


def _changed_since(session: Session, seq: int) -> dict[str, list[tuple[str, ...]]] | None:
    """Keys by table of what was written or deleted behind an event; None when they are many."""
    found: dict[str, dict[tuple[str, ...], None]] = {}
    for count, (table, key, _) in enumerate(rollups.rows_since(session, seq, TABLES)):
        if count >= MOST_CHANGED:
            return None
        found.setdefault(table, {})[tuple(key)] = None
    decided = found.pop("pair_decisions", {})
    if decided:
        found.setdefault("pairs", {}).update(dict.fromkeys(_decided(session, decided)))
    return {table: list(keys) for table, keys in found.items()}


def _decided(session: Session, keys: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """The keys of the pairs that decisions (by key) are about."""
    for part in chunks([key[0] for key in keys]):
        wanted = sa.select(PairDecision.a, PairDecision.b).where(PairDecision.id.in_(part))
        yield from ((f"img_{a}", f"img_{b}") for a, b in session.execute(wanted))


def _follow(session: Session, table: str, keys: Sequence[tuple[str, ...]]) -> None:
    """Replace the edges that these rows (by key) tell by what the rows tell now."""
    wanted: list[_Pair] = []
    for source in sources():
        if source.model.__tablename__ == table:
            columns = list(table_for(source.model).primary_key)
            where = (
                columns[0].in_([key[0] for key in keys])
                if len(columns) == 1
                else sa.tuple_(*columns).in_(keys)
            )
            rows = session.execute(source.select().where(where))
            wanted += [(parent, child, relation) for parent, child, relation in rows]
    if table in ("runs", "bases"):
        wanted += _told_in_json(session, [key[0] for key in keys])
    _drop(session, table, keys)
    _add(session, wanted)


def _drop(session: Session, table: str, keys: Sequence[tuple[str, ...]]) -> None:
    """Remove the edges that rows of this table with these keys told before."""
    known = descent.known_numbers(session, {one for key in keys for one in key})
    # What has no number has no edges: most pairs that were looked at are strangers.
    numbered = [tuple(known[one] for one in key) for key in keys if known.keys() >= set(key)]
    if table in ("snapshot_members", "derivations"):
        pairs = [(parent, child) for child, parent in numbered]
        words = ["frozen-in"] if table == "snapshot_members" else [str(d) for d in Derived]
        _delete_pairs(session, pairs, words)
    elif table in ("cluster_members", "pairs"):
        words = [COPY] if table == "cluster_members" else [PART, SHOWN]
        _delete_pairs(session, [*numbered, *((b, a) for a, b in numbered)], words)
    else:
        own = {"runs": ["trained", "tuned-by"], "adapters": ["made"], "outputs": ["drew"]}
        into = Edge.child.in_([one for (one,) in numbered])
        words = own.get(table, [TAUGHT])
        session.execute(sa.delete(table_for(Edge)).where(into, Edge.relation.in_(words)))
        if table == "runs":
            out = Edge.parent.in_([one for (one,) in numbered])
            session.execute(sa.delete(table_for(Edge)).where(out, Edge.relation == MADE_AGAIN))


def _delete_pairs(session: Session, pairs: Sequence[tuple[int, ...]], words: Sequence[str]) -> None:
    for part in chunks(pairs):
        among = sa.tuple_(Edge.parent, Edge.child).in_(part)
        session.execute(sa.delete(table_for(Edge)).where(among, Edge.relation.in_(words)))


def _add(session: Session, pairs: Iterable[_Pair]) -> None:
    for part in chunks(list(dict.fromkeys(pairs))):
        known = descent.numbers(session, {one for pair in part for one in pair[:2]})
        rows = [
            {"parent": known[parent], "child": known[child], "relation": relation}
            for parent, child, relation in part
        ]
        session.execute(sa.insert(table_for(Edge)), rows)
