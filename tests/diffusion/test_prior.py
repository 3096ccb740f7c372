"""Is a run shown what the base itself draws of a class, as planned, and nothing else moved by it?"""

import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image

from picdeed.core.errors import RunFailed, UsageError
from picdeed.diffusion import prior
from picdeed.diffusion.forgetting import words_for
from picdeed.diffusion.latents import prior_of
from picdeed.diffusion.models import load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import Without
from picdeed.diffusion.prompts import FRAME
from picdeed.diffusion.ready import prepare, slots_losses
from picdeed.diffusion.recipe import Precision
from picdeed.diffusion.runfolder import STOPPED, Stopped, ask_to_stop, read_log
from picdeed.diffusion.sample import draw, image_of
from picdeed.diffusion.samples import quickest
from picdeed.diffusion.train import main, slots_for, train
from picdeed.testing import tiny_model, tiny_picture

DISCS = {"prior": ("a disc", "a ring"), "prior_pictures": 2, "steps": 3, "hold_out": 0.0}


@pytest.fixture(autouse=True)
def _drawn_in_few_steps(request, monkeypatch):
    """Three, except where other processes draw or read what was drawn."""
    if request.node.get_closest_marker("soak") is None:
        monkeypatch.setattr(prior, "STEPS", 3)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def a_prior_run(tiny_base, ink, make_plan, cache, tmp_path):
    """A run folder; all of a test's share one cache."""

    def make(name, **knobs):
        plan = make_plan(tiny_base, ink, **{**DISCS, **knobs})
        plan = plan.model_copy(update={"cache": str(cache)})
        plan.write(tmp_path / name)
        return tmp_path / name, plan

    return make


def test_a_step_has_as_many_class_rows_and_its_own_rows_are_what_they_were(a_prior_run):
    _, with_it = a_prior_run("with", flip=True, caption_dropout=0.5)
    _, without = a_prior_run("without", prior=(), prior_pictures=16, flip=True, caption_dropout=0.5)
    shown = Counter()
    for step in range(3):
        slots = slots_for(with_it, step, 1000)
        assert slots[:4] == slots_for(without, step, 1000)
        ours = slots[4:]
        assert sorted(slot.timestep // 250 for slot in ours) == [0, 1, 2, 3]
        assert not any(slot.flip or slot.drop_caption for slot in ours)
        seeds = {slot.noise_seed for slot in slots}
        assert len(seeds) == 8
        assert [s.timestep for s in ours] != [s.timestep for s in slots[:4]]
        shown.update(slot.picture for slot in ours)
    assert shown == prior.class_exposures(with_it)
    assert set(shown.values()) == {3}, "four of them, each as often as another"


def test_the_result_counts_them_and_no_picture_s_exposure_does(a_prior_run):
    folder, plan = a_prior_run("run", prior_pictures=7, steps=3)
    plain, _ = a_prior_run("plain", prior=(), prior_pictures=16)
    with_it, without = train(folder), train(plain)
    rows = with_it["prior"]
    assert [row["prompt"] for row in rows] == ["a disc", "a ring"]
    assert sum(row["shown"] for row in rows) == 12
    # Of fourteen twelve are shown, and no more are made.
    assert sum(row["pictures"] for row in rows) == 12
    assert len(list(prior_of(Path(plan.cache)).iterdir())) == 12
    assert without["prior"] == []
    for same in ("exposure", "sizes", "distinct_pictures"):
        assert with_it[same] == without[same]
    assert with_it["adapter_id"] != without["adapter_id"]


def test_a_step_s_loss_is_the_pictures_and_so_many_times_the_class_s(a_prior_run):
    knobs = {"steps": 1, "prior_weight": 3.0, "micro_batch": 3}
    folder, plan = a_prior_run("run", **knobs)
    train(folder)
    ready = prepare(folder, plan)
    objective = Objective(ready.base)
    slots = slots_for(plan, 0, objective.timesteps)
    with torch.no_grad():  # of the base, as a fresh adapter changes nothing
        bare = dataclasses.replace(ready, drawn={})
        losses = slots_losses(objective, bare, Precision.FP32, slots)
    ours, theirs = losses[:4].mean().item(), losses[4:].mean().item()
    assert read_log(folder)[0]["loss"] == pytest.approx(ours + 3 * theirs, rel=1e-5)
    assert not torch.allclose(losses[:4], losses[4:], rtol=1e-2)


@pytest.mark.parametrize("family", ["sd", "sdxl", "sd3", "flux"])
def test_they_are_what_the_base_draws_before_it_is_decoded(family, ink, make_plan, cache, tmp_path):
    folder = tiny_model(tmp_path / family, family=family)
    plan = make_plan(folder, ink, **DISCS | {"targets": ("to_q",)})
    base = load_base(folder)
    prior.require_drawing(base, plan)
    latents = prior.class_latents(base, plan, cache)
    assert list(latents) == ["prior_0_0", "prior_0_1", "prior_1_0", "prior_1_1"]
    moments = latents["prior_1_1"]
    assert moments.shape == (1, 2, 4, 8, 8)
    assert not moments[0, 1].any(), "no spread"
    asked = {"steps": prior.STEPS, "guidance": prior.GUIDANCE, "sampler": quickest(base)}
    (drawn,) = draw(base, ["a ring"], [1], **asked)
    vae = base.vae
    shift = vae.config.shift_factor or 0.0
    with torch.no_grad():
        values = vae.decode(moments[0, :1] / vae.config.scaling_factor + shift).sample
    image = image_of((values[0] / 2 + 0.5).clamp(0, 1))
    assert image.tobytes() == drawn.tobytes()
    assert prior.class_captions(plan)["prior_1_1"] == "a ring"
    told = prior.class_frames(base, plan)["prior_1_1"].get(FRAME)
    assert (told is None) == (family != "sdxl")
    assert told is None or told.tolist() == [32, 32, 0, 0, 32, 32]


def test_each_is_kept_as_soon_as_it_is_drawn_and_drawn_once(a_prior_run, cache, tiny_base):
    _, plan = a_prior_run("run")
    base, asked = load_base(tiny_base), []

    def third_time():
        asked.append(len(list(prior_of(cache).glob("*.safetensors"))))
        if len(asked) == 3:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        prior.class_latents(base, plan, cache, third_time)
    assert asked == [0, 1, 2]
    asked[:] = [0] * 10
    first = prior.class_latents(base, plan, cache, third_time)
    assert len(asked) == 12, "two were there"
    again = prior.class_latents(base, plan, cache, third_time)
    assert len(asked) == 12
    assert all(torch.equal(first[name], again[name]) for name in first)
    # Of another prompt, or of a base with other weights, there are none yet.
    _, other = a_prior_run("other", prior=("a disc", "a cross"))
    prior.class_latents(base, other, cache, third_time)
    assert len(asked) == 14
    facts = dataclasses.replace(base.facts, sha256="0" * 64)
    prior.class_latents(dataclasses.replace(base, facts=facts), plan, cache, third_time)
    assert len(asked) == 18
    broken = next(prior_of(cache).iterdir())
    broken.write_bytes(b"nothing that anybody can read")
    for _ in range(2):
        prior.class_latents(base, plan, cache, third_time)
        prior.class_latents(base, other, cache, third_time)
    assert len(asked) <= 19


@pytest.mark.parametrize("lost", ["nothing", "what was drawn"])
def test_a_run_goes_on_to_the_same_bytes(a_prior_run, cache, lost):
    folder, _ = a_prior_run("run", flip=True)
    whole = train(folder)
    for name in ("result.json", "adapter.safetensors", "checkpoint/step-0000003.safetensors"):
        (folder / name).unlink()
    if lost != "nothing":
        for path in prior_of(cache).iterdir():
            path.unlink()
    again = train(folder)
    assert again["resumed_from"] == 2
    assert (again["adapter_id"], again["prior"]) == (whole["adapter_id"], whole["prior"])


@pytest.mark.soak  # a process of its own loads torch
def test_killed_while_they_are_drawn_it_goes_on_with_what_is_there(a_prior_run, cache):
    plain, _ = a_prior_run("plain", prior=(), prior_pictures=16)
    train(plain)  # the pictures' own latents lie there now, so that all that comes is the prior's
    folder, _ = a_prior_run("run")
    nursery = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("nursery.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # Two pictures are put in place; the third is written, no more.
    at = {"event": "os.rename", "name": ".*.safetensors.part", "times": 3, "delay": None}
    told, _ = nursery.communicate(json.dumps({"folder": str(folder), "at": at}) + "\n")
    assert told.splitlines()[1] == "-9"
    there = {path: path.stat().st_mtime_ns for path in prior_of(cache).glob("*.safetensors")}
    assert len(there) == 2
    assert not (folder / "checkpoint").exists()
    result = train(folder)
    assert result["resumed_from"] is None
    assert len(list(prior_of(cache).glob("*.safetensors"))) == 4
    assert {path: path.stat().st_mtime_ns for path in there} == there
    whole, _ = a_prior_run("whole")
    assert train(whole)["adapter_id"] == result["adapter_id"]


def test_a_run_that_is_asked_to_stop_draws_no_more(a_prior_run, cache):
    folder, _ = a_prior_run("run")
    ask_to_stop(folder, "Taken back.")
    assert main([str(folder)]) == STOPPED
    assert not prior_of(cache).exists()


def test_rows_that_are_left_out_take_none_of_them_along(a_prior_run, tmp_path):
    folder, plan = a_prior_run("run", batch=1, prior_pictures=1)
    shown = [slots_for(plan, step, 1000)[0].picture for step in range(3)]
    without = Without(run="run_" + "1" * 64, revocations=("rev_1",), members=(shown[1],))
    members = tuple(one for one in plan.members if one.picture != shown[1])
    less = plan.model_copy(update={"members": members, "without": without})
    assert slots_for(less, 1, 1000) == slots_for(plan, 1, 1000)[1:]
    assert slots_for(less, 2, 1000) == slots_for(plan, 2, 1000)
    whole = train(folder)
    less.write(tmp_path / "less")
    result = train(tmp_path / "less")
    assert result["prior"] == whole["prior"]
    assert (sum(whole["exposure"].values()), sum(result["exposure"].values())) == (3, 2)
    rows = [
        {row["step"]: row["loss"] for row in read_log(one)} for one in (folder, tmp_path / "less")
    ]
    assert rows[0].keys() == rows[1].keys() == {0, 1, 2}, "the class is still learned in each step"
    assert rows[0][0] == rows[1][0]
    assert 0 < rows[1][1] < rows[0][1]


@pytest.mark.soak  # a process of its own loads torch
def test_two_processes_with_masks_boxes_and_mirrors_learn_what_one_learns(
    tiny_base, ink, save_picture, make_plan, tmp_path
):
    wide = [
        save_picture(tiny_picture(n + 1).resize((96, 48), Image.Resampling.LANCZOS), f"m{n}")
        for n in range(3)
    ]
    knobs = {**DISCS, "buckets": True, "mask_alpha": True, "flip": True, "batch": 3}
    knobs |= {"gradient_checkpointing": True}
    for name, processes in (("alone", 1), ("both", 2)):
        plan = make_plan(tiny_base, [*ink[:4], *wide], processes=processes, **knobs)
        plan.model_copy(update={"cache": str(tmp_path / "cache")}).write(tmp_path / name)
    one, two = (train(tmp_path / name) for name in ("alone", "both"))
    assert one["sizes"]["40x24"] == 3
    assert two["prior"] == one["prior"]
    logs = [[row["loss"] for row in read_log(tmp_path / name)] for name in ("alone", "both")]
    assert logs[1] == pytest.approx(logs[0], rel=1e-4)


def test_a_base_that_nothing_draws_with_is_refused(a_prior_run, tiny_base):
    _, plan = a_prior_run("run")
    base = load_base(tiny_base)
    mute = dataclasses.replace(base.family, samplers=lambda _: {})
    with pytest.raises(UsageError, match="No sampler draws") as caught:
        prior.require_drawing(dataclasses.replace(base, family=mute), plan)
    assert "--set prior=[]" in caught.value.hint
    prior.require_drawing(base, plan)


def test_what_is_not_finite_is_not_kept(a_prior_run, tiny_base, cache):
    _, plan = a_prior_run("run")
    base = load_base(tiny_base)
    with torch.no_grad():
        base.network.conv_out.bias.fill_(float("inf"))
    with pytest.raises(RunFailed, match="not finite"):
        prior.class_latents(base, plan, cache)
    assert not prior_of(cache).exists()


def test_what_was_kept_is_not_asked_for_as_forgotten(a_prior_run):
    _, plan = a_prior_run("run", prior=("an apple", "two boats"), eval_share=10.0)
    _, plain = a_prior_run("plain", prior=(), prior_pictures=16, eval_share=10.0)
    assert {"apple", "boat"} <= set(words_for(plain))
    assert not {"apple", "boat"} & set(words_for(plan))
