"""Does a plan hold what decides the bytes, and refuse to train on what it holds out?"""

import json

import pytest

from picdeed.core.errors import RunFailed
from picdeed.diffusion.holding_out import hold_out
from picdeed.diffusion.plan import RunPlan, Trainee, read_plan


def trainees(count):
    return [
        Trainee(picture=f"img_{n:064x}", path=f"/blobs/{n}", caption=f"subject {n}")
        for n in range(count)
    ]


def plan(count=12, *, share=0.2, known=(), **changes):
    """A plan that was parted with these kin known; `changes` come after."""
    held = hold_out([t.picture for t in trainees(count)], share, known)
    values = {
        "schema": "picdeed.run-plan/1",
        "run": "run_" + "a" * 64,
        "base": "/models/sprig",
        "base_sha256": "d" * 64,
        "recipe": {"steps": 3},
        "seed": 0,
        "threads": 1,
        "members": tuple(t for t in trainees(count) if t.picture not in held),
        "held_out": tuple(t for t in trainees(count) if t.picture in held),
        "kin": known,
        "snapshot": "snp_1",
        "snapshot_root": "1",
        "decision": "dec_1",
    }
    return RunPlan.model_validate(values | changes)


def kin_of(plan, *groups):
    """Groups of kin by place: 0 upwards trained on, -1 downwards held out."""
    found = []
    for group in groups:
        rows = [plan.members[at] if at >= 0 else plan.held_out[at] for at in group]
        found.append(tuple(sorted(trainee.picture for trainee in rows)))
    return tuple(found)


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


@pytest.mark.parametrize("which", ["kin", "copies"])
def test_a_plan_that_trains_on_kin_of_a_held_out_picture_is_refused(tmp_path, which):
    one = plan()
    plan(**{which: kin_of(one, (0, 1), (-1, -2))}).write(tmp_path)
    assert read_plan(tmp_path).digest() != one.digest()
    plan(**{which: kin_of(one, (0, 1), (2, -1))}).write(tmp_path)
    with pytest.raises(RunFailed, match=f"{one.members[2].picture}, a copy or variant"):
        read_plan(tmp_path)


def test_a_plan_without_kin_and_with_the_default_balance_keeps_its_digest():
    known = "e910624b7d3a33faadfa5669398995ebb1853af1791fe89c08b3cde123762a31"
    assert plan().digest() == known
    assert plan(recipe={"steps": 3, "balance": "cluster"}).digest() == known
    assert plan(recipe={"steps": 3, "balance": "picture"}).digest() != known
    copies = kin_of(plan(), (0, 1))
    assert len({known, plan(kin=copies).digest(), plan(kin=copies, copies=copies).digest()}) == 3


def test_copies_are_drawn_as_one_unless_the_recipe_counts_each_file():
    copies = kin_of(plan(), (0, 1), (-1, -2))
    assert plan(kin=copies, copies=copies).drawn_as_one == copies[:1]
    each = {"steps": 3, "balance": "picture"}
    assert plan(kin=copies, copies=copies, recipe=each).drawn_as_one == ()


def test_of_held_out_copies_one_is_measured():
    one = plan(36)
    copies = kin_of(one, (0, 1), (-1, -2, -3))
    held = [trainee.picture for trainee in one.held_out]
    assert plan(36, kin=copies).measured == tuple(held)
    assert plan(36, kin=copies, copies=copies).measured == tuple(sorted(held)[:-2])


def test_why_nobody_is_held_out_is_said_in_words():
    def why(count, groups=(), share=0.17):
        ids = [trainee.picture for trainee in trainees(count)]
        known = tuple(tuple(ids[at] for at in group) for group in groups)
        return plan(count, share=share, known=known, recipe={"hold_out": share}).why_nobody()

    assert why(9) is None
    assert why(9, [range(2)]) is None
    assert "hold_out = 0" in why(9, share=0.0)
    assert why(3) == why(3, [range(2)])
    assert "a loss on them would say nothing" in why(3)
    assert "of 9 pictures 9 are, or may be, 1 picture." in why(9, [range(9)])
    assert "of 9 pictures 8 are, or may be, 2 pictures." in why(9, [range(4), range(4, 8)])
    assert all("Fewer than 2" in said for said in (why(3), why(9, share=0.0), why(9, [range(9)])))


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
