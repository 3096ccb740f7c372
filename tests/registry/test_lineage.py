"""Does the graph hold all ancestors and descendants, and nothing beside them?"""

from __future__ import annotations

from picdeed.registry import descent, lineage
from picdeed.registry.lineage import graph


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
    assert chain & ids(left_out) == {life.a.id}  # of which it is a crop
    words = {node.id: (node.kind, node.label, node.state) for node in up.nodes}
    assert words[life.output.id] == ("output", "a bird", "good")
    assert words[life.run.id] == ("run", "10 steps, seed 0", "succeeded")
    assert words[life.snapshot.id] == ("snapshot", "1 pictures", "good")
    assert words[life.dataset.id] == ("dataset", "birds", "")
    assert words[life.decision.id][1] == "ALLOW"


def test_a_crop_descends_from_its_picture(full, life):
    with full.read() as session:
        near = graph(session, life.b.id, 1)
        down = graph(session, life.a.id, 1)
    assert (life.a.id, life.b.id, "crop-of") in near.edges
    assert (life.a.id, life.b.id, "crop-of") in down.edges


def test_what_the_registry_only_heard_of_is_a_node_too(registry, make, save):
    life = make.one_life()
    save(life.b, descent.record("web_1", life.b.id, descent.Derived.ENDPOINT, at=make.at))
    with registry.read() as session:
        found = graph(session, life.b.id)
    assert [(node.id, node.kind, node.state) for node in found.nodes] == [
        (life.b.id, "picture", "good"), ("web_1", "web", ""),
    ]  # fmt: skip


def test_rows_of_many_kinds(full, life):
    wanted = [life.a.id, life.run.id, life.output.id, "img_0", "web_1"]
    with full.read() as session:
        found = lineage.rows(session, wanted)
    assert set(found) == {life.a.id, life.run.id, life.output.id}
    assert found[life.run.id].steps == 10


def test_an_output_of_the_base_alone_comes_from_no_adapter(registry, make, save):
    life = make.one_life()
    life.output.adapter_id = life.output.run_id = None
    save(life.base, life.output)
    with registry.read() as session:
        assert graph(session, life.output.id).edges == ((life.base.id, life.output.id, "drew"),)
