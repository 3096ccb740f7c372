"""Are runs found by their inputs, and adapters by their runs?"""

from __future__ import annotations

from dataclasses import fields

import pytest

from picdeed.core.errors import UnknownSubject
from picdeed.registry import runs
from picdeed.registry.runs import Run


def copy_of(run, **changes):
    return Run(**{f.name: getattr(run, f.name) for f in fields(Run)} | changes)


def test_runs_of_the_same_inputs_newest_first(registry, make, save):
    life = make.one_life()
    first = life.run
    rows = [
        first,
        copy_of(first, id="run_1", started_at="2027"),
        copy_of(first, id="run_2", seed=1),
    ]
    save(life.a, life.dataset, life.snapshot, life.base, life.decision, *rows)
    inputs = (life.snapshot.id, life.base.id, first.recipe_sha256)
    with registry.read() as session:
        assert [r.id for r in runs.of_inputs(session, *inputs, 0)] == ["run_1", first.id]
        assert [r.id for r in runs.of_inputs(session, *inputs, 1)] == ["run_2"]
        assert {r.id for r in runs.all_runs(session)} == {r.id for r in rows}
        assert runs.all_runs(session, "failed") == []
        assert len(runs.of_snapshots(session, [life.snapshot.id, "snp_0"])) == 3


def test_the_id_names_inputs_seed_and_counter():
    ids = {runs.run_id("s", "b", "r", seed, counter) for seed in (0, 1) for counter in (0, 1)}
    assert len(ids) == 4
    assert runs.run_id("s", "b", "r", 0, 0) in ids


def test_adapters(full, life):
    with full.read() as session:
        (made,) = runs.adapters_of(session, [life.run.id, "run_0"])
        assert made.id == life.adapter.id
        assert made.state == runs.Standing.GOOD
        assert [a.id for a in runs.all_adapters(session)] == [made.id]
        assert runs.adapter_of(session, made.id).id == made.id
        assert runs.adapter_of(session, life.run.id).id == made.id
        with pytest.raises(UnknownSubject):
            runs.adapter_of(session, "run_" + "0" * 64)


def test_a_run_keeps_its_result_and_its_standing(full, life):
    with full.read() as session:
        run = session.get(Run, life.run.id)
    assert (run.state, run.standing) == ("succeeded", "good")
    assert run.result == {"loss": 0.5}
    assert run.error is None
