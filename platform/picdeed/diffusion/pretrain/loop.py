"""How does one training run, stop at any instant and go on to the same weights?

Steps (`step`) on their samples (`feed`), a log, and checkpoints as safetensors. A step depends on
nothing but the weights, the optimisers' memory and its number.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from picdeed.core.errors import RunFailed, TimeOver
from picdeed.core.events import Progress
from picdeed.diffusion.pretrain import optimisers
from picdeed.diffusion.pretrain.feed import feed
from picdeed.diffusion.pretrain.step import CPU, Job, Stepper, Worker

_LOG = "log.jsonl"
FIRST = 50  # steps of which each loss is logged: another machine may repeat them
_TOLD = 20  # every so many steps the loss is logged after them


def train(job: Job, work: Path, worker: Worker, progress: Progress) -> None:
    """Trains to the schedule's end; `work/NAME.safetensors` then holds the averaged weights.

    Raises RunFailed when the loss is no number any more: the last checkpoint stays. Raises TimeOver
    when the worker's time is over and a checkpoint is written.
    """
    stored = work / f"{job.name}-checkpoint.safetensors"
    stepper = Stepper(job, worker)
    weights, average = stepper.weights, stepper.average
    done = _resume(job, stored, weights, average)
    started = saved = time.monotonic()
    parent = os.getppid()
    steps = range(done, job.schedule.steps)
    for step, samples in zip(steps, feed(job.draw, steps, worker.device), strict=True):
        loss = stepper.take(step, samples)
        last = step + 1 == job.schedule.steps
        told = step < FIRST or step % _TOLD == 0 or last
        over = worker.rank == 0 and worker.late and not last
        due = last or over or time.monotonic() - saved > job.checkpoint_seconds
        # Looking at a loss waits for it: a GPU is kept waiting only where something depends on it.
        if (told or due or worker.device == CPU) and not bool(torch.isfinite(loss)):
            raise RunFailed(f"{job.name}: the loss of step {step} is no number.")
        if worker.rank:
            # A worker whose parent was killed must not go on alone.
            if os.getppid() != parent:
                return
            continue
        progress(job.name, step + 1, job.schedule.steps)
        if told:
            _log(work, job.name, step + 1, float(loss), time.monotonic() - started)
        if due:
            _store(job, stored, weights, average, step + 1)
            saved = time.monotonic()
        if over:
            raise TimeOver(f"{job.name}: the time is over after step {step + 1}; it is stored.")
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


def made_on(name: str, work: Path) -> dict[str, str]:
    """Device and torch of the newest checkpoint's last sitting; nothing where it does not say."""
    with safe_open(work / f"{name}-checkpoint.safetensors", "pt") as opened:
        told = opened.metadata()
    return {key: told[key] for key in ("device", "torch") if key in told}


@torch.no_grad()
def load_average(module: nn.Module, name: str, work: Path) -> int:
    """Gives `module` the averaged weights of a training that may still run; their step."""
    path = work / f"{name}-checkpoint.safetensors"
    with safe_open(path, "pt") as opened:
        for key, weight in module.named_parameters():
            weight.copy_(opened.get_tensor(f"average.{key}"))
        return int(opened.metadata()["step"])


def _machine(device: torch.device) -> dict[str, str]:
    name = "cpu" if device == CPU else torch.cuda.get_device_name(device)
    return {"device": name, "torch": torch.__version__}


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
    _write(tensors, path, {"step": str(step), **_machine(average[0].device)})


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
