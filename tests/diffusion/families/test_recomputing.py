"""Does every family learn the same with less kept for the way back, and only while it learns?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from picdeed.diffusion import train as trainer
from picdeed.diffusion.cache import embed
from picdeed.diffusion.data import Frame
from picdeed.diffusion.gradient import recomputing
from picdeed.diffusion.models import Base, load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import Trainee
from picdeed.diffusion.prompts import repeated
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.samples import make_place, samples_in
from picdeed.diffusion.worn import attach_recipe, trained, weights

BATCH = 4
RECIPE = Recipe(rank=4, targets=("to_q", "to_v"))
Kept = tuple[int, dict[str, torch.Tensor]]


@pytest.fixture
def adapted(folder: Path) -> Base:
    """A base with an adapter that does something."""
    base = load_base(folder)
    attach_recipe(base, RECIPE, 1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in weights(base).values():
            tensor.add_(torch.randn(tensor.shape, generator=generator), alpha=0.05)
    return base


def descended(base: Base, *, on: bool) -> Kept:
    """How many bytes of activations one batch keeps for the way back, and every gradient."""
    network, generator = base.network, torch.Generator().manual_seed(3)
    latents, noise = (torch.randn(BATCH, 4, 8, 8, generator=generator) for _ in range(2))
    framed = base.family.framed
    seen = framed(Frame(32, 32, 0, 0, 32, 32)) if framed else {}
    prompts = repeated({**embed(base, "a cat"), **seen}, BATCH)
    fixed = {one.untyped_storage().data_ptr() for one in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage()
        if place.data_ptr() not in fixed:
            kept[place.data_ptr()] = place.nbytes()
        return tensor

    with recomputing(network, on=on):
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            times = torch.tensor([9, 300, 600, 990])
            loss = Objective(base).losses(latents, noise, times, prompts)
        network.zero_grad()
        loss.mean().backward()
    assert not network.is_gradient_checkpointing
    return sum(kept.values()), {name: one.grad for name, one in trained(base)}


def test_less_is_kept_and_every_gradient_is_the_same(adapted: Base) -> None:
    usual, less = (descended(adapted, on=on) for on in (False, True))
    assert less[0] < 0.6 * usual[0]
    assert any(one.abs().max() > 0 for one in usual[1].values())
    for name, gradient in usual[1].items():
        assert torch.equal(less[1][name], gradient), name


@pytest.fixture
def a_run(
    folders: Any, ink: list[Trainee], make_plan: Callable[..., Any], tmp_path: Path
) -> Callable[..., Path]:
    def make(name: str, **knobs: Any) -> Path:
        make_plan(folders["sd"], ink, **{"steps": 2, "eval_noises": 1, **knobs}).write(
            tmp_path / name
        )
        return tmp_path / name

    return make


def watched(monkeypatch: pytest.MonkeyPatch, seen: Callable[[Any], None]) -> None:
    """Let `seen` hook into the network that a run trains; nothing of the run is replaced."""
    prepare = trainer.prepare

    def prepared(*given: Any) -> Any:
        ready = prepare(*given)
        seen(ready.base.network)
        return ready

    monkeypatch.setattr(trainer, "prepare", prepared)


def test_a_run_gives_the_same_adapter_and_looks_and_draws_without_it(
    a_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = {"steps": 2, "eval_share": 2.0, "samples": ("disc",), "precision": "bf16"}
    plain, less = a_run("plain", **knobs), a_run("less", gradient_checkpointing=True, **knobs)
    before = trainer.train(plain)
    make_place(less)
    asked: list[tuple[bool, bool]] = []

    def hook(network: Any) -> None:
        network.register_forward_pre_hook(
            lambda *_: asked.append((torch.is_grad_enabled(), network.is_gradient_checkpointing))
        )

    watched(monkeypatch, hook)
    after = trainer.train(less)
    assert after["adapter_id"] == before["adapter_id"]
    assert after["loss"] == before["loss"]
    assert len(samples_in(less)) == 3
    assert set(asked) == {(True, True), (False, False)}
    assert asked.count((True, True)) == 2, "a block is computed twice, the network is not"


def test_memory_that_runs_out_on_the_way_back_halves_the_batch(
    a_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    halved = trainer.train(a_run("halved", micro_batch=2, gradient_checkpointing=True))
    folder = a_run("short", gradient_checkpointing=True)
    calls: list[int] = []

    def hook(network: Any) -> None:
        def short(_: Any, given: tuple[torch.Tensor, ...]) -> None:
            if torch.is_grad_enabled():
                calls.append(len(given[0]))
                if calls == [BATCH, BATCH]:  # the second time is the way back
                    raise MemoryError

        network.mid_block.resnets[1].register_forward_pre_hook(short)

    watched(monkeypatch, hook)
    result = trainer.train(folder)
    assert calls[:4] == [BATCH, BATCH, 2, 2]
    assert result["micro_batch"] == 2
    assert result["adapter_id"] == halved["adapter_id"]
