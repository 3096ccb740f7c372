"""Is a plan less some rows the same plan otherwise: draws, weights, schedule, bytes?"""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from picdeed.core.errors import RunFailed
from picdeed.diffusion import train as trainer
from picdeed.diffusion.draws import empty_steps, exposures, slots_of
from picdeed.diffusion.lora import attach_recipe, load_adapter
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import Without, read_plan
from picdeed.diffusion.ready import prepare
from picdeed.diffusion.runfolder import read_log
from picdeed.diffusion.tensors import read_safetensors
from picdeed.diffusion.train import slots_for, slots_losses, train

RUN, REVOCATION = "run_" + "1" * 64, "rev_" + "2" * 64


def less(plan, *gone, held_out=()):
    """The plan without the rows of these pictures, and the pictures' bytes taken away."""
    for trainee in (*plan.members, *plan.held_out):
        if trainee.picture in (*gone, *held_out):
            Path(trainee.path).unlink()
    return plan.model_copy(
        update={
            "members": tuple(t for t in plan.members if t.picture not in gone),
            "held_out": tuple(t for t in plan.held_out if t.picture not in held_out),
            "without": Without(run=RUN, revocations=(REVOCATION,), members=gone, held_out=held_out),
        }
    )


@given(st.integers(2, 9), st.integers(1, 9), st.integers(1, 5), st.integers(0, 99), st.data())
def test_every_other_slot_stays_what_it_was(count, steps, batch, seed, data):
    pictures = [f"img_{n}" for n in range(count)]
    gone = data.draw(st.sets(st.sampled_from(pictures)))
    copies = data.draw(st.sampled_from([(), (("img_0", "img_1"),)]))
    same = {"seed": seed, "batch": batch, "copies": copies}
    drawn = {"timesteps": 1000, "flip": True, "caption_dropout": 0.3, **same}
    left = [slots_of(step, pictures, without=gone, **drawn) for step in range(steps)]
    for step, slots in enumerate(left):
        whole = slots_of(step, pictures, **drawn)
        assert slots == tuple(slot for slot in whole if slot.picture not in gone)
    planned = exposures(pictures, steps=steps, without=gone, **same)
    assert planned.keys() == set(pictures) - gone
    assert Counter(planned) == Counter(slot.picture for slots in left for slot in slots)
    assert empty_steps(pictures, steps=steps, without=gone, **same) == left.count(())


def test_a_plan_names_what_it_leaves_out_and_its_digest_knows(tiny_base, ink, make_plan, tmp_path):
    plan = make_plan(tiny_base, ink)
    gone = plan.members[0].picture
    one = less(plan, gone)
    assert one.digest() != plan.digest()
    assert "without" not in plan.content()
    assert sorted(one.drawn) == sorted(plan.drawn) == [t.picture for t in plan.members]
    one.write(tmp_path / "run")
    assert read_plan(tmp_path / "run") == one
    one.model_copy(update={"members": plan.members}).write(tmp_path / "run")
    with pytest.raises(RunFailed, match="left out"):
        read_plan(tmp_path / "run")


def test_copies_are_drawn_as_they_were_when_one_of_them_is_left_out(tiny_base, ink, make_plan):
    first = make_plan(tiny_base, ink)
    copies = (tuple(t.picture for t in first.members[:3]),)
    plan = first.model_copy(update={"kin": copies, "copies": copies})
    one = less(plan, copies[0][1])
    assert one.drawn_as_one == copies
    for step in range(12):
        whole = slots_for(plan, step, 1000)
        assert slots_for(one, step, 1000) == tuple(s for s in whole if s.picture != copies[0][1])


def test_held_out_pictures_that_fell_are_missing_and_said_so(tiny_base, ink, make_plan):
    plan = make_plan(tiny_base, ink)
    one = less(plan, plan.members[0].picture, held_out=(plan.held_out[0].picture,))
    assert plan.why_nobody() is None
    assert "held out are left: 1 of them was revoked" in one.why_nobody()


def test_it_trains_without_their_bytes_and_caches_and_counts_them_nowhere(
    tiny_base, ink, make_plan, tmp_path
):
    plan = make_plan(tiny_base, ink, steps=6)
    gone = tuple(t.picture for t in plan.members[:4])
    plan.write(tmp_path / "with")
    whole = train(tmp_path / "with")
    less(plan, *gone).write(tmp_path / "without")
    result = train(tmp_path / "without")
    assert result["exposure"] == {
        one: count for one, count in whole["exposure"].items() if one not in gone
    }
    assert sum(whole["exposure"].values()) == 24 > sum(result["exposure"].values())
    assert result["adapter_id"] != whole["adapter_id"]
    assert result["held_out"] == whole["held_out"]
    headers = [
        load_adapter(tmp_path / name / "adapter.safetensors").metadata
        for name in ("with", "without")
    ]
    assert headers[1]["picdeed.counterfactual_of"] == RUN
    assert json.loads(headers[1]["picdeed.without_revocations"]) == [REVOCATION]
    assert not [key for key in headers[0] if "without" in key or "counterfactual" in key]
    # From a checkpoint it ends with the same bytes.
    weights = tmp_path / "without" / "adapter.safetensors"
    before = weights.read_bytes()
    for name in ("result.json", "adapter.safetensors", "checkpoint/step-0000006.safetensors"):
        (tmp_path / "without" / name).unlink()
    assert train(tmp_path / "without")["resumed_from"] == 5
    assert weights.read_bytes() == before


def test_each_row_that_is_left_keeps_its_weight(tiny_base, ink, make_plan, tmp_path, monkeypatch):
    plan = make_plan(tiny_base, ink, steps=1)
    first, second = (slot.picture for slot in slots_for(plan, 0, 1000)[:2])
    one = less(plan, first, second)
    asked, improve = [], trainer.improve  # really taken: only watched

    def watched(loss, parameters, *given, **more):
        asked.append([parameter.grad.clone() for parameter in parameters])
        return improve(loss, parameters, *given, **more)

    monkeypatch.setattr(trainer, "improve", watched)
    one.write(tmp_path / "run")
    train(tmp_path / "run")
    ready = prepare(tmp_path / "run", one)
    objective = Objective(ready.base, one.recipe.min_snr_gamma)
    parameters = attach_recipe(ready.base.unet, one.recipe, one.seed)
    slots = slots_for(one, 0, objective.timesteps)
    alone = [slots_losses(objective, ready, one.recipe.precision, [slot]) for slot in slots]
    assert len(alone) == 2
    for loss in alone:  # one row of a whole batch each, and the losses of a batch are averaged
        (loss.mean() / one.recipe.batch).backward()
    for got, parameter in zip(asked[0], parameters, strict=True):
        torch.testing.assert_close(got, parameter.grad, rtol=1e-3, atol=1e-7)
    assert any(parameter.grad.abs().max() > 0 for parameter in parameters)
    told = read_log(tmp_path / "run")[0]["loss"]
    assert told == pytest.approx(sum(loss.item() for loss in alone) / 2, rel=1e-4)


def test_a_step_without_rows_moves_the_schedule_and_nothing_else(
    tiny_base, ink, make_plan, tmp_path
):
    plan = make_plan(tiny_base, ink, steps=5, batch=1, hold_out=0.0)
    shown = [slots_for(plan, step, 1000)[0].picture for step in range(5)]
    one = less(plan, shown[2], shown[4])
    one.write(tmp_path / "run")
    result = train(tmp_path / "run")
    log = read_log(tmp_path / "run")
    assert (result["steps"], sum(result["exposure"].values())) == (5, 3)
    assert [(line["step"], line["lr"]) for line in log] == [
        (step, plan.recipe.rate(step)) for step in (0, 1, 3)
    ]
    place = tmp_path / "run" / "checkpoint"
    states = [read_safetensors(place / f"step-000000{n}.safetensors")[0] for n in (4, 5)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_run_that_begins_with_nothing_goes_on_from_there(tiny_base, ink, make_plan, tmp_path):
    plan = make_plan(tiny_base, ink, steps=3, batch=1, hold_out=0.0)
    one = less(plan, slots_for(plan, 0, 1000)[0].picture)
    one.write(tmp_path / "run")
    whole = train(tmp_path / "run")
    one.model_copy(update={"recipe": plan.recipe}).write(tmp_path / "again")
    shutil.copytree(tmp_path / "run" / "cache", tmp_path / "again" / "cache")
    assert train(tmp_path / "again")["adapter_id"] == whole["adapter_id"]
