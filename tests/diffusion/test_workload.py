"""Does the work that is counted beforehand agree with the work that a run does?"""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel
from torch.nn.modules.module import register_module_forward_hook
from transformers import CLIPTextModel

from picdeed.diffusion import prior
from picdeed.diffusion.devices import repeatable
from picdeed.diffusion.filling import fill
from picdeed.diffusion.models import load_base
from picdeed.diffusion.recipe import Keep, Recipe
from picdeed.diffusion.samples import make_place
from picdeed.diffusion.train import train
from picdeed.diffusion.workload import looks_at_once, workload
from picdeed.testing import tiny_model

KNOBS = {"steps": 2, "eval_share": 5.0, "eval_noises": 1}
DISCS = {"prior": ("a disc", "a ring"), "prior_pictures": 2}
NETWORK, READER = "network", "reader"
_KINDS = {UNet2DConditionModel: NETWORK, FluxTransformer2DModel: NETWORK, CLIPTextModel: READER}


@pytest.fixture(autouse=True)
def _drawn_in_few_steps(monkeypatch):
    monkeypatch.setattr(prior, "STEPS", 3)


def passed(folder) -> Counter[str]:
    """How many pictures passed through the network, and how many captions through an encoder,
    without a gradient while a run was trained."""
    seen = Counter[str]()

    def hook(module, given, made) -> None:
        kind = _KINDS.get(type(module))
        if kind is not None and not torch.is_grad_enabled():
            seen[kind] += len(made[0])

    handle = register_module_forward_hook(hook)
    try:
        train(folder)
    finally:
        handle.remove()
    return seen


@pytest.mark.parametrize(
    ("family", "knobs"),
    [
        ("sd", {"text_rank": 2, "keep": "best", "samples": 1}),
        ("sd", {**DISCS, "gradient_checkpointing": True}),
        ("flux", {**DISCS, "text_rank": 2, "hold_out": 0.0, "targets": ("to_q",)}),
    ],
)
def test_a_run_takes_what_was_counted(family, knobs, plan_on_ink, tiny_base, tmp_path):
    """Looks, passes of drawn pictures, and captions that are read for evidence or to be kept."""
    plan = plan_on_ink(tmp_path / "blobs", **KNOBS, **knobs)
    where = tiny_base if family == "sd" else tiny_model(tmp_path / "base", family=family)
    base = load_base(where)
    same = {"base": str(where), "base_sha256": base.facts.sha256}
    plan = plan.model_copy(update={**same, "cache": str(tmp_path / "cache")})
    plan.write(tmp_path / "run")
    make_place(tmp_path / "run")
    with repeatable(plan.threads):
        filling = fill(base, plan, tmp_path / "cache", encodes=False)
    sides = base.family.sides
    load = workload(plan, samples=True, sides=sides)
    assert load.said > 0 < load.looks
    assert passed(tmp_path / "run") == {
        NETWORK: load.looks + filling.drawings * prior.STEPS * sides + load.passes,
        # For a picture that is drawn as often as the network: guidance reads no words too.
        READER: filling.captions + load.said + (filling.drawings + load.decoded) * sides,
    }


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
    assert of(text_rank=2).said > plain.said > of(eval_share=0).said == 0
    assert of(**DISCS).passes == plain.passes, "what the base draws of a class is cached"


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
