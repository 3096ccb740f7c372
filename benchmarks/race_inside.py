"""What do our steps cost on this device, one way and another, and how much of it is used?

    python benchmarks/race_inside.py FOLDER --out OUT.json [--large 32] [--steps 10] [--seconds 60]

FOLDER holds a run's plan; its base is loaded and its caches read once, as the run would, then every
way makes steps of the trainer's own functions: slots, gradient, weights. `--large` is how many
pictures the larger batch computes at once. OUT is written anew after each way.

Utilisation: counted FLOPs of a step over its time over the matrix ceiling, which is the median of
products of two 8192 x 8192 matrices in bf16 in the same process. Counted are matrix products,
convolutions and attention as they are done, forward and back; what frozen weights need no gradient
for is not done and not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from picdeed.diffusion import optimisers
from picdeed.diffusion.devices import repeatable
from picdeed.diffusion.gradient import descend, recomputing
from picdeed.diffusion.memory import forget_peak, peak
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import RunPlan, read_plan
from picdeed.diffusion.quick import Quick
from picdeed.diffusion.ready import Ready, prepare, slots_losses
from picdeed.diffusion.recipe import recipe_from
from picdeed.diffusion.train import improve, slots_for
from picdeed.diffusion.worn import attach_recipe, take_off, trained

WARM = 4
_LONGEST = 8
_SQUARE = {"cuda": 8192, "cpu": 512}


@dataclass(frozen=True)
class Way:
    """How steps are made: the recipe's changes, and what of the trainer's own choices is undone."""

    name: str
    changes: dict[str, Any]
    rounds: bool | None = None
    any_order: bool = False
    channels_last: bool = False


def ways(large: int) -> tuple[Way, ...]:
    """What is asked for first comes first: torch's compiler may take what time is left."""
    more = {"batch": large}
    return (
        Way("as it is", {}),
        Way("larger batch", more),
        Way("any order of sums", {}, any_order=True),
        Way("weights rounded in every step", {}, rounds=False),
        Way("larger batch, any order of sums", more, any_order=True),
        Way("larger batch, compiled blocks", {**more, "compile": "blocks"}),
        Way("larger batch, recomputing", {**more, "gradient_checkpointing": True}),
        Way("larger batch, channels last", more, channels_last=True),
        Way("compiled blocks", {"compile": "blocks"}),
    )


class Stepper:
    """Makes and times the steps of a plan, its adapter new on a base that is there."""

    def __init__(self, plan: RunPlan, ready: Ready, way: Way) -> None:
        self._plan, self._ready = plan, ready
        self._recipe, base = plan.recipe, ready.base
        self._objective = Objective(base, self._recipe.min_snr_gamma)
        self._parameters = attach_recipe(base, self._recipe, plan.seed)
        self._optimizer = optimisers.build(self._recipe, trained(base))
        self._cheaper = Quick(base, self._recipe, rounds=way.rounds)
        self._done = 0

    def step(self) -> int:
        """One step; how many pictures were computed at once."""
        recipe, ready = self._recipe, self._ready
        slots = slots_for(self._plan, self._done, self._objective.timesteps, ready.crops)
        losses = partial(slots_losses, self._objective, ready, recipe.precision)
        again = recomputing(ready.base.network, on=recipe.gradient_checkpointing)
        with again, self._cheaper.step(recipe.precision):
            loss, computed = descend(
                slots, losses, self._optimizer, whole=recipe.batch, most=recipe.parts_of,
                shape=ready.shape,
            )  # fmt: skip
        rate = recipe.rate(self._done)
        improve(loss, self._parameters, self._optimizer, rate=rate, clip=recipe.clip_norm)
        self._done += 1
        return computed

    def timed(self, steps: int) -> dict[str, Any]:
        """Medians after the first few."""
        device = self._ready.base.device
        begun = _clock(device)
        first = _clock(device) - begun if self.step() else 0.0
        for _ in range(WARM - 1):
            self.step()
        forget_peak(device)
        each, computed = [], 0
        for _ in range(steps):
            at = _clock(device)
            computed = self.step()
            each.append(_clock(device) - at)
        middle = statistics.median(each)
        return {
            "batch": self._recipe.batch,
            "at once": computed,
            "step_ms": round(1000 * middle, 2),
            "spread_ms": [round(1000 * one, 2) for one in (min(each), max(each))],
            "pictures_a_second": round(self._recipe.batch / middle, 2),
            "first_step_s": round(first, 2),
            "peak_gb": round(peak(device) / 1e9, 3),
        }

    def seen(self) -> dict[str, Any]:
        """How long the device works in a step, in how many kernels, and the longest of these."""
        device, steps = self._ready.base.device, 2
        kind = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
        try:
            with profile(activities=[kind]) as profiler:
                for _ in range(steps):
                    self.step()
                _clock(device)
        except RuntimeError as error:  # of a driver that lets nobody look
            return {"busy_ms": None, "why": str(error)[:200]}
        events = [(one.key, one.count, _own_time(one, kind)) for one in profiler.key_averages()]
        longest = sorted(events, key=lambda one: -one[2])[:_LONGEST]
        return {
            "busy_ms": round(sum(one[2] for one in events) / 1000 / steps, 2),
            "kernels": sum(one[1] for one in events) // steps,
            "longest": {name[:80]: round(us / 1000 / steps, 2) for name, _, us in longest},
        }

    def counted(self) -> float:
        """FLOPs of a step, a picture."""
        with FlopCounterMode(display=False) as counter:
            self.step()
        return float(counter.get_total_flops()) / self._recipe.batch


def measured(folder: Path, out: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Way after way, as long as there is time."""
    until = time.monotonic() + given.seconds
    plan = read_plan(folder)
    told: dict[str, Any] = {"torch": torch.__version__, "ways": {}}
    with repeatable(plan.threads):
        ready = prepare(folder, plan)
        device = ready.base.device
        told["device"] = _named(device)
        told["ceiling_tflops"] = ceiling = round(_ceiling(device) / 1e12, 1)
        for way in ways(given.large):
            if time.monotonic() > until:
                told["ways"][way.name] = {"skipped": "no time left"}
                continue
            changed = recipe_from({**plan.recipe.model_dump(mode="json"), **way.changes})
            try:
                own = plan.model_copy(update={"recipe": changed})
                found, flops = _of_one(own, ready, way, given.steps, count="flops" not in told)
            except RuntimeError as error:  # torch's, of memory or of its compiler: the next one may
                found, flops = {"failed": f"{type(error).__name__}: {error}"[:500]}, None
            if way.name == "as it is":
                told["before_first_step_s"] = found.pop("since_began", None)
                told["flops"] = flops
            found.pop("since_began", None)
            if told.get("flops") and "step_ms" in found:
                done = told["flops"] * found["pictures_a_second"] / 1e12
                found |= {"tflops": round(done, 1), "of_ceiling": round(done / ceiling, 3)}
            told["ways"][way.name] = found
            print(way.name, found, file=sys.stderr, flush=True)
            out.write_text(json.dumps(told, indent=1))
    return told


def _of_one(
    plan: RunPlan, ready: Ready, way: Way, steps: int, *, count: bool
) -> tuple[dict[str, Any], float | None]:
    network = ready.base.network
    if way.channels_last:
        network.to(memory_format=torch.channels_last)
    ordered = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(mode=ordered and not way.any_order, warn_only=True)
    try:
        stepper = Stepper(plan, ready, way)
        since = time.time() - psutil.Process().create_time()
        found = stepper.timed(steps) | {"since_began": round(since, 2)}
        found |= stepper.seen()
        return found, stepper.counted() if count else None
    finally:
        torch.use_deterministic_algorithms(mode=ordered, warn_only=True)
        if way.channels_last:
            network.to(memory_format=torch.contiguous_format)
        take_off(ready.base)


def _own_time(event: Any, kind: ProfilerActivity) -> float:
    """Microseconds."""
    own = kind is ProfilerActivity.CUDA
    return float(event.self_device_time_total if own else event.self_cpu_time_total)


def _ceiling(device: torch.device) -> float:
    """FLOPs a second of the largest product, the median of twenty."""
    side = _SQUARE[device.type]
    one, other = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    product: Callable[[], Any] = partial(torch.mm, one, other)
    times = []
    for _ in range(25):
        begun = _clock(device)
        product()
        times.append(_clock(device) - begun)
    return 2 * side**3 / statistics.median(times[5:])


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def main(arguments: Sequence[str]) -> int:
    """Parses and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--large", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args(arguments)
    measured(given.folder, given.out, given)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
