"""Is the split the same for the same pictures, and does a plan hold what decides the bytes?"""

import json
import random

import pytest

from picdeed.core.errors import RunFailed
from picdeed.diffusion.plan import RunPlan, Trainee, read_plan, split


def trainees(count):
    return [
        Trainee(picture=f"img_{n:064x}", path=f"/blobs/{n}", caption=f"subject {n}")
        for n in range(count)
    ]


def plan(count=12, **changes):
    train, held_out = split(trainees(count), 0.2)
    values = {
        "schema": "picdeed.run-plan/1",
        "run": "run_" + "a" * 64,
        "base": "/models/sprig",
        "base_sha256": "d" * 64,
        "recipe": {"steps": 3},
        "seed": 0,
        "threads": 1,
        "members": tuple(train),
        "held_out": tuple(held_out),
        "snapshot": "snp_1",
        "snapshot_root": "1",
        "decision": "dec_1",
    }
    return RunPlan.model_validate(values | changes)


def test_the_split_depends_on_the_pictures_and_not_on_their_order():
    everyone = trainees(36)
    shuffled = everyone.copy()
    random.Random(1).shuffle(shuffled)
    train, held_out = split(everyone, 0.17)
    assert (train, held_out) == split(shuffled, 0.17)
    assert len(held_out) == 6
    assert sorted(train + held_out, key=lambda t: t.picture) == everyone
    assert {t.picture for t in train}.isdisjoint(t.picture for t in held_out)


def test_adding_a_picture_moves_at_most_one_other_picture():
    before = {t.picture for t in split(trainees(36), 0.17)[1]}
    after = {t.picture for t in split(trainees(37), 0.17)[1]}
    assert len(before - after) <= 1


@pytest.mark.parametrize(
    ("count", "share", "held"),
    [(1, 0.2, 0), (5, 0.2, 0), (6, 0.2, 2), (6, 0.0, 0), (100, 0.5, 33), (9, 0.01, 2)],
)
def test_small_sets_hold_out_two_or_nobody_and_never_more_than_a_third(count, share, held):
    assert len(split(trainees(count), share)[1]) == held


def test_a_plan_is_read_back_as_it_was_written(tmp_path):
    written = plan()
    written.write(tmp_path / "run")
    assert read_plan(tmp_path / "run") == written


def test_moving_the_files_leaves_the_digest_and_any_other_change_moves_it():
    one = plan()
    moved = tuple(t.model_copy(update={"path": "/elsewhere"}) for t in one.members)
    assert plan(members=moved, base="/other/sprig", cache="/c").digest() == one.digest()
    renamed = (one.members[0].model_copy(update={"caption": "x"}), *one.members[1:])
    changes = ({"members": renamed}, {"seed": 1}, {"threads": 2}, {"base_sha256": "e" * 64})
    assert len({one.digest(), *(plan(**change).digest() for change in changes)}) == 5


def test_notices_are_part_of_the_plan_and_a_plan_from_before_them_keeps_its_digest():
    assert plan(notices_sha256="a" * 64).digest() != plan(notices_sha256="b" * 64).digest()
    assert "notices_sha256" not in plan().content()


def test_a_plan_that_trains_on_a_held_out_picture_is_refused(tmp_path):
    one = plan()
    plan(members=(*one.members, one.held_out[0])).write(tmp_path)
    with pytest.raises(RunFailed, match="held-out"):
        read_plan(tmp_path)


def test_a_missing_broken_or_foreign_plan_is_refused(tmp_path):
    with pytest.raises(RunFailed):
        read_plan(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(RunFailed):
        read_plan(tmp_path)
    plan().write(tmp_path)
    value = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps(value | {"surprise": 1}))
    with pytest.raises(RunFailed, match="surprise"):
        read_plan(tmp_path)
