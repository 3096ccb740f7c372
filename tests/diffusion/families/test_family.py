"""Does every family check, read, predict, learn and draw exactly as its own pipeline does?"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers_own import diffusers_own, first_call, with_network
from safetensors.torch import load_file, save_file

from picdeed.core.errors import UsageError
from picdeed.diffusion.adapterkeys import kohya_tensors, layers_of, network_of, peft_tensors
from picdeed.diffusion.cache import embed
from picdeed.diffusion.data import Frame
from picdeed.diffusion.families.known import FAMILIES
from picdeed.diffusion.lora import load_adapter, put_on
from picdeed.diffusion.models import Base, check_base, load_base
from picdeed.diffusion.plan import Trainee
from picdeed.diffusion.prompts import stacked
from picdeed.diffusion.recipe import TARGETS
from picdeed.diffusion.sample import draw
from picdeed.diffusion.samplers import Sampler
from picdeed.diffusion.train import train

SIDE = 32
WHOLE = Frame(SIDE, SIDE, 0, 0, SIDE, SIDE)
PREDICTS = {"sd": "v_prediction", "sdxl": "epsilon", "sd3": "flow_prediction"}
PREDICTS["flux"] = PREDICTS["sd3"]


def prompt_of(base: Base, caption: str, frame: Frame = WHOLE) -> dict[str, torch.Tensor]:
    """A batch of one."""
    framed = base.family.framed
    return stacked([{**embed(base, caption), **(framed(frame) if framed else {})}])


def sampler_of(base: Base) -> Sampler:
    return Sampler.EULER if base.family.network == "transformer" else Sampler.DDIM


@torch.no_grad()
def said(base: Base) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    noisy = torch.randn(2, 4, 8, 8, generator=generator)
    prompt = {name: t.expand(2, *t.shape[1:]) for name, t in prompt_of(base, "a cat").items()}
    return base.family.predict(base, noisy, torch.tensor([10.0, 900.0]), prompt)


def test_a_good_base_says_what_it_is_and_loads_frozen(folder: Path, family: str) -> None:
    facts = check_base(folder)
    assert (facts.family, facts.size, facts.prediction) == (family, SIDE, PREDICTS[family])
    base = load_base(folder)
    assert base.network is base.parts[base.family.network]
    models = [base.parts[name] for name in base.family.parts]
    files = folder.glob("*/*.safetensors")
    assert facts.parameters == sum(t.numel() for one in files for t in load_file(one).values())
    assert not any(p.requires_grad for one in models for p in one.parameters())
    assert not any(one.training for one in models)


def test_every_part_is_asked_for_by_name(folder: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    for path in sorted(own.rglob("*")):
        if path.suffix != ".safetensors" and path.name not in ("config.json", "tokenizer.json"):
            continue
        kept = path.read_bytes()
        path.unlink()
        with pytest.raises(UsageError, match=f"{path.parent.name}.{path.stem}"):
            check_base(own)
        path.write_bytes(kept)
    index = json.loads((own / "model_index.json").read_text())
    for part in check_base(own).parts:
        if part not in ("scheduler", "pipeline"):
            astray = index | {part: ["diffusers", "Other"]}
            (own / "model_index.json").write_text(json.dumps(astray))
            with pytest.raises(UsageError, match=f"{part} is Other, not a"):
                check_base(own)


def test_wrong_weights_pickles_and_code_are_refused(folder: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    changes: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
        lambda tensor: torch.full_like(tensor, float("nan")),
        lambda tensor: tensor.new_zeros(3, 1, 2),
    )
    for path in sorted(own.glob("*/*.safetensors")):
        kept, tensors = path.read_bytes(), load_file(path)
        name = min(tensors)
        for change in changes:
            save_file({**tensors, name: change(tensors[name])}, path)
            named = name.removeprefix("text_model.")
            with pytest.raises(UsageError, match=rf"{path.parent.name}.*{named}"):
                check_base(own)
        path.write_bytes(kept)
    (own / "vae" / "more.bin").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(UsageError, match="could run code"):
        check_base(own)


# A part of a base, and another base's part of the same kind but another size.
STRANGE = {
    "sd": ("text_encoder", "sdxl", "text_encoder_2"),
    "sdxl": ("text_encoder_2", "sd3", "text_encoder_2"),
    "sd3": ("text_encoder", "sd3", "text_encoder_2"),
    "flux": ("transformer", "sd3", "transformer"),
}


def test_parts_that_do_not_fit_are_refused(folder: Path, family: str, tmp_path: Path) -> None:
    part, other, theirs = STRANGE[family]
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    shutil.rmtree(own / part)
    shutil.copytree(folder.parent / other / theirs, own / part)
    with pytest.raises(UsageError, match=r"the part it must fit has|its config says"):
        check_base(own)


@pytest.mark.parametrize("caption", ["a cat", "", "long " * 400])
def test_a_caption_becomes_what_the_pipeline_makes_of_it(folder: Path, caption: str) -> None:
    base, pipeline = load_base(folder), diffusers_own(folder)
    ours = embed(base, caption)
    with torch.no_grad():
        told = base.family.asked(base)
        asked = {name: told[name] for name in told if name == "max_sequence_length"}
        if base.family.name == "flux":
            words, pooled, _ = pipeline.encode_prompt(caption, None, **asked)
        elif base.family.name == "sd3":
            words, _, pooled, _ = pipeline.encode_prompt(caption, None, None, **asked)
        elif base.family.name == "sdxl":
            words, nothing, pooled, no_pooled = pipeline.encode_prompt(caption)
            words, pooled = (words, pooled) if caption else (nothing, no_pooled)
        else:
            words, nothing = pipeline.encode_prompt(caption, "cpu", 1, True)
            assert caption or torch.equal(words, nothing)
            pooled = None
    assert torch.equal(ours["prompt_embeds"], words[0])
    assert pooled is None or torch.equal(ours["pooled_prompt_embeds"], pooled[0])
    assert all(tensor.dtype is torch.float32 for tensor in ours.values())


def test_the_network_is_asked_as_the_pipeline_asks_it(folder: Path) -> None:
    base = load_base(folder)
    call = first_call(
        diffusers_own(folder), "a cat", base.family.network, **base.family.asked(base)
    )
    with torch.no_grad():
        own = base.family.predict(base, call.noisy, call.times, prompt_of(base, "a cat"))
        other = base.family.predict(base, call.noisy, call.times, prompt_of(base, "dogs"))
    assert torch.equal(own, call.said)
    assert not torch.equal(other, call.said)


def test_a_picture_is_the_one_that_the_pipeline_draws(folder: Path) -> None:
    base, pipeline = load_base(folder), diffusers_own(folder)
    (image,) = draw(base, ["a cat"], [7], steps=3, sampler=sampler_of(base))
    asked = {"num_inference_steps": 3, "guidance_scale": 2.5, **base.family.asked(base)}
    if base.family.name == "sdxl":
        pipeline.scheduler = base.family.samplers("epsilon")[Sampler.DDIM].from_config(
            pipeline.scheduler.config
        )
    theirs = pipeline("a cat", generator=torch.Generator().manual_seed(7), **asked).images[0]
    assert image.size == (SIDE, SIDE)
    assert np.abs(np.asarray(image).astype(int) - np.asarray(theirs)).max() <= 1  # they round down
    (again,) = draw(base, ["dogs"], [7], steps=3, sampler=sampler_of(base))
    assert again.tobytes() != image.tobytes()


def test_a_few_steps_lower_the_loss_and_a_resumed_run_ends_the_same(
    folder: Path, ink: list[Trainee], make_plan: Callable[..., Any], tmp_path: Path
) -> None:
    base = load_base(folder)
    plan = make_plan(folder, ink, steps=10, targets=("to_q", "to_k", "to_v", "to_out.0"))
    plan.write(tmp_path / "run")
    done = train(tmp_path / "run")
    assert done["loss"]["adapter"] < done["loss"]["base"]
    (tmp_path / "run" / "result.json").unlink()
    max((tmp_path / "run" / "checkpoint").iterdir()).unlink()
    again = train(tmp_path / "run")
    assert again["resumed_from"] == 9
    assert (again["adapter_id"], again["loss"]) == (done["adapter_id"], done["loss"])

    path = tmp_path / "run" / "adapter.safetensors"
    adapter = load_adapter(path)
    assert all(name.startswith(f"{base.family.network}.") for name in adapter.tensors)
    plain = said(base)
    put_on(base.network, adapter)
    ours = said(base)
    assert not torch.equal(plain, ours)
    pipeline = diffusers_own(folder)
    pipeline.load_lora_weights(path.parent, weight_name=path.name)
    network = getattr(pipeline, base.family.network)
    parts = with_network(base, network)
    assert torch.equal(said(dataclasses.replace(base, parts=parts)), ours)

    layers = layers_of(adapter.tensors, adapter.metadata)
    named = peft_tensors(layers, network_of(adapter.tensors))
    assert named.keys() == adapter.tensors.keys()
    if base.family.network == "transformer":
        with pytest.raises(UsageError, match="transformer's"):
            kohya_tensors(layers, network_of(adapter.tensors))


def test_a_layer_that_no_base_of_the_family_has_is_refused(
    folder: Path, family: str, ink: list[Trainee], make_plan: Callable[..., Any], tmp_path: Path
) -> None:
    odd = "add_q_proj" if family in ("sd", "sdxl") else "conv1"
    make_plan(folder, ink, steps=1, targets=("to_q", odd)).write(tmp_path / "run")
    with pytest.raises(UsageError, match=f"no layer '{odd}'"):
        train(tmp_path / "run")


def test_targets_are_layers_of_the_network(folder: Path) -> None:
    base = load_base(folder)
    names = [f".{name}" for name, _ in base.network.named_modules()]
    missing = {t for t in base.family.targets if not any(n.endswith(f".{t}") for n in names)}
    assert not missing
    assert frozenset().union(*(one.targets for one in FAMILIES)) == TARGETS
