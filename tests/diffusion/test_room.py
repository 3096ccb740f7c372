"""Is a run that cannot fit refused by arithmetic, before a weight is read?"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import psutil
import pytest
import torch

from picdeed.core.errors import RunFailed
from picdeed.diffusion.models import load_base
from picdeed.diffusion.recipe import Optimizer, Quantize, Recipe
from picdeed.diffusion.room import Least, adapter_weights, least_of, nearest_room, require_room
from picdeed.diffusion.train import main
from picdeed.diffusion.worn import attach_recipe
from picdeed.testing import tiny_model


@pytest.mark.parametrize(
    ("family", "knobs"),
    [
        ("sd", {"targets": ("to_q", "conv1", "conv_shortcut"), "dora": True}),
        ("sd3", {"targets": ("to_q", "ff.net.2"), "ranks": {"transformer_blocks.0": 2}}),
        ("sdxl", {"text_rank": 3, "ranks": {"mid_block": 2}}),
    ],
)
def test_the_arithmetic_counts_what_is_loaded_and_attached(family, knobs, tmp_path):
    folder = tiny_model(tmp_path / "base", family=family)
    base, recipe = load_base(folder), Recipe.model_validate(knobs)
    loaded = {
        weight.data_ptr(): weight.numel()  # T5 names one of its tensors twice
        for name in base.family.parts
        for weight in base.parts[name].state_dict().values()
    }
    least = least_of(folder, recipe)
    attached = sum(weight.numel() for weight in attach_recipe(base, recipe, seed=0))
    assert least.adapter == attached * (4 + 4 + 8)
    assert least.weights == pytest.approx(sum(loaded.values()) * 4, rel=1e-3)  # but for counters
    assert least.total == least.weights + least.adapter


def test_convolutions_and_optimisers_are_counted(tiny_base):
    network = {"a.conv1.weight": (8, 4, 3, 3), "a.conv1.bias": (8,), "b.to_q.weight": (6, 5)}
    recipe = Recipe(rank=2, targets=("conv1", "to_q"))
    assert adapter_weights(network, recipe) == 2 * (8 + 4 * 9) + 2 * (6 + 5)
    assert adapter_weights({"xto_q.weight": (6, 5)}, recipe) == 0
    own = {kind: least_of(tiny_base, Recipe(optimizer=kind)).adapter for kind in Optimizer}
    assert own[Optimizer.PRODIGY] > own[Optimizer.ADAMW] > own[Optimizer.ADAMW_8BIT]


def test_a_run_that_cannot_fit_is_told_both_numbers_and_the_nearest_setting(tiny_base, plan_on_ink, tmp_path):  # fmt: skip
    least = least_of(tiny_base, Recipe.model_validate({"rank": 4, "alpha": 4.0}))
    plan = plan_on_ink(tmp_path / "blobs", targets=("to_q", "to_k", "to_v", "to_out.0"))
    require_room(plan, least.total)
    with pytest.raises(RunFailed, match=r"takes 1 MiB at least .* there is 0 MiB") as told:
        require_room(plan, 1000)
    assert "No setting makes it fit: 1 MiB" in told.value.hint
    three = plan_on_ink(
        tmp_path / "blobs", targets=("to_q", "to_k", "to_v", "to_out.0"), processes=3
    )
    with pytest.raises(RunFailed, match="in each of 3 processes") as told:
        require_room(three, least.total * 3 - 1)
    assert "--set processes=2" in told.value.hint
    require_room(three, least.total, devices=3)
    wide = least_of(tiny_base, Recipe(rank=512))
    assert nearest_room(Recipe(rank=512, processes=2), wide, wide.weights + wide.adapter // 4) == {
        "processes": 1,
        "rank": 128,
        "alpha": 2.0,
    }


def test_a_narrower_adapter_is_narrower_on_the_encoders_too(tmp_path):
    folder = tiny_model(tmp_path / "base", family="sdxl")
    recipe = Recipe(rank=4, alpha=8.0, text_rank=64)
    least = least_of(folder, recipe)
    assert least.text > least.network == least_of(folder, Recipe(rank=4)).adapter
    smallest = least.weights + least.network // 4 + least.text // 64
    for there in (least.total - 1, least.weights + least.adapter // 5, smallest):
        change = nearest_room(recipe, least, there)
        assert change is not None
        own = recipe.model_copy(update=change)
        assert least_of(folder, own).total <= there
        assert own.text_rank < recipe.text_rank
        assert own.alpha / own.rank == recipe.alpha / recipe.rank
    assert nearest_room(recipe, least, smallest - 1) is None


def test_fewer_bits_come_before_a_narrower_adapter_only_where_they_are_at_hand():
    recipe, bits = Recipe(rank=8, processes=2), (Quantize.INT8, Quantize.NF4)
    least = Least(1000, 800, 0, {Quantize.INT8: 500, Quantize.NF4: 300})
    narrow = {"processes": 1, "rank": 2, "alpha": 2.0}
    assert nearest_room(recipe, least, 1800, at_hand=bits) == {"processes": 1}
    assert nearest_room(recipe, least, 1300, at_hand=bits) == {"processes": 1, "quantize": "int8"}
    assert nearest_room(recipe, least, 1299, at_hand=bits) == {"processes": 1, "quantize": "nf4"}
    assert nearest_room(recipe, least, 1300, at_hand=bits[1:]) == {
        "processes": 1,
        "quantize": "nf4",
    }
    assert nearest_room(recipe, least, 1299, at_hand=bits[:1]) == narrow
    assert nearest_room(recipe, least, 1299) == narrow
    alone = {"processes": 1, "quantize": "nf4"}
    per_block = recipe.model_copy(update={"ranks": {"mid_block": 4}})
    assert nearest_room(per_block, least, 1299) == alone, "no narrower one, so with a library"
    assert nearest_room(recipe, least, 1099, at_hand=bits) is None


def test_what_fewer_bits_spare_leaves_room_for_one_layer_that_is_whole(tmp_path):
    smaller = {Quantize.INT8: 900, Quantize.NF4: 700}
    assert Least(1000, 0, 0, smaller, widest=30).spared == {Quantize.INT8: 40, Quantize.NF4: 240}
    assert Least(1000, 0, 0, smaller, widest=50).spared == {Quantize.NF4: 200}
    folder = tiny_model(tmp_path / "base", family="sd3")
    base, least = load_base(folder), least_of(folder, Recipe())
    largest = max(
        module.weight.numel()
        for name, module in base.network.named_modules()
        if isinstance(module, torch.nn.Linear) and "blocks" in name
    )
    assert least.widest == 4 * largest


def test_a_base_that_cannot_be_read_is_left_to_who_loads_it(own_base, plan_on_ink, tmp_path):
    plan = plan_on_ink(tmp_path / "blobs").model_copy(update={"base": str(own_base)})
    (own_base / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    require_room(plan, 0)


def huge(path: Path, size: int) -> None:
    """A safetensors file that says `size` bytes and takes none: a hole."""
    header = {"conv_in.weight": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        stream.truncate(8 + len(text) + size)


def test_the_trainer_refuses_it_before_it_reads_the_weights(own_base, plan_on_ink, tmp_path):
    there = psutil.virtual_memory().total + psutil.swap_memory().total
    size = (there // 64 + (64 << 20)) & ~3
    plan = plan_on_ink(tmp_path / "blobs", processes=64).model_copy(update={"base": str(own_base)})
    huge(own_base / "unet" / "diffusion_pytorch_model.safetensors", size)
    plan.write(tmp_path / "run")
    assert main([str(tmp_path / "run")]) == 1
    told = json.loads((tmp_path / "run" / "error.json").read_text())
    assert told["error"] == "RunFailed", "else the weights were read, and are of another shape"
    assert "Nothing was loaded" in told["message"]
    assert "--set processes=" in told["hint"]
