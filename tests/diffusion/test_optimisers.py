"""Does every optimiser come back from a checkpoint to the same bytes?"""

import importlib.util

import pytest
import torch

from picdeed.core.errors import UsageError
from picdeed.diffusion import checkpoint, optimisers
from picdeed.diffusion.checkpoint import Position
from picdeed.diffusion.lora import adapter_id, attach_recipe, trained, weights
from picdeed.diffusion.models import load_base
from picdeed.diffusion.optimisers import build
from picdeed.diffusion.recipe import Optimizer, Recipe

LIBRARIES = {"prodigy": "prodigyopt", "schedule-free": "schedulefree", "adamw-8bit": "bitsandbytes"}
HERE = [
    one
    for one in Optimizer
    if one not in LIBRARIES or importlib.util.find_spec(LIBRARIES[one]) is not None
]
MISSING = [one for one in Optimizer if one not in HERE]


class Run:
    """A tiny model that learns one number everywhere."""

    def __init__(self, base, **knobs):
        recipe = Recipe(rank=2, learning_rate=0.01, weight_decay=0.01, **knobs)
        self.unet = load_base(base, torch.device("cpu")).unet
        attach_recipe(self.unet, recipe, 0)
        self.named = trained(self.unet)
        self.optimizer = build(recipe, self.named)
        optimisers.settled(self.optimizer, training=True)

    def step(self, times):
        for _ in range(times):
            self.optimizer.zero_grad()
            sum((weight - 0.3).square().sum() for _, weight in self.named).backward()
            self.optimizer.step()

    def off(self):
        with torch.no_grad():
            return float(sum((weight - 0.3).square().sum() for _, weight in self.named))

    def id(self):
        return adapter_id(weights(self.unet))


@pytest.mark.parametrize(
    ("which", "ema"),
    [(one, ema) for one in HERE for ema in (None, 0.9) if (one, ema) != ("schedule-free", 0.9)],
)
def test_every_optimiser_learns_and_resumes_to_the_same_bytes(which, ema, tiny_base, tmp_path):
    through, resumed = (Run(tiny_base, optimizer=which, ema=ema) for _ in range(2))
    before = through.off()
    through.step(3)
    checkpoint.save(tmp_path, through.unet, through.optimizer, Position(3), "f" * 64)
    assert checkpoint.restore(tmp_path, resumed.unet, resumed.optimizer, "f" * 64).step == 3
    for run in (through, resumed):
        run.step(4)
    assert through.off() < before
    assert resumed.id() == through.id()
    for run in (through, resumed):
        optimisers.settled(run.optimizer, training=False)
    assert resumed.id() == through.id()


def test_a_state_of_another_optimiser_is_passed_over(tiny_base, tmp_path):
    muon, adamw = Run(tiny_base, optimizer="muon"), Run(tiny_base, rate_ratio=4.0)
    muon.step(1)
    checkpoint.save(tmp_path, muon.unet, muon.optimizer, Position(1), "f" * 64)
    before = adamw.id()
    assert checkpoint.restore(tmp_path, adamw.unet, adamw.optimizer, "f" * 64).step == 0
    assert adamw.id() == before


def test_the_average_is_the_result_and_what_learns_comes_back_to_the_bit(tiny_base):
    run = Run(tiny_base, ema=0.5)
    seen, mean = [], [weight.detach().clone() for _, weight in run.named]
    for n in range(1, 4):
        run.step(1)
        seen.append(run.id())
        stays = min(0.5, (1 + n) / (10 + n))
        for place, (_, weight) in enumerate(run.named):
            mean[place] = stays * mean[place] + (1 - stays) * weight.detach()
    learning = run.id()
    optimisers.settled(run.optimizer, training=False)
    for place, (name, weight) in enumerate(run.named):
        assert torch.allclose(weight, mean[place], atol=1e-6), name
    assert run.id() != learning
    optimisers.settled(run.optimizer, training=True)
    assert run.id() == learning
    run.step(1)
    assert run.id() not in seen


def test_the_second_matrix_can_learn_faster(tiny_base):
    plain, faster = Run(tiny_base), Run(tiny_base, rate_ratio=8.0)
    scales = [(group["scale"], len(group["params"])) for group in faster.optimizer.param_groups]
    assert scales == [(1.0, len(faster.named) // 2), (8.0, len(faster.named) // 2)]
    assert len(plain.optimizer.param_groups) == 1


@pytest.mark.parametrize("which", MISSING)
def test_an_optimiser_whose_library_is_missing_names_it(which, tiny_base):
    with pytest.raises(UsageError, match=LIBRARIES[which]):
        Run(tiny_base, optimizer=which)
