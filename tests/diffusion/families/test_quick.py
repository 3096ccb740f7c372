"""Is a step that goes the cheaper way the same step, and does nothing but steps go that way?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from picdeed.core.errors import UsageError
from picdeed.diffusion import quick
from picdeed.diffusion import train as trainer
from picdeed.diffusion.cache import embed
from picdeed.diffusion.gradient import computing, recomputing
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import Base, load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.prompts import repeated
from picdeed.diffusion.quick import Quick, blocks_of
from picdeed.diffusion.recipe import Compile, Precision, Recipe, load_recipe, recipe_from
from picdeed.diffusion.runfolder import ask_to_stop, forget_stop, read_log
from picdeed.diffusion.worn import attach_recipe, trained, weights

BATCH = 3
EVERYWHERE = load_recipe("demo").targets
RECIPE = Recipe(rank=4, targets=EVERYWHERE, precision="bf16")
Told = tuple[torch.Tensor, dict[str, torch.Tensor]]


def adapted(folder: Path, recipe: Recipe = RECIPE) -> Base:
    """A base with an adapter that does something."""
    base = load_base(folder)
    attach_recipe(base, recipe, 1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in weights(base).values():
            tensor.add_(torch.randn(tensor.shape, generator=generator), alpha=0.05)
    return base


def stepped(base: Base, cheaper: Quick, precision: Precision = Precision.BF16) -> Told:
    """Losses and every gradient of one batch."""
    generator = torch.Generator().manual_seed(3)
    latents, noise = (torch.randn(BATCH, 4, 8, 8, generator=generator) for _ in range(2))
    prompts = repeated(embed(base, "a cat"), BATCH)
    base.network.zero_grad()
    with cheaper.step(precision):
        with computing(base.device, precision):
            times = torch.tensor([9, 300, 990])
            losses = Objective(base).losses(latents, noise, times, prompts)
        losses.mean().backward()
    return losses.detach(), {name: one.grad for name, one in trained(base)}


def same(one: Told, other: Told) -> bool:
    equal = all(torch.equal(gradient, other[1][name]) for name, gradient in one[1].items())
    return torch.equal(one[0], other[0]) and equal


def test_weights_that_are_rounded_once_give_the_same_step_to_the_bit(tiny_base: Path) -> None:
    base = adapted(tiny_base)
    before = {name: one.detach().clone() for name, one in base.network.named_parameters()}
    usual = stepped(base, Quick(base, RECIPE, rounds=False))
    cheaper = Quick(base, RECIPE, rounds=True)
    assert same(usual, stepped(base, cheaper))
    cheaper.rest()
    assert same(usual, stepped(base, cheaper)), "made again"
    assert any(one.abs().max() > 0 for one in usual[1].values())
    for name, one in base.network.named_parameters():
        assert one.dtype == torch.float32
        assert torch.equal(one, before[name]), name


def test_within_a_step_frozen_products_alone_are_rounded(tiny_base: Path) -> None:
    base = adapted(tiny_base)
    network = base.network
    with Quick(base, RECIPE, rounds=True).step(Precision.BF16):
        kinds = {name: one.dtype for name, one in network.named_parameters()}
    rounded = {name for name, kind in kinds.items() if kind == torch.bfloat16}
    assert "conv_in.base_layer.weight" in rounded
    assert not any("norm" in name or "lora" in name for name in rounded)
    with Quick(base, RECIPE, rounds=True).step(Precision.FP32):
        assert {one.dtype for one in network.parameters()} == {torch.float32}
    with Quick(base, RECIPE).step(Precision.BF16):
        assert {one.dtype for one in network.parameters()} == {torch.float32}, "on a CPU"
    dora = RECIPE.model_copy(update={"dora": True})
    with Quick(base, dora, rounds=True).step(Precision.BF16):
        assert {one.dtype for one in network.parameters()} == {torch.float32}


def test_a_step_that_fails_leaves_the_network_as_it_was(tiny_base: Path, eager: None) -> None:
    base = adapted(tiny_base)
    cheaper = Quick(base, RECIPE.model_copy(update={"compile": Compile.BLOCKS}), rounds=True)
    with pytest.raises(MemoryError), cheaper.step(Precision.BF16):
        raise MemoryError
    assert {one.dtype for one in base.network.parameters()} == {torch.float32}
    assert not any("forward" in vars(block) for block in blocks_of(base.network))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's compiler without kernels of its own: the same numbers, in any place."""
    monkeypatch.setattr(quick, "BACKEND", "aot_eager")
    torch.compiler.reset()


def test_every_family_has_blocks_that_are_compiled(folder: Path, eager: None) -> None:
    base = load_base(folder)
    names = dict(base.network.named_parameters()).keys()
    blocks = blocks_of(base.network)
    cheaper = Quick(base, Recipe(compile=Compile.BLOCKS))
    assert blocks
    with cheaper.step(Precision.FP32):
        assert all("forward" in vars(block) for block in blocks)
        assert dict(base.network.named_parameters()).keys() == names
    assert not any("forward" in vars(block) for block in blocks)


def test_a_compiled_step_is_the_same_step(tiny_base: Path, eager: None) -> None:
    recipe = Recipe(rank=4, targets=EVERYWHERE, compile=Compile.BLOCKS)
    base = adapted(tiny_base, recipe)
    usual = stepped(base, Quick(base, RECIPE), Precision.FP32)
    cheaper = Quick(base, recipe)
    found = stepped(base, cheaper, Precision.FP32)
    torch.testing.assert_close(found, usual)
    with recomputing(base.network, on=True):
        torch.testing.assert_close(stepped(base, cheaper, Precision.FP32), usual)
    rounded = stepped(base, Quick(base, RECIPE))
    both = stepped(base, Quick(base, recipe, rounds=True))
    torch.testing.assert_close(both, rounded, rtol=0.05, atol=0.02)


def test_a_compiled_run_goes_on_to_the_same_bytes_and_looks_without_it(
    a_run: Callable[..., Path], eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = {"steps": 4, "eval_noises": 1, "eval_share": 2.0}
    plain = trainer.train(a_run("plain", **knobs))
    whole = trainer.train(a_run("whole", **knobs, compile="blocks"))
    folder = a_run("stopped", **knobs, compile="blocks")
    asked: list[tuple[bool, bool]] = []
    prepare, improve = trainer.prepare, trainer.improve

    def prepared(*given: Any) -> Any:
        ready = prepare(*given)
        block = blocks_of(ready.base.network)[0]
        ready.base.network.register_forward_pre_hook(
            lambda *_: asked.append((torch.is_grad_enabled(), "forward" in vars(block)))
        )
        return ready

    def improved(*given: Any, **more: Any) -> float:
        if not forgotten and len(read_log(folder)) == 1:
            ask_to_stop(folder, "asked in the middle")
        return improve(*given, **more)

    forgotten: list[int] = []
    monkeypatch.setattr(trainer, "prepare", prepared)
    monkeypatch.setattr(trainer, "improve", improved)
    with pytest.raises(trainer.PicdeedError):
        trainer.train(folder)
    forgotten.append(1)
    forget_stop(folder)
    again = trainer.train(folder)
    assert again["resumed_from"] == 2
    assert again["adapter_id"] == whole["adapter_id"]
    assert again["loss"] == whole["loss"]
    assert set(asked) == {(True, True), (False, False)}
    names, compiled = (
        load_adapter(folder.parent / name / "adapter.safetensors").tensors.keys()
        for name in ("plain", "whole")
    )
    assert names == compiled
    assert whole.keys() == plain.keys()
    assert whole["loss"].keys() == plain["loss"].keys()


def test_where_torch_cannot_compile_a_run_is_refused_before_it_reads_anything(
    a_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_run("refused", steps=1, compile="blocks")
    monkeypatch.setattr(quick, "BACKEND", "no-such-compiler")
    with pytest.raises(UsageError, match="cannot be done on this cpu") as caught:
        quick.require(recipe_from({"compile": "blocks"}), torch.device("cpu"))
    assert "compile=off" in (caught.value.hint or "")
    with pytest.raises(UsageError):
        trainer.train(folder)
    assert not (folder / "cache").exists()


def test_a_recipe_without_it_keeps_its_digest() -> None:
    assert "compile" not in Recipe().model_dump()
    assert Recipe(compile=Compile.BLOCKS).model_dump()["compile"] == "blocks"
    with pytest.raises(UsageError, match="quantised weights"):
        recipe_from({"compile": "blocks", "quantize": "nf4"})
