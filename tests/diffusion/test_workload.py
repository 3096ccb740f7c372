"""Does the work that is counted beforehand agree with the work that a run does?"""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel
from torch.nn.modules.module import register_module_forward_hook

from picdeed.diffusion.recipe import Keep, Recipe
from picdeed.diffusion.samples import make_place
from picdeed.diffusion.train import train
from picdeed.diffusion.workload import looks_at_once, workload

KNOBS = {"steps": 2, "eval_share": 5.0, "eval_noises": 1}


def passed(folder) -> int:
    """How many pictures passed through the network without a gradient while a run was trained."""
    seen = 0

    def hook(module, given, made) -> None:
        nonlocal seen
        if isinstance(module, UNet2DConditionModel) and not torch.is_grad_enabled():
            seen += len(made[0] if isinstance(made, tuple) else made.sample)

    handle = register_module_forward_hook(hook)
    try:
        train(folder)
    finally:
        handle.remove()
    return seen


def test_a_run_takes_as_many_looks_and_passes_as_were_counted(plan_on_ink, tmp_path):
    plan = plan_on_ink(tmp_path / "blobs", **KNOBS, samples=1)
    plan.write(tmp_path / "run")
    make_place(tmp_path / "run")
    load = workload(plan, samples=True)
    assert load.looks > 0 < load.passes
    assert passed(tmp_path / "run") == load.looks + load.passes


def test_more_of_anything_is_more_work(plan_on_ink, tmp_path):
    def of(**knobs):
        return workload(plan_on_ink(tmp_path / "blobs", **{**KNOBS, **knobs}), samples=True)

    plain = of()
    assert of(steps=8).steps > plain.steps
    assert of(eval_noises=2).looks > plain.looks
    assert of(samples=2).passes > plain.passes < of(samples=4).passes
    assert of(samples=2).decoded > plain.decoded
    assert of(eval_share=0).passes == of(eval_share=0).decoded == of(eval_share=0).encoded == 0
    assert of(hold_out=0).looks < plain.looks


def test_how_many_looks_are_taken_at_once(plan_on_ink, tmp_path):
    def at(**knobs):
        return looks_at_once(plan_on_ink(tmp_path / "blobs", **knobs))

    assert at(eval_noises=4) == 32
    assert at(eval_noises=1) == 16, "on the way"
    assert at(eval_noises=1, eval_share=0) == 8
    assert at(eval_noises=1, eval_share=0, keep=Keep.BEST) == 16
    assert at(hold_out=0) == 0
    plan = plan_on_ink(tmp_path / "blobs")
    assert looks_at_once(plan, Recipe(eval_noises=1, eval_share=0)) == 8
