"""What is looked at while a run learns? Its held-out loss and its sample pictures, at checkpoints.

Nothing of it changes what is trained: each look is a function of the weights and of fixed
exercises. A measurement takes a few of the exercises of the final evidence (evidence.py), spread
over all noise levels, each picture at levels of its own: differences between steps are of the same
exercises, so few are enough.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from picdeed.core.errors import RunFailed, UsageError
from picdeed.diffusion.curve import curve_of
from picdeed.diffusion.evidence import bare, levels, looked
from picdeed.diffusion.lora import weights
from picdeed.diffusion.models import Base
from picdeed.diffusion.optimisers import settled
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.prompts import Prompt
from picdeed.diffusion.recipe import Keep
from picdeed.diffusion.runfolder import read_log, write_bytes
from picdeed.diffusion.samples import draw_samples
from picdeed.diffusion.tensors import read_safetensors, safetensors_bytes

MOST_PICTURES = 16
FEWEST_LOOKS = 8  # noise levels that one measurement sees at least, over all its pictures
FEWEST_POINTS = 2
BATCH = 16  # looks at once
# One picture's training step costs about as much as two looks: backward through an adapter is
# 1.1 to 1.2 times forward.
STEP_COST = 2
# A run goes on from one of its newest two checkpoints; each of them, and the one in the making, may
# have had a best of its own.
_KEPT = 3


@dataclass(frozen=True, slots=True)
class Schedule:
    """After which steps the held-out loss is measured, and with which looks of each picture."""

    steps: tuple[int, ...]
    looks: Mapping[str, tuple[int, ...]]


def checkpoints(plan: RunPlan) -> tuple[int, ...]:
    """After which steps a run saves its state, the last one among them."""
    every, steps = plan.recipe.checkpoint_every, plan.recipe.steps
    return tuple(dict.fromkeys((*range(every, steps + 1, every), *([steps] if steps else []))))


def scheduled(plan: RunPlan) -> Schedule:
    """The measurements of a run, together at most `eval_share` of what its steps cost.

    At every checkpoint, with as many looks as that allows. Where it does not allow 8 at each, there
    are fewer measurements, evenly spaced up to the end; a run too short for two has none. With
    `keep` = best all checkpoints are measured, whatever that costs.
    """
    recipe, every = plan.recipe, checkpoints(plan)
    names = plan.measured[:MOST_PICTURES] if plan.why_nobody() is None else ()
    if not names or not every:
        return Schedule((), {})
    least = math.ceil(FEWEST_LOOKS / len(names))
    room = recipe.eval_share * recipe.steps * recipe.batch * STEP_COST / len(names)
    each = min(recipe.eval_timesteps, int(room / (len(every) + 1)))  # the base is measured too
    if each < least:
        each = least
        if recipe.keep is not Keep.BEST:
            points = int(room / least) - 1
            if points < FEWEST_POINTS:
                return Schedule((), {})
            ends = [math.ceil((k + 1) * len(every) / points) for k in range(points)]
            every = tuple(every[end - 1] for end in ends)
    width = recipe.eval_timesteps / (each * len(names))
    looks = {
        name: tuple(int((k * len(names) + place) * width) for k in range(each))
        for place, name in enumerate(names)
    }
    return Schedule(every, looks)


def require_somebody(plan: RunPlan) -> None:
    """Raise RunFailed where the best checkpoint is asked for and there is nobody to ask."""
    recipe = plan.recipe
    if recipe.keep is Keep.BEST and recipe.steps and not scheduled(plan).looks:
        raise RunFailed(
            f"keep = 'best' asks the held-out pictures. {plan.why_nobody()} Nothing was trained.",
            hint="Train with --set keep=last.",
        )


class Watch:
    """Whoever looks at a run between its steps. `step` is how far the run was when it began."""

    def __init__(
        self,
        folder: Path,
        plan: RunPlan,
        base: Base,
        moments: Mapping[str, torch.Tensor],
        prompts: Mapping[str, Prompt],
        *,
        step: int,
    ) -> None:
        self._folder, self._plan, self._base = folder, plan, base
        self._moments, self._prompts = moments, prompts
        self._schedule = scheduled(plan)
        require_somebody(plan)
        self._at = levels(base, plan.recipe.eval_timesteps)
        # What a killed process logged from here on is measured again.
        known = curve_of(row for row in read_log(folder) if row.get("step", 0) < step)
        self._lowest = known.best.loss if known else math.inf
        with bare(base):
            self._before = self._look()
            if step == 0:
                draw_samples(folder, plan, base, 0)

    def seen(self, step: int, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """What the log is told of the weights after `step` steps, JSON values; mostly nothing.

        Raises RunFailed when the loss is not finite.
        """
        if step not in checkpoints(self._plan):
            return {}
        with _as_result(self._base, optimizer):
            return self._seen(step)

    def _seen(self, step: int) -> dict[str, Any]:
        draw_samples(self._folder, self._plan, self._base, step)
        if step not in self._schedule.steps:
            return {}
        each = self._look()
        loss = sum(each) / len(each)
        if not math.isfinite(loss):
            raise RunFailed(
                f"After {step} steps the held-out loss is not finite; no adapter was written.",
                hint="Try a lower rate: picdeed train SNAPSHOT --base BASE --set learning_rate=...",
            )
        if self._plan.recipe.keep is Keep.BEST and loss < self._lowest:
            self._lowest = loss
            _save_best(self._folder, self._plan, self._base, step)
        before = sum(self._before) / len(self._before)
        return {"held_out": loss, "held_out_base": before, "held_out_each": each}

    def _look(self) -> list[float]:
        """Each picture's mean loss, in the schedule's order."""
        looks = self._schedule.looks
        told = (self._base, self._moments, self._prompts, self._at, looks)
        found = looked(*told, batch=BATCH)
        return [float(losses.mean()) for losses in found.values()]


@contextlib.contextmanager
def _as_result(base: Base, optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """With the weights that would be the adapter now; after it, those that learn, to the bit."""
    if not hasattr(optimizer, "eval"):
        yield
        return
    learning = {name: tensor.clone() for name, tensor in weights(base.unet).items()}
    settled(optimizer, training=False)
    try:
        yield
    finally:
        settled(optimizer, training=True)
        _put(base, learning)


def _put(base: Base, tensors: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in weights(base.unet).items():
            tensor.copy_(tensors[name])


def keep(folder: Path, plan: RunPlan, base: Base) -> int:
    """Leave on the base the weights that the recipe keeps; after how many steps they were so.

    Raises RunFailed when the best ones' file is gone or not this run's.
    """
    known = curve_of(read_log(folder))
    if plan.recipe.keep is Keep.LAST or known is None or known.best.step == plan.recipe.steps:
        return plan.recipe.steps
    path = _best(folder, known.best.step)
    try:
        tensors, told = read_safetensors(path)
    except UsageError as error:
        raise _lost(path) from error
    own = weights(base.unet)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if told.get("plan") != plan.digest() or shapes != {n: t.shape for n, t in own.items()}:
        raise _lost(path)
    _put(base, tensors)
    return known.best.step


def _lost(path: Path) -> RunFailed:
    return RunFailed(
        f"{path} does not hold the run's best weights; no adapter was written.",
        hint="Remove the folder checkpoint beside it and go on with picdeed runs resume RUN: it "
        "begins anew and ends with the same bytes.",
    )


def _save_best(folder: Path, plan: RunPlan, base: Base, step: int) -> None:
    """Before the step's own checkpoint: where a kill comes between, the step is taken again."""
    path = _best(folder, step)
    path.parent.mkdir(exist_ok=True)
    write_bytes(path, safetensors_bytes(weights(base.unet), {"plan": plan.digest()}))
    for old in sorted(path.parent.glob("best-*.safetensors"), reverse=True)[_KEPT:]:
        old.unlink()


def _best(folder: Path, step: int) -> Path:
    return folder / "checkpoint" / f"best-{step:07d}.safetensors"
