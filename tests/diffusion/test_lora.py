"""Does an adapter file say what it is, and does it come back as exactly the same model?"""

import json
from dataclasses import replace

import pytest
import torch
from adapted import PAPERS, output
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

from picdeed.core.errors import UsageError
from picdeed.diffusion.lora import adapter_id, load_adapter
from picdeed.diffusion.models import load_base
from picdeed.diffusion.recipe import ATTENTION, CONVOLUTIONS, Recipe
from picdeed.diffusion.tensors import safetensors_bytes
from picdeed.diffusion.worn import (
    attach_recipe,
    bare,
    put_on,
    save_adapter,
    take_off,
    weights,
    worn,
)

RECIPE = Recipe(rank=3, alpha=6.0, targets=ATTENTION + CONVOLUTIONS)


@pytest.fixture
def trained(tiny_base):
    """A base whose adapter does something."""
    base = load_base(tiny_base)
    attach_recipe(base, RECIPE, seed=1)
    with torch.no_grad():
        for name, tensor in weights(base).items():
            if "lora_B" in name:
                torch.nn.init.normal_(
                    tensor, std=0.05, generator=torch.Generator().manual_seed(len(name))
                )
    return base


def test_a_fresh_adapter_changes_nothing_and_depends_on_its_seed_alone(tiny_base):
    bases = [load_base(tiny_base) for _ in range(3)]
    before = output(bases[0].network)
    state = torch.get_rng_state()
    for base, seed in zip(bases, (1, 1, 2), strict=True):
        attach_recipe(base, RECIPE, seed)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(output(bases[0].network), before)
    first, second, third = (adapter_id(weights(base)) for base in bases)
    assert first == second != third


def test_only_the_adapter_is_trained(tiny_base):
    base = load_base(tiny_base)
    parameters = attach_recipe(base, RECIPE, 0)
    assert isinstance(parameters, list)
    assert len(parameters) == len(weights(base)) > 20
    models = [base.parts[name] for name in base.family.parts]
    learning = [n for one in models for n, p in one.named_parameters() if p.requires_grad]
    assert all("lora" in name for name in learning)
    assert len(learning) == len(parameters)


def test_the_file_brings_back_exactly_the_same_model(trained, tiny_base, tmp_path):
    path = tmp_path / "a.safetensors"
    name, digest = save_adapter(path, trained, RECIPE, PAPERS)
    read = load_adapter(path)
    assert (read.id, read.sha256, read.rank, read.alpha) == (name, digest, 3, 6.0)
    other = load_base(tiny_base)
    put_on(other, read)
    assert torch.equal(output(other.network), output(trained.network))
    plain = output(load_base(tiny_base).network)
    with bare(other):
        assert torch.equal(output(other.network), plain)
    assert torch.equal(output(other.network), output(trained.network))
    take_off(other)
    assert torch.equal(output(other.network), plain)
    assert not worn(other)


def test_diffusers_own_loader_reads_the_file_to_the_same_model(trained, tiny_base, tmp_path):
    save_adapter(tmp_path / "a.safetensors", trained, RECIPE, PAPERS)
    base = load_base(tiny_base)
    pipeline = StableDiffusionPipeline(
        **base.parts,
        scheduler=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.load_lora_weights(tmp_path, weight_name="a.safetensors")
    # alpha is twice the rank here: a reader that loses it gives another picture
    assert torch.equal(output(pipeline.unet), output(trained.network))


def test_the_header_holds_the_papers_and_the_bytes_repeat(trained, tmp_path):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert save_adapter(first, trained, RECIPE, PAPERS) == save_adapter(
        second, trained, RECIPE, PAPERS
    )
    assert first.read_bytes() == second.read_bytes()
    metadata = load_adapter(first).metadata
    assert json.loads(metadata["picdeed.licenses"]) == {"MIT": 3, "CC0-1.0": 9}
    assert json.loads(metadata["picdeed.targets"]) == list(RECIPE.targets)
    for key in ("base_sha256", "snapshot", "snapshot_root", "run", "decision", "recipe_sha256"):
        assert metadata[f"picdeed.{key}"] == getattr(PAPERS, key)
    assert metadata["modelspec.license"] == "CC0-1.0 AND MIT"
    assert metadata["picdeed.notices"] == "NOTICES.txt"
    assert metadata["picdeed.notices_sha256"] == "a" * 64
    save_adapter(tmp_path / "old", trained, RECIPE, replace(PAPERS, notices_sha256=None))
    assert not [key for key in load_adapter(tmp_path / "old").metadata if "notices" in key]


def test_the_id_ignores_the_papers_and_the_file_hash_does_not(trained, tmp_path):
    import dataclasses

    one = save_adapter(tmp_path / "a", trained, RECIPE, PAPERS)
    other = save_adapter(tmp_path / "b", trained, RECIPE, dataclasses.replace(PAPERS, run="run_2"))
    assert one[0] == other[0]
    assert one[1] != other[1]


def test_weights_that_are_not_finite_are_never_saved(trained, tmp_path):
    with torch.no_grad():
        next(iter(weights(trained).values())).fill_(float("nan"))
    with pytest.raises(UsageError, match="not finite"):
        save_adapter(tmp_path / "a", trained, RECIPE, PAPERS)
    assert not (tmp_path / "a").exists()


def test_targets_that_the_base_does_not_have_are_refused(tiny_base):
    base = load_base(tiny_base)
    recipe = Recipe(targets=("conv_shortcut",)).model_copy(update={"targets": ("nowhere",)})
    with pytest.raises(UsageError, match="does not fit"):
        attach_recipe(base, recipe, 0)


def test_an_adapter_of_another_shape_is_refused_and_leaves_the_base_as_it_was(
    trained, tiny_base, tmp_path
):
    path = tmp_path / "a.safetensors"
    save_adapter(path, trained, RECIPE, PAPERS)
    tensors = load_file(path)
    metadata = dict(load_adapter(path).metadata)
    name = min(tensors)
    for change in ({name: tensors[name][:1]}, {"unet.surplus.lora_A.weight": torch.ones(1)}):
        path.write_bytes(safetensors_bytes({**tensors, **change}, metadata))
        base = load_base(tiny_base)
        with pytest.raises(UsageError, match="does not fit"):
            put_on(base, load_adapter(path))
        assert torch.equal(output(base.network), output(load_base(tiny_base).network))
        assert not worn(base)


@pytest.mark.parametrize(
    "header", [{}, {"lora_adapter_metadata": "{"}, {"lora_adapter_metadata": "{}"}]
)
def test_a_file_that_does_not_say_its_strength_is_refused(tmp_path, header):
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes({"unet.x.lora_A.weight": torch.ones(1)}, header))
    with pytest.raises(UsageError, match="rank, alpha"):
        load_adapter(path)
