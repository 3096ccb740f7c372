"""Is a base in fewer bits still that base, and is an adapter that learned on it an ordinary one?

What needs the library is skipped where it is missing; what is refused is refused everywhere.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from importlib import metadata

import pytest
import torch

from picdeed.core.errors import RunFailed, UsageError
from picdeed.diffusion import train as trainer
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import load_base
from picdeed.diffusion.quantised import Quantised, bytes_of, is_packed, packages, require
from picdeed.diffusion.recipe import Quantize, Recipe, load_recipe
from picdeed.diffusion.room import least_of, nearest_room, require_room
from picdeed.diffusion.runfolder import read_json
from picdeed.diffusion.train import main, train
from picdeed.diffusion.worn import put_on, take_off
from picdeed.testing import tiny_model

CPU = torch.device("cpu")
BITS = [Quantize.INT8, Quantize.NF4]
FAMILIES = ("sd", "sdxl", "sd3", "flux")
needs_library = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed"
)


def test_where_the_library_is_missing_nothing_begins(without_library, a_run):
    folder = a_run(steps=2, quantize="nf4")
    assert main([str(folder)]) == 1
    told = json.loads((folder / "error.json").read_text())
    assert told["error"] == "UsageError"
    assert "the package bitsandbytes" in told["message"]
    assert "pip install bitsandbytes" in told["hint"]
    assert not (folder / "cache").exists()
    with pytest.raises(UsageError, match="bitsandbytes"):
        load_base(folder / "no-base", quantize=Quantize.NF4)  # before anything is read
    require(Quantize.NONE, CPU)
    assert packages(Quantize.NONE) == ()


def test_what_it_cannot_do_is_refused_and_a_plain_recipe_does_not_know_of_it():
    with pytest.raises(UsageError, match="magnitudes"):
        load_recipe("demo", ["quantize=nf4", "dora=true"])
    with pytest.raises(UsageError, match="quantize = 'int4'"):
        load_recipe("demo", ["quantize=int4"])
    assert "quantize" not in load_recipe("demo", ["quantize=none"]).model_dump(mode="json")
    assert load_recipe("demo", ["quantize=nf4"]).model_dump(mode="json")["quantize"] == "nf4"


def test_linear_weights_in_blocks_are_packed_and_nothing_else():
    assert is_packed("down_blocks.0.attentions.0.to_q.weight", (16, 16))
    assert is_packed("single_transformer_blocks.7.proj_mlp.weight", (64, 16))
    for name, shape in (
        ("time_embedding.linear_1.weight", (64, 16)),
        ("x_embedder.weight", (64, 16)),
        ("down_blocks.0.resnets.0.conv1.weight", (16, 16, 3, 3)),
        ("down_blocks.0.attentions.0.to_q.bias", (64,)),
        ("mid_block.attentions.0.norm.weight", (64,)),
        ("mid_block.attentions.0.to_q.weight", (7, 9)),
    ):
        assert not is_packed(name, shape), name
    name = "mid_block.to_q.weight"
    assert bytes_of(name, (64, 320), Quantize.NONE) == 4 * 64 * 320
    assert bytes_of(name, (64, 320), Quantize.INT8) == 64 * 320 + 4 * 64
    assert bytes_of(name, (64, 320), Quantize.NF4) == 64 * 160 + 320 + 2 * 4
    assert bytes_of("conv_in.weight", (8, 4, 3, 3), Quantize.NF4) == 4 * 8 * 4 * 9


def test_the_arithmetic_of_room_knows_the_smaller_weights(tiny_base, plan_on_ink, tmp_path):
    plain, four = (least_of(tiny_base, Recipe(quantize=how)) for how in ("none", "nf4"))
    assert plain.weights > plain.smaller[Quantize.INT8] > plain.smaller[Quantize.NF4]
    assert four.weights == plain.smaller[Quantize.NF4] == four.smallest - four.adapter
    assert four.smaller == {}
    assert least_of(tiny_base, Recipe(dora=True)).smaller == {}
    recipe, room = Recipe(rank=1), plain.smaller[Quantize.INT8] + plain.adapter
    assert nearest_room(recipe, plain, room) == {"quantize": "int8"}
    assert nearest_room(recipe, plain, room - 1) == {"quantize": "nf4"}
    assert nearest_room(recipe, plain, plain.smallest - 1) is None
    knobs = {"rank": 1, "targets": ("to_q",)}
    least = least_of(tiny_base, Recipe.model_validate(knobs))
    plan = plan_on_ink(tmp_path / "blobs", **knobs)
    with pytest.raises(RunFailed, match="weights in fp32") as told:
        require_room(plan, least.smallest)
    assert "--set quantize=nf4 (with the package bitsandbytes)" in told.value.hint
    plan = plan_on_ink(tmp_path / "blobs", quantize="nf4", **knobs)
    require_room(plan, least.smallest)
    with pytest.raises(RunFailed, match="weights with nf4"):
        require_room(plan, least.smallest - 1)


@needs_library
@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_in_fewer_bits_is_the_recorded_base_nearly(family, tmp_path):
    folder = tiny_model(tmp_path / "base", family=family, dtype=torch.float16)
    plain = load_base(folder)
    weights, buffers = (dict(all_of()) for all_of in (
        plain.network.named_parameters, plain.network.named_buffers,
    ))  # fmt: skip
    for how, most in ((Quantize.INT8, 0.01), (Quantize.NF4, 0.15)):
        base = load_base(folder, expect=plain.facts.sha256, quantize=how)
        assert (base.facts, base.quantize) == (plain.facts, how)
        small = {n: m for n, m in base.network.named_modules() if isinstance(m, Quantised)}
        assert {f"{name}.weight" for name in small} == {n for n in weights if is_packed(n, weights[n].shape)}  # fmt: skip
        assert len(small) >= 20
        for name, layer in small.items():
            whole = weights[f"{name}.weight"]
            assert 0 < (layer.whole() - whole).norm() <= most * whole.norm(), name
        for name, tensor in [*base.network.named_parameters(), *base.network.named_buffers()]:
            assert not tensor.requires_grad
            if name.removesuffix(".weight") not in small:
                assert torch.equal(tensor, {**weights, **buffers}[name]), name
        assert not base.network.training
        assert held(base.network) == sum(
            bytes_of(name, tensor.shape, how)
            for name, tensor in [*weights.items(), *buffers.items()]
        )


def held(network):
    """Bytes of all tensors and of the scales, but for the library's tables."""
    total = sum(
        one.numel() * one.element_size() for one in [*network.parameters(), *network.buffers()]
    )
    for layer in network.modules():
        if isinstance(layer, Quantised):
            scales = layer._scales
            if isinstance(scales, torch.Tensor):
                total += scales.numel() * 4
            else:
                total += scales.absmax.numel() + scales.state2.absmax.numel() * 4
    return total


@needs_library
@pytest.mark.parametrize(("how", "halves"), [(Quantize.INT8, False), (Quantize.NF4, True)])
def test_a_layer_multiplies_and_leads_back_as_any_linear_of_its_whole_weight(how, halves):
    torch.manual_seed(0)
    plain = torch.nn.Linear(48, 40)
    layer = Quantised(plain.weight.detach(), plain.bias.requires_grad_(False), how, "layer")
    with torch.no_grad():
        plain.weight.copy_(layer.whole())
    given, told, kept = torch.randn(2, 5, 48), [], []
    for one in (plain.requires_grad_(False), layer):
        x, kept = given.clone().requires_grad_(), []
        saved = torch.autograd.graph.saved_tensors_hooks(kept.append, lambda _: plain.weight)
        with torch.autocast("cpu", torch.bfloat16, enabled=halves):
            y = one(x)
        with saved:
            one(x)
        y.float().square().sum().backward()
        told.append((y.detach(), x.grad))
    assert told[0][0].dtype is told[1][0].dtype is (torch.bfloat16 if halves else torch.float32)
    for ours, theirs in zip(told[1], told[0], strict=True):
        assert torch.allclose(
            ours.float(), theirs.float(), rtol=1e-2 if halves else 1e-5, atol=1e-5
        )
    assert not kept, "a weight made whole would stay until the way back"


@needs_library
@pytest.mark.parametrize("how", BITS)
def test_rows_that_end_inside_a_block_are_unpacked_as_they_were_packed(how):
    for shape in ((16, 32), (32, 16), (10, 96), (64, 48), (5, 64)):
        weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        lost = (Quantised(weight, None, how, "layer").whole() - weight).norm() / weight.norm()
        assert lost < (0.01 if how is Quantize.INT8 else 0.11), shape


@needs_library
@pytest.mark.parametrize("how", BITS)
def test_weights_of_nothing_stay_nothing_and_those_that_would_be_lost_are_refused(how):
    assert not Quantised(torch.zeros(8, 64), None, how, "layer").whole().any()
    lonely = torch.full((64, 64), 0.01)
    lonely[:, 0] = 1e6 if how is Quantize.INT8 else 0.3
    if how is Quantize.NF4:
        lonely[:, 1:] = 0.3 * 0.04
    with pytest.raises(UsageError, match=rf"Kept in {how}, up.7 would lose") as told:
        Quantised(lonely, None, how, "up.7")
    assert "--set quantize=" in told.value.hint


@needs_library
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(a_run, monkeypatch):
    knobs = {"steps": 4, "batch": 2, "quantize": "nf4", "text_rank": 2, "precision": "bf16"}
    whole = a_run("whole", **knobs)
    train(whole)
    folder = a_run("killed", **knobs)
    taken, seen = trainer.improve, []

    def third(*given, **more):
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return taken(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "improve", third)
        assert main([str(folder)]) == 130
    result = train(folder)
    assert result["resumed_from"] == 2
    before, after = ((at / "adapter.safetensors").read_bytes() for at in (whole, folder))
    assert after == before
    assert result["loss"] == read_json(whole / "result.json")["loss"]


@pytest.fixture(scope="module")
def learned(plan_on_ink, tmp_path_factory):
    """Three runs that differ in bits alone: their folders and results."""
    place = tmp_path_factory.mktemp("learned")
    found = {}
    for bits in Quantize:
        plan_on_ink(place / "blobs", steps=16, quantize=bits, eval_share=0).write(place / bits)
        found[bits] = place / bits, train(place / bits)
    return found


@needs_library
@pytest.mark.parametrize("how", BITS)
def test_it_learns_as_on_the_whole_base_and_says_on_which_it_was_measured(how, learned):
    folder, result = learned[how]
    other, plain = learned[Quantize.NONE]
    assert plain["loss"]["ratio"] < 0.99
    assert result["loss"]["ratio"] == pytest.approx(plain["loss"]["ratio"], rel=0.01)
    assert result["loss"]["base"] != plain["loss"]["base"]
    assert (result["loss"]["quantize"], "quantize" in plain["loss"]) == (how, False)
    assert result["versions"]["bitsandbytes"] == metadata.version("bitsandbytes")
    assert "bitsandbytes" not in plain["versions"]
    ours, theirs = (load_adapter(one / "adapter.safetensors") for one in (folder, other))
    assert ours.metadata["picdeed.quantize"] == how
    assert "picdeed.quantize" not in theirs.metadata
    assert {n: (t.shape, t.dtype) for n, t in ours.tensors.items()} == {
        n: (t.shape, t.dtype) for n, t in theirs.tensors.items()
    }


@needs_library
@pytest.mark.parametrize("how", BITS)
def test_its_adapter_says_on_the_whole_base_what_one_from_there_says(how, learned, tiny_base):
    base, said = load_base(tiny_base), {}
    noisy = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    words = base.family.encode(base, ["print 1", ""])
    for bits in (None, Quantize.NONE, how):
        if bits is not None:
            put_on(base, load_adapter(learned[bits][0] / "adapter.safetensors"))
        with torch.no_grad():
            said[bits] = base.family.predict(base, noisy, torch.tensor([100, 700]), words)
        take_off(base)
    apart, moved = ((said[one] - said[Quantize.NONE]).norm() for one in (how, None))
    assert 0 < apart < moved / 5


@needs_library
def test_recomputing_masks_and_class_pictures_go_with_it(a_run, tmp_path):
    knobs = {"steps": 2, "batch": 2, "quantize": "int8", "mask_alpha": True, "eval_share": 0}
    knobs |= {"prior": ("a disc",), "prior_pictures": 1}
    plain, less = a_run("plain", **knobs), a_run("less", gradient_checkpointing=True, **knobs)
    assert train(plain)["adapter_id"] == train(less)["adapter_id"]
    cached = len(list((plain / "cache").rglob("*.safetensors")))
    other = a_run("other", **(knobs | {"quantize": "nf4"}))
    shutil.copytree(plain / "cache", other / "cache")
    train(other)
    found = len(list((other / "cache").rglob("*.safetensors"))) - cached
    assert found == 1, "what a base in other bits draws of a class is drawn anew, and nothing else"


@pytest.mark.gpu
@needs_library
@pytest.mark.parametrize("how", BITS)
def test_the_same_code_trains_on_cuda(how, a_run):
    result = train(a_run(steps=5, quantize=how))
    assert result["device"] == "cuda"
    assert result["loss"]["quantize"] == how
    assert result["loss"]["adapter"] > 0
