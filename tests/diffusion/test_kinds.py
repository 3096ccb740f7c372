"""Do the kinds of adapter (rsLoRA, DoRA, ranks by layer) come back from their file as they were?"""

import json

import pytest
import torch
from adapted import PAPERS, output
from diffusers import StableDiffusionPipeline

from picdeed.core.errors import UsageError
from picdeed.diffusion.adapterkeys import kohya_tensors, layers_of
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import load_base
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.runfolder import read_json
from picdeed.diffusion.tensors import safetensors_bytes
from picdeed.diffusion.train import train
from picdeed.diffusion.worn import ADAPTER, attach_recipe, put_on, save_adapter, weights

TARGETS = ("to_q", "to_v", "conv1")
KINDS = {
    "rslora": {"rslora": True},
    "dora": {"dora": True},
    "ranks": {"ranks": {"mid_block": 7, "down_blocks.1.attentions.0": 2}},
    "gaussian": {"init": "gaussian"},
    "all": {"rslora": True, "dora": True, "ranks": {"mid_block": 7}},
}


def recipe_of(kind):
    return Recipe(rank=4, alpha=10.0, targets=TARGETS, **KINDS[kind])


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def moved(tiny_base, kind):
    """A base with an adapter of this kind that does something."""
    base = load_base(tiny_base)
    attach_recipe(base, recipe_of(kind), 1)
    with torch.no_grad():
        for name, tensor in weights(base).items():
            if "lora_B" in name:
                generator = torch.Generator().manual_seed(len(name))
                torch.nn.init.normal_(tensor, std=0.05, generator=generator)
    return base


def test_a_fresh_adapter_of_any_kind_changes_nothing(tiny_base, kind):
    base = load_base(tiny_base)
    unet, before = base.network, output(base.network)
    attach_recipe(base, recipe_of(kind), 1)
    assert torch.allclose(output(unet), before, atol=1e-6)
    unet.disable_adapters()
    assert torch.equal(output(unet), before)


def test_its_file_brings_back_exactly_the_same_model(moved, kind, tiny_base, tmp_path):
    save_adapter(tmp_path / "a.safetensors", moved, recipe_of(kind), PAPERS)
    other = load_base(tiny_base)
    put_on(other, load_adapter(tmp_path / "a.safetensors"))
    assert torch.equal(output(other.network), output(moved.network))
    assert not torch.allclose(
        output(moved.network), output(load_base(tiny_base).network), atol=1e-4
    )


def test_diffusers_own_loader_reads_it_to_the_same_model(moved, kind, tiny_base, tmp_path):
    save_adapter(tmp_path / "a.safetensors", moved, recipe_of(kind), PAPERS)
    pipeline = StableDiffusionPipeline(
        **load_base(tiny_base).parts,
        scheduler=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.load_lora_weights(tmp_path, weight_name="a.safetensors")
    assert torch.equal(output(pipeline.unet), output(moved.network))


def test_a_layer_of_another_rank_has_it_and_keeps_the_strength(tiny_base):
    base = load_base(tiny_base)
    attach_recipe(base, recipe_of("ranks"), 1)
    shapes = {name: tensor.shape[0] for name, tensor in weights(base).items() if "lora_A" in name}
    middle = {rank for name, rank in shapes.items() if name.startswith("mid_block")}
    narrow = {rank for name, rank in shapes.items() if "down_blocks.1.attentions.0" in name}
    rest = {
        rank
        for name, rank in shapes.items()
        if "mid_block" not in name and "down_blocks.1.attentions.0" not in name
    }
    assert (middle, narrow, rest) == ({7}, {2}, {4})
    scales = {
        round(value, 6)
        for module in base.network.modules()
        for value in getattr(module, "scaling", {}).values()
    }
    assert scales == {2.5}


def test_a_rank_for_no_layer_is_refused(tiny_base):
    recipe = Recipe(targets=TARGETS, ranks={"down_blocks.9": 3})
    with pytest.raises(UsageError, match=r"down_blocks\.9"):
        attach_recipe(load_base(tiny_base), recipe, 0)


def test_a_header_whose_layer_has_another_strength_is_refused(tiny_base, tmp_path):
    base, path = load_base(tiny_base), tmp_path / "a.safetensors"
    attach_recipe(base, recipe_of("ranks"), 1)
    save_adapter(path, base, recipe_of("ranks"), PAPERS)
    read = load_adapter(path)
    settings = json.loads(read.metadata["lora_adapter_metadata"])
    layer = next(iter(settings["unet.alpha_pattern"]))
    settings["unet.alpha_pattern"][layer] *= 2
    header = {**read.metadata, "lora_adapter_metadata": json.dumps(settings)}
    path.write_bytes(safetensors_bytes(read.tensors, header))
    with pytest.raises(UsageError, match="rank, alpha"):
        load_adapter(path)


def test_a_run_learns_with_every_knob_at_once(a_run):
    knobs = {
        "dora": True, "rslora": True, "ranks": {"mid_block": 2}, "optimizer": "muon",
        "rate_ratio": 2.0, "micro_batch": 2, "batch": 5, "precision": "bf16", "steps": 4,
    }  # fmt: skip
    folder = a_run(**knobs)
    train(folder)
    assert read_json(folder / "result.json")["micro_batch"] == 2
    assert any("magnitude" in name for name in load_adapter(folder / "adapter.safetensors").tensors)


@pytest.mark.parametrize("kind", ["rslora", "ranks"])
def test_kohya_s_names_keep_every_layer_s_strength(moved, kind, tmp_path):
    save_adapter(tmp_path / "a.safetensors", moved, recipe_of(kind), PAPERS)
    read = load_adapter(tmp_path / "a.safetensors")
    layers = layers_of(read.tensors, read.metadata)
    wanted = {
        f"unet.{name}": module.scaling[ADAPTER]
        for name, module in moved.network.named_modules()
        if ADAPTER in getattr(module, "scaling", {})
    }
    again = layers_of(kohya_tensors(layers), {})
    assert {name: layer.alpha / layer.rank for name, layer in again.items()} == pytest.approx(
        wanted
    )


@pytest.mark.parametrize("kind", ["dora"])
def test_a_dora_has_no_other_names_and_is_refused(moved, kind, tmp_path):
    save_adapter(tmp_path / "a.safetensors", moved, recipe_of(kind), PAPERS)
    read = load_adapter(tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match="lora_magnitude_vector"):
        layers_of(read.tensors, read.metadata)
