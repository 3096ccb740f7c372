"""Is a state that was saved the state that comes back, and is a bad one passed over?"""

from collections import Counter

import pytest
import torch

from picdeed.diffusion import checkpoint
from picdeed.diffusion.checkpoint import Position
from picdeed.diffusion.lora import adapter_id
from picdeed.diffusion.models import load_base
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.worn import attach_recipe, weights

PLAN = "f" * 64


class Trained:
    """A tiny model with an optimiser, and a step that needs no pictures."""

    def __init__(self, base, rank=2):
        self.base = load_base(base, torch.device("cpu"))
        self.parameters = attach_recipe(self.base, Recipe(rank=rank), 0)
        self.optimizer = torch.optim.AdamW(self.parameters, lr=0.01, fused=True)

    def step(self, times=1):
        for _ in range(times):
            self.optimizer.zero_grad()
            sum((p - 0.3).square().sum() for p in self.parameters).backward()
            self.optimizer.step()

    def id(self):
        return adapter_id(weights(self.base))


@pytest.fixture
def model(tiny_base):
    return Trained(tiny_base)


@pytest.fixture
def fresh(tiny_base):
    return Trained(tiny_base)


def save(folder, model, step, plan=PLAN):
    at = Position(step, 1.5, Counter({"img_1": step}))
    checkpoint.save(folder, model.base, model.optimizer, at, plan)


def restore(folder, model, plan=PLAN):
    return checkpoint.restore(folder, model.base, model.optimizer, plan)


def test_training_on_from_a_state_ends_where_training_through_ends(model, fresh, tmp_path):
    model.step(3)
    save(tmp_path, model, 3)
    assert restore(tmp_path, fresh) == Position(3, 1.5, Counter({"img_1": 3}))
    assert fresh.id() == model.id()
    model.step(4)
    fresh.step(4)
    assert fresh.id() == model.id(), "the optimiser's moments came back too"


def test_without_a_state_a_run_starts_at_the_beginning(fresh, tmp_path):
    before = fresh.id()
    assert restore(tmp_path, fresh) == Position()
    assert fresh.id() == before


def test_the_newest_two_states_are_kept(model, tmp_path):
    for step in (1, 2, 3, 10):
        save(tmp_path, model, step)
    names = sorted(path.name for path in (tmp_path / "checkpoint").iterdir())
    assert names == ["step-0000003.safetensors", "step-0000010.safetensors"]


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda _: b"", lambda _: b"\xff" * 99])
def test_a_broken_newest_state_is_passed_over_for_the_one_before(model, fresh, tmp_path, damage):
    model.step()
    save(tmp_path, model, 1)
    kept = model.id()
    model.step()
    save(tmp_path, model, 2)
    newest = tmp_path / "checkpoint" / "step-0000002.safetensors"
    newest.write_bytes(damage(newest.read_bytes()))
    assert restore(tmp_path, fresh).step == 1
    assert fresh.id() == kept


def test_a_state_of_another_plan_or_shape_is_not_used(model, fresh, tiny_base, tmp_path):
    model.step()
    save(tmp_path, model, 1, plan="0" * 64)
    assert restore(tmp_path, fresh).step == 0
    save(tmp_path, Trained(tiny_base, rank=3), 2)
    before = fresh.id()
    assert restore(tmp_path, fresh).step == 0
    assert fresh.id() == before
