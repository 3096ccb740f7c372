"""Do encoders that learn read every caption anew, with a gradient, and prove what they learned?"""

from __future__ import annotations

from functools import partial

import pytest
import torch

from picdeed.diffusion.cache import embed, encode
from picdeed.diffusion.captions import Spoken
from picdeed.diffusion.data import dataset_of, pictures_of, square
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.evidence import measure
from picdeed.diffusion.gradient import descend
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.optimisers import build
from picdeed.diffusion.plan import read_plan
from picdeed.diffusion.ready import prepare, slots_losses
from picdeed.diffusion.recipe import Precision, Recipe
from picdeed.diffusion.runfolder import read_log
from picdeed.diffusion.samples import draw_quickly, samples_in
from picdeed.diffusion.tensors import safetensors_bytes
from picdeed.diffusion.train import train
from picdeed.diffusion.worn import attach_recipe, put_on, trained
from picdeed.imaging.decode import decode
from picdeed.testing import tiny_model

TEXT = {"text_rank": 2, "targets": ("to_q", "to_k"), "caption_dropout": 0.4}


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("two") / "sdxl", family="sdxl")


def slot(picture, *, drop=False, noise=1):
    return Slot(picture, flip=False, drop_caption=drop, timestep=500, noise_seed=noise)


def test_rows_are_what_the_encoder_says_of_each_caption_now(tiny_base):
    base = load_base(tiny_base)
    captions = {"a": "a cat", "b": "", "c": "a cat", "d": "a dog"}
    spoken = Spoken(base, captions, {name: {} for name in captions})
    parameters = attach_recipe(base, Recipe(**TEXT), 0)
    plain = spoken["a"]
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(0.1)
    rows = spoken.read([slot("a"), slot("d"), slot("c"), slot("d", drop=True), slot("b")])
    words = rows["prompt_embeds"]
    for row, caption in zip(words, ("a cat", "a dog", "a cat", "", ""), strict=True):
        assert torch.allclose(row, embed(base, caption)["prompt_embeds"], atol=1e-5)
    assert torch.equal(words[0], words[2])
    assert not torch.equal(spoken["a"]["prompt_embeds"], plain["prompt_embeds"])
    assert words.requires_grad
    assert words.dtype is torch.float32


@pytest.mark.parametrize("at_once", [1, 4])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(sdxl, ink, make_plan, tmp_path, at_once):
    plan = make_plan(sdxl, ink, **TEXT)
    ready = prepare(tmp_path, plan)
    named = attach_recipe(ready.base, plan.recipe, 3) and trained(ready.base)
    with torch.no_grad():
        for name, weight in named:
            if "lora_B" in name:
                weight.fill_(0.05)
    optimizer = build(plan.recipe, named)
    losses = partial(slots_losses, Objective(ready.base), ready, Precision.FP32)
    slots = [slot(one.picture, drop=n == 2, noise=n) for n, one in enumerate(plan.members[:4])]

    def gradients(some, most):
        descend(some, losses, optimizer, whole=4, most=most)
        return {name: weight.grad.clone() for name, weight in named}

    whole, parts = gradients(slots, 4), gradients(slots, at_once)
    moved = {name.split(".")[0] for name, one in whole.items() if one.abs().max() > 0}
    assert {"text_encoder", "text_encoder_2"} <= moved
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-3, atol=1e-7)
    # Of dropped captions this base makes zeros: its encoders are not asked, and do not learn.
    dropped = gradients([slot(one.picture, drop=True) for one in plan.members[:4]], 4)
    assert not any(dropped[name].any() for name in dropped if name.startswith("text_encoder"))


def test_a_run_resumes_to_the_same_bytes_and_is_measured_with_what_it_learned(
    tiny_base, a_run, tmp_path
):
    folder = a_run(
        steps=6, micro_batch=3, ema=0.5, samples=1, eval_share=2.0, keep="best", alpha=16.0, **TEXT
    )
    (folder / "samples").mkdir()
    done = train(folder)
    adapter = load_adapter(folder / "adapter.safetensors")
    text = [
        t for n, t in adapter.tensors.items() if n.startswith("text_encoder.") and "lora_B" in n
    ]
    assert len(text) == 4
    assert all(tensor.abs().max() > 0 for tensor in text)

    drawn, log = samples_in(folder), read_log(folder)
    (folder / "result.json").unlink()
    (folder / "adapter.safetensors").unlink()
    for newest in sorted((folder / "checkpoint").glob("step-*"))[-1:]:
        newest.unlink()
    again = train(folder)
    assert again["resumed_from"] == 5
    assert [again[key] for key in ("adapter_id", "adapter_sha256", "loss", "evidence")] == [
        done[key] for key in ("adapter_id", "adapter_sha256", "loss", "evidence")
    ]
    assert [row["loss"] for row in read_log(folder)] == [row["loss"] for row in log]

    # By hand: the adapter on a fresh base, its own words.
    plan, base = read_plan(folder), load_base(tiny_base)
    unseen = {one.picture: one for one in plan.held_out}
    moments = {
        name: torch.stack([encode(base, picture)])
        for name, picture in pictures_of(dataset_of(plan.held_out), square(32))
    }
    put_on(base, adapter)
    spoken = Spoken(base, {n: unseen[n].caption for n in plan.measured}, {n: {} for n in moments})
    told = measure(base, {name: moments[name] for name in plan.measured}, spoken)
    assert told.document() == done["loss"]
    stale = {name: spoken[name] for name in plan.measured}
    assert measure(base, {n: moments[n] for n in plan.measured}, stale).base != told.base

    kept = done["evidence"]["kept"]["step"]
    (image,) = draw_quickly(base, [unseen[plan.measured[0]].caption], [0])
    assert decode(drawn[kept][0].read_bytes()).image.tobytes() == image.tobytes()
    deaf = {
        n: torch.zeros_like(t) if n.startswith("text") else t for n, t in adapter.tensors.items()
    }
    path = tmp_path / "deaf.safetensors"
    path.write_bytes(safetensors_bytes(deaf, adapter.metadata))
    plain = load_base(tiny_base)
    put_on(plain, load_adapter(path))
    (other,) = draw_quickly(plain, [unseen[plan.measured[0]].caption], [0])
    assert other.tobytes() != image.tobytes(), "the words' part is in the picture"


def test_captions_are_not_kept_when_their_reader_learns(a_run):
    folder = a_run(steps=1, **TEXT)
    train(folder)
    assert not list((folder / "cache").rglob("prompts/*"))
    plain = a_run("plain", steps=1, targets=("to_q",))
    train(plain)
    assert list((plain / "cache").rglob("prompts/*"))


def test_rates_are_multiples_of_each_other(tiny_base):
    base = load_base(tiny_base)
    recipe = Recipe(**TEXT, text_rate=0.5, rate_ratio=8.0)
    attach_recipe(base, recipe, 0)
    groups = build(recipe, trained(base)).param_groups
    assert [group["scale"] for group in groups] == [1.0, 8.0, 0.5, 4.0]
    text = [len(group["params"]) for group in groups[2:]]
    assert text == [4, 4]
