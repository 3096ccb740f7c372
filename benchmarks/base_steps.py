"""How fast does this machine train the base? Steps of both parts, by batch, replayed and not.

    python benchmarks/base_steps.py --pictures FOLDER [--autoencoder 24 128] [--denoiser 32 512]
        [--steps 30]

The shipped recipe's own jobs and random numbers, but for the batch; the denoiser's latents are
noise, which takes no other time. A step alone is told (its samples lie ready on the device) and one
that is fed. On a CPU nothing is replayed and this process of one thread draws for itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from picdeed.core.resources import bundled
from picdeed.diffusion.devices import pick_device
from picdeed.diffusion.pretrain import autoencoder, compose, denoiser
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain.feed import feed
from picdeed.diffusion.pretrain.latents import Latents
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture
from picdeed.diffusion.pretrain.run import from_folder
from picdeed.diffusion.pretrain.step import CPU, Job, Stepper, Worker

_WARM = 8  # steps that are not counted: kernels are chosen, then recorded


def timed(make: Callable[[], Job], worker: Worker, steps: int, replay: bool) -> dict[str, Any]:
    """Milliseconds of a step on samples that lie ready."""
    job = make()
    stepper = Stepper(job, worker, replay=replay)
    samples = tuple(one.to(worker.device) for one in job.draw(0))
    for step in range(_WARM):
        stepper.take(step, samples)
    return _paced(lambda step: stepper.take(step, samples), steps, job, worker)


def fed(make: Callable[[], Job], worker: Worker, steps: int) -> dict[str, Any]:
    """The same where the samples are drawn, too."""
    job = make()
    stepper = Stepper(job, worker)
    ready = feed(job.draw, range(_WARM + steps), worker.device)
    for step in range(_WARM):
        stepper.take(step, next(ready))
    return _paced(lambda step: stepper.take(step, next(ready)), steps, job, worker)


def noise(recipe: Recipe, members: Sequence[TrainingPicture]) -> Latents:
    """Four cached pictures of each glyph, of no picture."""
    glyphs = [number for number, member in enumerate(members) if member.concept]
    rows, side = 4 * len(glyphs), recipe.side // 8
    plain = torch.zeros(rows, dtype=torch.int64)
    values = torch.randn(rows, recipe.autoencoder.latents, side, side).half()
    one = torch.ones(recipe.autoencoder.latents)
    return Latents(values, torch.tensor(glyphs * 4), plain, plain, 0 * one, one)


def _paced(
    take: Callable[[int], torch.Tensor], steps: int, job: Job, worker: Worker
) -> dict[str, Any]:
    _wait(worker.device)
    began = time.monotonic()
    for step in range(_WARM, _WARM + steps):
        loss = take(step)
    _wait(worker.device)
    each = (time.monotonic() - began) / steps
    told = {"ms": round(1000 * each, 2), "samples a second": round(job.schedule.batch / each)}
    if worker.device != CPU:
        told["peak GB"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
        torch.cuda.reset_peak_memory_stats()
    return told | {"loss": round(float(loss), 3)}


def _wait(device: torch.device) -> None:
    if device != CPU:
        torch.cuda.synchronize()


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--autoencoder", type=int, nargs="*", default=[24, 128])
    parser.add_argument("--denoiser", type=int, nargs="*", default=[32, 512])
    parser.add_argument("--steps", type=int, default=30)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    members = compose.trained_set(from_folder(given.pictures))
    worker = Worker(0, 1, pick_device())
    cached = noise(recipe, members)
    gpu = worker.device != CPU
    report: dict[str, Any] = {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if gpu else "cpu",
    }
    jobs: dict[str, Callable[[Recipe], Job]] = {
        autoencoder.NAME: lambda some: autoencoder.job(some, members, worker),
        denoiser.NAME: lambda some: denoiser.job(some, members, cached, worker),
    }
    for part, job in jobs.items():
        for batch in getattr(given, part):
            some = _of(recipe, part, batch)

            def make(job: Callable[[Recipe], Job] = job, some: Recipe = some) -> Job:
                return job(some)

            told = {
                "alone": timed(make, worker, given.steps, gpu),
                "fed": fed(make, worker, given.steps),
            }
            if gpu:
                told["alone, not replayed"] = timed(make, worker, given.steps // 3, replay=False)
            report[f"{part}, batch {batch}"] = told
            print(f"{part} {batch}: {told}", file=sys.stderr, flush=True)
    print(json.dumps(report, indent=1))
    return 0


def _of(recipe: Recipe, part: str, batch: int) -> Recipe:
    table = getattr(recipe, part)
    schedule = dataclasses.replace(table.schedule, batch=batch)
    changed: dict[str, Any] = {part: dataclasses.replace(table, schedule=schedule)}
    return dataclasses.replace(recipe, **changed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
