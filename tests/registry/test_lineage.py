"""Does the graph hold all ancestors and descendants, and nothing beside them?"""

from __future__ import annotations

import random

import networkx as nx

from picdeed.registry import lineage
from picdeed.registry.lineage import descendants, graph
from picdeed.registry.outputs import Output
from picdeed.registry.runs import Adapter, Run
from picdeed.registry.snapshots import Snapshot, SnapshotMember


def ids(found):
    return {node.id for node in found.nodes}


def test_depth_1_around_a_snapshot_names_its_members_only(full, life):
    with full.read() as session:
        near = graph(session, life.snapshot.id, 1)
    assert life.b.id not in ids(near)
    assert ids(near) == {
        life.snapshot.id, life.a.id, life.dataset.id, life.decision.id, life.run.id,
    }  # fmt: skip
    assert (life.a.id, life.snapshot.id, "frozen-in") in near.edges
    assert (life.snapshot.id, life.run.id, "trained") in near.edges


def test_depth_0_is_the_thing_itself(full, life):
    with full.read() as session:
        alone = graph(session, life.run.id, 0)
    assert ids(alone) == {life.run.id}
    assert alone.edges == ()


def test_from_picture_to_output_and_back(full, life):
    chain = {life.a.id, life.snapshot.id, life.run.id, life.adapter.id, life.output.id}
    with full.read() as session:
        down, up = graph(session, life.a.id), graph(session, life.output.id)
        left_out = graph(session, life.b.id)
    assert chain <= ids(down) & ids(up)
    assert life.base.id in ids(up)
    assert life.base.id not in ids(down)  # no descendant of a picture
    assert life.b.id not in ids(up)
    assert not chain & ids(left_out)
    words = {node.id: (node.kind, node.label, node.state) for node in up.nodes}
    assert words[life.output.id] == ("output", "a bird", "good")
    assert words[life.run.id] == ("run", "10 steps, seed 0", "succeeded")
    assert words[life.snapshot.id] == ("snapshot", "1 pictures", "good")
    assert words[life.dataset.id] == ("dataset", "birds", "")
    assert words[life.decision.id][1] == "ALLOW"


def test_closure_equals_an_oracle_on_random_lineages(registry, make, save):
    chance = random.Random(5)
    life, at = make.one_life(), make.at
    shown = [make.picture(f"r{i}") for i in range(12)]
    rows, oracle = [life.a, life.snapshot, life.base, life.decision, *shown], nx.DiGraph()
    oracle.add_nodes_from(p.id for p in shown)
    for s in range(6):
        snp = Snapshot(id=f"snp_{s:064x}", root=f"{s:064x}", members=1, created_at=at)
        rows.append(snp)
        for p in chance.sample(shown, 3):
            rows.append(
                SnapshotMember(
                    snapshot_id=snp.id, picture_id=p.id, caption_sha256="", license="MIT",
                    leaf_sha256="",
                )
            )  # fmt: skip
            oracle.add_edge(p.id, snp.id)
        for r in range(chance.randint(0, 3)):
            name = f"{s}{r}".zfill(64)
            run = Run(
                id=f"run_{name}", snapshot_id=snp.id, decision_id=life.decision.id,
                base_id=life.base.id, recipe={}, recipe_sha256="", state="succeeded", seed=r,
                steps=1, folder="", started_at=at,
            )  # fmt: skip
            adapter = Adapter(
                id=f"adp_{name}", run_id=run.id, sha256="", path="", bytes=0, created_at=at
            )
            out = Output(
                id=f"out_{name}", adapter_id=adapter.id, base_id=life.base.id, run_id=run.id,
                recipe={}, prompt="", seed=0, pixel_sha256="", created_at=at,
            )  # fmt: skip
            rows += [run, adapter, out]
            oracle.add_edges_from([(snp.id, run.id), (run.id, adapter.id), (adapter.id, out.id)])
    save(*rows)
    with registry.read() as session:
        for p in shown:
            expected = nx.descendants(oracle, p.id)
            assert ids(graph(session, p.id)) == expected | {p.id}
            below = descendants(session, [p.id])
            listed = (*below.snapshots, *below.runs, *below.adapters, *below.outputs)
            assert {row.id for row in listed} == expected
        everything = descendants(session, [p.id for p in shown])
        assert {r.id for r in everything.outputs} == {n for n in oracle if n.startswith("out_")}


def test_descendants_of_what_trained_nothing(full, life):
    with full.read() as session:
        assert descendants(session, [life.b.id]) == lineage.Descendants((), (), (), ())
        assert descendants(session, []) == lineage.Descendants((), (), (), ())


def test_descendants_of_a_base_an_adapter_and_a_run(full, life, make):
    with full.read() as session:
        below = lineage.from_base(session, life.base.id)
        assert [r.id for r in below.runs] == [life.run.id]
        assert [a.id for a in below.adapters] == [life.adapter.id]
        assert [o.id for o in below.outputs] == [life.output.id]
        again = lineage.from_runs(session, below.runs)
        assert [a.id for a in again.adapters] == [life.adapter.id]
        assert [o.id for o in lineage.from_adapters(session, below.adapters).outputs] == [
            life.output.id
        ]
        assert lineage.from_base(session, "bas_0").runs == ()


def test_an_output_of_the_base_alone_comes_from_no_adapter(registry, make, save):
    life = make.one_life()
    life.output.adapter_id = life.output.run_id = None
    save(life.base, life.output)
    with registry.read() as session:
        assert graph(session, life.output.id).edges == ((life.base.id, life.output.id, "drew"),)
