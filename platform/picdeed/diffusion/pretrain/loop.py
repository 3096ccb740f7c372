"""How does one training run, stop at any instant and go on to the same weights?

A job knows its weights and the loss of step t on worker r; this file does the rest: the
gradient's mean over the workers, clipping, the rate, the moving average, and checkpoints as
safetensors. A step depends on nothing but the weights, the optimisers' memory and its number.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from picdeed.core.errors import RunFailed
from picdeed.core.events import Progress
from picdeed.diffusion.pretrain import optimisers
from picdeed.diffusion.pretrain.recipe import Schedule

_LOG = "log.jsonl"
CPU = torch.device("cpu")
FIRST = 50  # steps of which each loss is logged: another machine may repeat them


@dataclass(frozen=True, slots=True)
class Worker:
    """Worker `rank` of `count`, computing on `device`. Worker 0 reports and stores."""

    rank: int
    count: int
    device: torch.device = CPU


@dataclass(frozen=True, slots=True)
class Job:
    """One training. `loss` takes a step and returns this worker's mean loss (a scalar)."""

    name: str
    module: nn.Module
    optimisers: Sequence[torch.optim.Optimizer]
    loss: Callable[[int], Tensor]
    schedule: Schedule
    checkpoint_seconds: float


def train(job: Job, work: Path, worker: Worker, progress: Progress) -> None:
    """Trains to the schedule's end; `work/NAME.safetensors` then holds the averaged weights.

    Raises RunFailed when the loss is no number any more: the last checkpoint stays.
    """
    stored = work / f"{job.name}-checkpoint.safetensors"
    job.module.to(worker.device)
    weights = [weight for weight in job.module.parameters() if weight.requires_grad]
    average = [weight.detach().clone() for weight in weights]
    done = _resume(job, stored, weights, average)
    started = saved = time.monotonic()
    parent = os.getppid()
    for step in range(done, job.schedule.steps):
        loss = _step(job, step, weights, average, worker)
        if worker.rank:
            # A worker whose parent was killed must not go on alone.
            if os.getppid() != parent:
                return
            continue
        progress(job.name, step + 1, job.schedule.steps)
        if step < FIRST or step % 20 == 0 or step + 1 == job.schedule.steps:
            _log(work, job.name, step + 1, loss, time.monotonic() - started)
        last = step + 1 == job.schedule.steps
        if last or time.monotonic() - saved > job.checkpoint_seconds:
            _store(job, stored, weights, average, step + 1)
            saved = time.monotonic()
    if worker.rank == 0:
        named = _named(job.module)
        final = dict(zip(named, average, strict=True))
        _write(final, work / f"{job.name}.safetensors", {"steps": str(job.schedule.steps)})


def first_losses(name: str, work: Path) -> dict[str, float]:
    """Loss by step of the first 50 steps, as far as they were logged: another machine may compare
    its own. Of a run that began again the last is told."""
    path = work / _LOG
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    rows = [row for row in map(json.loads, lines) if row["job"] == name]
    return {str(row["step"]): row["loss"] for row in rows if row["step"] <= FIRST}


@torch.no_grad()
def load_average(module: nn.Module, name: str, work: Path) -> int:
    """Gives `module` the averaged weights of a training that may still run; their step."""
    path = work / f"{name}-checkpoint.safetensors"
    with safe_open(path, "pt") as opened:
        for key, weight in module.named_parameters():
            weight.copy_(opened.get_tensor(f"average.{key}"))
        return int(opened.metadata()["step"])


def _step(
    job: Job, step: int, weights: list[nn.Parameter], average: list[Tensor], worker: Worker
) -> float:
    for optimiser in job.optimisers:
        optimiser.zero_grad(set_to_none=True)
    loss = job.loss(step)
    loss.backward()  # type: ignore[no-untyped-call]
    value = loss.detach()
    grads = [_gradient(weight) for weight in weights]
    if worker.count > 1:
        flat = torch.cat([grad.reshape(-1) for grad in grads] + [value.reshape(1)])
        dist.all_reduce(flat)
        flat /= worker.count
        place = 0
        for grad in grads:
            grad.copy_(flat[place : place + grad.numel()].view_as(grad))
            place += grad.numel()
        value = flat[-1]
    if not bool(torch.isfinite(value)):
        raise RunFailed(f"{job.name}: the loss of step {step} is no number.")
    nn.utils.clip_grad_norm_(weights, job.schedule.clip, foreach=True)
    factor = job.schedule.factor(step)
    for optimiser in job.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = job.schedule.rate * factor
        optimiser.step()
    if worker.rank == 0:
        keep = min(job.schedule.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(average, list[Tensor](weights), 1 - keep)
    return float(value)


def _gradient(weight: nn.Parameter) -> Tensor:
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    return weight.grad


def _named(module: nn.Module) -> list[str]:
    return [name for name, weight in module.named_parameters() if weight.requires_grad]


def _resume(job: Job, stored: Path, weights: list[nn.Parameter], average: list[Tensor]) -> int:
    if not stored.is_file():
        return 0
    tensors = load_file(stored)
    with torch.no_grad():
        for name, weight, mean in zip(_named(job.module), weights, average, strict=True):
            weight.copy_(tensors[f"weight.{name}"])
            mean.copy_(tensors[f"average.{name}"])
    memory = {name: value for name, value in tensors.items() if name.startswith("optimiser.")}
    optimisers.unpack(job.optimisers, memory)
    with safe_open(stored, "pt") as opened:
        return int(opened.metadata()["step"])


def _store(
    job: Job, path: Path, weights: list[nn.Parameter], average: list[Tensor], step: int
) -> None:
    tensors = optimisers.pack(job.optimisers)
    for name, weight, mean in zip(_named(job.module), weights, average, strict=True):
        tensors[f"weight.{name}"] = weight.detach()
        tensors[f"average.{name}"] = mean
    _write(tensors, path, {"step": str(step)})


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    # Renamed into place: a kill while writing leaves the older file whole.
    beside = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in tensors.items()}, beside, metadata)
    beside.replace(path)


def _log(work: Path, name: str, step: int, loss: float, seconds: float) -> None:
    line = {
        "job": name,
        "step": step,
        "loss": round(loss, 5),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(time.process_time(), 1),
    }
    with (work / _LOG).open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
