"""Does the part of an adapter for a family's text encoders go wherever the adapter goes?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from adapted import PAPERS

from picdeed.core.errors import UsageError
from picdeed.diffusion.adapterkeys import kohya_tensors, layers_of, read_foreign
from picdeed.diffusion.cache import embed
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import Base, load_base
from picdeed.diffusion.prompts import Prompt
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.tensors import read_safetensors, safetensors_bytes
from picdeed.diffusion.worn import (
    attach_recipe,
    bare,
    named,
    put_on,
    save_adapter,
    take_off,
    weights,
    worn,
)

RECIPE = Recipe(rank=4, alpha=6.0, text_rank=2, targets=("to_q", "to_v"))
CAPTION = "a cat"


def dressed(folder: Path) -> Base:
    """A base whose adapter does something in every model."""
    base = load_base(folder)
    attach_recipe(base, RECIPE, 1)
    with torch.no_grad():
        for name, tensor in weights(base).items():
            if "lora_B" in name:
                generator = torch.Generator().manual_seed(len(name))
                torch.nn.init.normal_(tensor, std=0.3, generator=generator)
    return base


def same(a: Prompt, b: Prompt) -> bool:
    return all(torch.equal(tensor, b[name]) for name, tensor in a.items())


def loaded_by_diffusers(folder: Path, path: Path) -> Base:
    """A base on which diffusers put the adapter in a file."""
    base = load_base(folder)
    base.family.pipeline(base, None).load_lora_weights(path.parent, weight_name=path.name)
    return base


def test_it_comes_back_from_the_file_here_and_in_diffusers(folder: Path, tmp_path: Path) -> None:
    base, path = dressed(folder), tmp_path / "a.safetensors"
    plain, said = embed(load_base(folder), CAPTION), embed(base, CAPTION)
    name, _ = save_adapter(path, base, RECIPE, PAPERS)
    adapter = load_adapter(path)
    assert adapter.id == name
    assert tuple(adapter.parts) == (base.family.network, *base.family.text)
    strengths = {(one.rank, one.alpha) for one in adapter.text.values()}
    assert strengths == {(2, 3.0)}, "as strong as the network's, 6 / 4"
    for part in base.family.text:
        key = f"{part}.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight"
        assert adapter.tensors[key].shape[0] == 2

    other = load_base(folder)
    put_on(other, adapter)
    assert same(embed(other, CAPTION), said)
    assert not same(said, plain)
    with bare(other):
        assert same(embed(other, CAPTION), plain)
    assert same(embed(other, CAPTION), said)
    take_off(other)
    assert same(embed(other, CAPTION), plain)
    assert not worn(other)
    assert same(embed(loaded_by_diffusers(folder, path), CAPTION), said)


def test_a_fresh_one_changes_nothing_and_leaves_the_network_s_as_it_was(folder: Path) -> None:
    alone, both = load_base(folder), load_base(folder)
    before = embed(both, CAPTION)
    attach_recipe(alone, RECIPE.model_copy(update={"text_rank": 0}), 1)
    attach_recipe(both, RECIPE, 1)
    assert same(embed(both, CAPTION), before)
    own = named(both)
    assert all(torch.equal(own[name], tensor) for name, tensor in named(alone).items())
    assert len(own) > len(named(alone))


@pytest.mark.parametrize("name", ["sd", "sdxl"])
def test_kohya_s_names_keep_it(folders: Mapping[str, Path], name: str, tmp_path: Path) -> None:
    base, path = dressed(folders[name]), tmp_path / "a.safetensors"
    save_adapter(path, base, RECIPE, PAPERS)
    own = load_adapter(path)
    tensors = kohya_tensors(layers_of(own.tensors, own.metadata))
    first = "lora_te_" if name == "sd" else "lora_te1_"
    q_proj = f"{first}text_model_encoder_layers_0_self_attn_q_proj"
    assert tensors[f"{q_proj}.alpha"] == 3.0
    assert any(key.startswith("lora_te2_") for key in tensors) == (name == "sdxl")
    foreign = tmp_path / "kohya.safetensors"
    foreign.write_bytes(safetensors_bytes(tensors, {"format": "pt"}))
    found = read_foreign(foreign)
    assert found.id == own.id
    assert all(torch.equal(found.tensors[key], own.tensors[key]) for key in own.tensors)
    other = load_base(folders[name])
    put_on(other, found)
    assert same(embed(other, CAPTION), embed(base, CAPTION))
    theirs = loaded_by_diffusers(folders[name], foreign)
    assert same(embed(theirs, CAPTION), embed(base, CAPTION))


def test_every_spelling_of_diffusers_leads_to_the_same_layer() -> None:
    down, up = torch.ones(2, 4), torch.ones(5, 2)
    for model in ("text_encoder", "text_encoder_2"):
        layer = "encoder.layers.0.self_attn.q_proj"
        wanted = f"{model}.text_model.{layer}"
        for key in (
            f"{wanted}.lora_linear_layer.",
            f"{model}.{layer}.lora.",
            f"{model}.text_model.encoder.layers.0.self_attn.to_q_lora.",
        ):
            told = layers_of({f"{key}down.weight": down, f"{key}up.weight": up}, {})
            assert list(told) == [wanted]


def test_what_a_base_has_no_encoder_for_is_refused(
    folders: Mapping[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    save_adapter(path, dressed(folders["sdxl"]), RECIPE, PAPERS)
    base = load_base(folders["sd"])
    with pytest.raises(UsageError, match="text_encoder_2"):
        put_on(base, load_adapter(path))
    assert not worn(base)
    flux = load_base(folders["flux"])  # there the second one is a T5
    with pytest.raises(UsageError, match="unet"):
        put_on(flux, load_adapter(path))
    assert not worn(flux)


def test_a_header_that_is_silent_about_an_encoder_is_refused(
    folders: Mapping[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    save_adapter(path, dressed(folders["sd"]), RECIPE, PAPERS)
    tensors, said = read_safetensors(path)
    settings = json.loads(said["lora_adapter_metadata"])
    silent = {key: value for key, value in settings.items() if key.startswith("unet.")}
    changed = {**said, "lora_adapter_metadata": json.dumps(silent)}
    path.write_bytes(safetensors_bytes(tensors, changed))
    base = load_base(folders["sd"])
    with pytest.raises(UsageError, match=r"does not fit this base at text_encoder\."):
        put_on(base, load_adapter(path))
    assert not worn(base)
