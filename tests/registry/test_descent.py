"""Does the walk reach exactly what descends, also around cycles, and the graph keep up?"""

from __future__ import annotations

import random
from types import SimpleNamespace

import networkx as nx
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from picdeed.registry import descent, rollups
from picdeed.registry import descent_edges as edges
from picdeed.registry.codes import PairDecision, PairVerdict, decision_id
from picdeed.registry.descent import Derived, Edge, Node, closure, record
from picdeed.registry.similar import Cluster, ClusterMember, new_pair
from picdeed.registry.tables import table_for


def walked(registry, subjects, **options):
    with registry.write() as session:
        edges.catch_up(session)
    with registry.read() as session:
        return closure(session, subjects, **options)


def test_from_a_picture_down_to_what_was_drawn(full, life):
    below = {life.snapshot.id, life.run.id, life.adapter.id, life.output.id}
    found = walked(full, [life.a.id])
    # The other picture is a copy of this one, and a crop of it too.
    assert set(found) == below | {life.a.id, life.b.id, life.cluster.id}
    assert found == sorted(found)
    assert set(walked(full, [life.b.id])) == set(found)
    assert walked(full, [life.adapter.id]) == sorted([life.adapter.id, life.output.id])
    assert set(walked(full, [life.base.id])) == {
        life.base.id, life.run.id, life.adapter.id, life.output.id,
    }  # fmt: skip


def test_a_thing_outside_the_graph_reaches_itself(full):
    assert walked(full, ["img_0"]) == ["img_0"]
    assert walked(full, []) == []


def test_what_only_descends_through_a_wall_is_left_out(full, life):
    found = walked(full, [life.a.id], without=[life.run.id])
    assert life.snapshot.id in found
    assert not {life.run.id, life.adapter.id, life.output.id} & set(found)


def test_looks_alike_is_not_the_same_picture(registry, make, save):
    a, b = make.picture("a"), make.picture("b")
    variant = Cluster(id="clu_v", kind="variant", keeper=a.id)
    inside = [ClusterMember(cluster_id="clu_v", picture_id=p.id) for p in (a, b)]
    save(a, b, variant, *inside)
    assert walked(registry, [a.id]) == [a.id]


@pytest.fixture
def sheet(make, save):
    """A sheet that shows two strangers, a crop of the first, and what was frozen of each."""
    one, other, crop, whole = (make.picture(name) for name in ("one", "other", "crop", "sheet"))
    life = make.one_life()
    frozen = {}
    for picture in (one, other, crop, whole):
        row = make.one_life().snapshot
        row.id = row.root = f"snp_{picture.id}"
        member = make.one_life().snapshot_member
        member.snapshot_id, member.picture_id = row.id, picture.id
        frozen[picture.id] = (row, member)
    rows = [row for both in frozen.values() for row in both]
    save(one, other, crop, whole, life.base, *rows)
    save(part(one, whole), part(other, whole), part(crop, one))
    return SimpleNamespace(one=one, other=other, crop=crop, whole=whole)


def part(of, whole):
    kind = "crop-of" if of.id < whole.id else "contains"
    return new_pair(of.id, whole.id, kind=kind, distance=0.0, evidence={})


def shown(*pictures):
    return sorted([*(p.id for p in pictures), *(f"snp_{p.id}" for p in pictures)])


def test_a_part_falls_with_its_whole_and_a_sheet_with_its_part(registry, sheet):
    """Also where they share no cluster; and a sheet is no way from one stranger to another."""
    assert walked(registry, [sheet.one.id]) == shown(sheet.one, sheet.crop, sheet.whole)
    assert walked(registry, [sheet.crop.id]) == shown(sheet.one, sheet.crop, sheet.whole)
    assert walked(registry, [sheet.other.id]) == shown(sheet.other, sheet.whole)
    everyone = shown(sheet.one, sheet.other, sheet.crop, sheet.whole)
    assert walked(registry, [sheet.whole.id]) == everyone


@pytest.mark.parametrize("verdict", list(PairVerdict))
def test_a_persons_last_word_about_a_part_counts(registry, make, save, sheet, verdict):
    def said(word, at, **cells):
        a, b = sorted((sheet.one.sha256, sheet.whole.sha256))
        return PairDecision(
            id=decision_id(a, b, word, None, at), a=a, b=b, verdict=word, by="Eve",
            because="seen", recorded_at=at, **cells,
        )  # fmt: skip

    apart, together = shown(sheet.one, sheet.crop), shown(sheet.one, sheet.crop, sheet.whole)
    assert walked(registry, [sheet.one.id]) == together
    word = said(verdict, "2026-01-03")
    save(word)
    assert walked(registry, [sheet.one.id]) == (together if verdict == "merge" else apart)
    save(said(PairVerdict.MERGE, "2026-01-04"))
    assert walked(registry, [sheet.one.id]) == together
    last = said(PairVerdict.NOT_A_MATCH, "2026-01-05")
    save(last)
    assert walked(registry, [sheet.one.id]) == apart
    last.undone_at = "2026-01-06"
    save(last)
    assert walked(registry, [sheet.one.id]) == together
    with registry.write() as session:
        kept = stored(session)
        assert edges.check(session) == []
        edges.rebuild(session)
        assert stored(session) == kept
        session.rollback()


def test_a_graph_of_other_edges_is_made_anew(registry, sheet):
    walked(registry, [])
    with registry.write() as session:
        session.execute(sa.delete(table_for(Edge)).where(Edge.relation == descent.PART))
        rollups.set_watermark(session, edges.MARK, state="edges/1")
        session.commit()
    with registry.read() as session:
        assert edges.check(session) == []
    assert walked(registry, [sheet.one.id]) == shown(sheet.one, sheet.crop, sheet.whole)


def test_an_adapter_that_another_run_made_again(registry, make, save):
    life = make.one_life()
    second = make.one_life().run
    second.id, second.result = "run_second", {"adapter_id": life.adapter.id}
    save(life.a, life.snapshot, life.base, life.decision, life.run, life.adapter, second)
    assert walked(registry, ["run_second"]) == sorted(["run_second", life.adapter.id])
    second.result = {"adapter_id": "adp_other"}
    save(second)
    assert walked(registry, ["run_second"]) == ["adp_other", "run_second"]


def test_a_base_that_was_trained_on_a_snapshot(registry, make, save):
    life = make.one_life()
    life.base.deed = {"snapshot": {"id": life.snapshot.id, "root": "r"}}
    save(life.a, life.snapshot, life.snapshot_member, life.base)
    assert life.base.id in walked(registry, [life.a.id])


def test_what_was_deleted_is_an_edge_no_longer(registry, make, save):
    life = make.one_life()
    inside = [ClusterMember(cluster_id=life.cluster.id, picture_id=p.id) for p in (life.a, life.b)]
    crop = record("img_crop", life.b.id, Derived.CROP, at=make.at)
    save(life.a, life.b, life.cluster, *inside, crop)
    assert set(walked(registry, [life.a.id])) == {
        life.a.id, life.b.id, life.cluster.id, "img_crop",
    }  # fmt: skip
    save(deleted=[inside[1]])
    assert set(walked(registry, [life.a.id])) == {life.a.id, life.cluster.id}
    save(deleted=[crop])
    assert walked(registry, [life.b.id]) == [life.b.id]


def test_a_derivation_is_one_of_the_listed_kinds():
    with pytest.raises(ValueError, match="inspired-by"):
        record("img_a", "img_b", "inspired-by", at="")
    with pytest.raises(ValueError, match="itself"):
        record("img_a", "img_a", Derived.CROP, at="")


def stored(session):
    parent, child = sa.orm.aliased(Node), sa.orm.aliased(Node)
    wanted = sa.select(parent.subject, child.subject, Edge.relation)
    wanted = wanted.join_from(Edge, parent, parent.id == Edge.parent)
    return set(session.execute(wanted.join(child, child.id == Edge.child)).tuples())


def test_catching_up_gives_what_rebuilding_gives(registry, make, save):
    chance = random.Random(3)
    life = make.one_life()
    with registry.write() as session:
        edges.catch_up(session)
    shown = [make.picture(f"r{i}") for i in range(20)]
    groups = [Cluster(id=f"clu_{i}", kind="near", keeper=shown[0].id) for i in range(4)]
    save(life.snapshot, life.base, life.decision, life.run, *shown, *groups)
    held = []
    for _ in range(12):
        new = {(chance.choice(groups).id, chance.choice(shown).id) for _ in range(4)} - {
            (row.cluster_id, row.picture_id) for row in held
        }
        rows = [ClusterMember(cluster_id=c, picture_id=p) for c, p in sorted(new)]
        gone = chance.sample(held, min(len(held), 2))
        save(*rows, deleted=gone)
        held = [row for row in held if row not in gone] + rows
        if chance.random() < 0.7:
            walked(registry, [])
    walked(registry, [])
    with registry.write() as session:
        kept = stored(session)
        edges.rebuild(session)
        assert stored(session) == kept
        assert {pair[2] for pair in kept} == {"copy", "trained", "tuned-by"}
        session.commit()


def test_many_changes_at_once_are_a_new_graph(registry, make, save, monkeypatch):
    walked(registry, [])
    monkeypatch.setattr(edges, "MOST_CHANGED", 3)
    life = make.one_life()
    save(life.a, life.snapshot, life.snapshot_member, life.base, life.decision, life.run)
    rebuilt = []
    whole = edges.rebuild
    monkeypatch.setattr(edges, "rebuild", lambda s: rebuilt.append(1) or whole(s))
    assert life.run.id in walked(registry, [life.a.id])
    assert rebuilt == []
    crops = [record(f"img_{i}", life.a.id, Derived.CROP, at=make.at) for i in range(4)]
    save(*crops)
    assert "img_2" in walked(registry, [life.a.id])
    assert rebuilt == [1]


def test_a_graph_that_was_edited_is_found(full, life):
    with full.read() as session:
        assert edges.check(session) == []  # never made: nothing to compare
    walked(full, [])
    with full.read() as session:
        assert edges.check(session) == []
        known = dict(session.execute(sa.select(Node.subject, Node.id)).tuples().all())
    lost = (known[life.adapter.id], known[life.output.id])
    with full.write() as session:
        where = sa.tuple_(Edge.parent, Edge.child).in_([lost])
        session.execute(sa.delete(table_for(Edge)).where(where))
        bound = {"parent": known[life.b.id], "child": known[life.output.id], "relation": "made"}
        session.execute(sa.insert(table_for(Edge)), [bound])
        session.commit()
    with full.read() as session:
        assert sorted(edges.check(session)) == sorted(
            [
                (life.adapter.id, life.output.id, "drew"),
                (life.b.id, life.output.id, "made"),
            ]
        )


def test_what_is_not_followed_yet_is_no_difference(full, life, make):
    walked(full, [])
    with full.write() as session:
        from picdeed.core.events import Event
        from picdeed.registry import ledger

        row = record("img_late", life.a.id, Derived.CROP, at=make.at)
        ledger.write(session, Event.INGEST_PICTURES, {}, [row])
    with full.read() as session:
        assert edges.check(session) == []
        assert rollups.watermark(session, edges.MARK).seq < 10


@st.composite
def graphs(draw):
    """(nodes, edges, seeds, walls): cycles, loops of two and unreachable parts included."""
    size = draw(st.integers(1, 9))
    node = st.integers(0, size - 1)
    pairs = draw(st.lists(st.tuples(node, node).filter(lambda p: p[0] != p[1]), max_size=25))
    words = st.lists(
        st.sampled_from(["frozen-in", descent.COPY, descent.PART]),
        min_size=len(pairs),
        max_size=len(pairs),
    )
    edges = list(zip(pairs, draw(words), strict=True))
    return size, edges, draw(st.sets(node, max_size=3)), draw(st.sets(node, max_size=2))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(graphs())
def test_the_walk_equals_an_oracle(registry, drawn):
    size, pairs, seeds, walls = drawn

    def below(start, words):
        oracle = nx.DiGraph()
        oracle.add_nodes_from(range(size))
        oracle.add_edges_from((a, b) for (a, b), word in pairs if b not in walls and word in words)
        return set(start).union(*(nx.descendants(oracle, one) for one in start))

    alike = below(seeds, (descent.COPY, descent.PART))
    expected = below(alike, ("frozen-in", descent.COPY))
    with registry.write() as session:
        session.execute(sa.delete(table_for(Edge)))
        session.execute(sa.delete(table_for(Node)))
        known = descent.numbers(session, {f"x_{n}" for n in range(size)})
        rows = [
            {"parent": known[f"x_{a}"], "child": known[f"x_{b}"], "relation": word}
            for (a, b), word in dict.fromkeys(pairs)
        ]
        if rows:
            session.execute(sa.insert(table_for(Edge)), rows)
        found = closure(session, {f"x_{n}" for n in seeds}, without={f"x_{n}" for n in walls})
        session.rollback()
    assert found == sorted(f"x_{n}" for n in expected)


def test_the_walk_is_postgresql_too():
    """Only spelled here; the statement has no function that one of the databases lacks."""
    reached = descent._walk([1, 2], [3])
    wanted = sa.select(Node.subject).join(reached, reached.c.id == Node.id)
    text = str(
        wanted.compile(dialect=postgresql.dialect(), compile_kwargs={"render_postcompile": True})
    )
    assert text.startswith("WITH RECURSIVE alike(id) AS")
    assert "IN (1, 2) UNION SELECT" in " ".join(text.split())
    assert text.count("NOT IN (3)") == 2
    both = edges._all_pairs()
    told = str(sa.except_(both, both).compile(dialect=postgresql.dialect()))
    assert told.count("UNION ALL") == 2 * (len(edges.sources()) - 1)
