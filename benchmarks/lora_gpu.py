"""How fast does an adapter learn on a GPU, here and by the example scripts of diffusers?

    python benchmarks/lora_gpu.py --scripts FOLDER --work WORK --out OUT.json
        [--shape sd15|sdxl|tiny|tiny-xl] [--batch N] [--large N] [--steps 25]
        [--only SIDE ...] [--limit SECONDS] [--seconds SECONDS]
    python benchmarks/lora_gpu.py --presets [NAME ...] --work WORK --out OUT.json [--shape sd15]

FOLDER holds `train_text_to_image_lora.py` and `train_text_to_image_lora_sdxl.py` of diffusers.

Both sides train the same random weights, drawn on the device and written in bf16, on the same drawn
pictures at one batch, rank and rate with precision bf16, each in a process of its own under a hook
of torch (`race_watch`) that waits for the device after each step. The script's other choices stay
(it loads pictures in its own process, unless a side says otherwise). Told are medians of steps
after the first five, the peak memory of torch's allocator, and the seconds from a process's start
to the end of its first step. What else is told of ours one more process measures (`race_inside`).

`--presets` holds what `picdeed train --estimate` says of a base's presets against the peak of short
runs with them. OUT is written after each side: what ends early keeps what it found.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import torch
from race_bases import SEED, SHAPES, Shape, make_base, make_pictures
from race_sides import our_command, script_command, watched

from picdeed.core.errors import PicdeedError
from picdeed.diffusion.devices import pick_device, threads_for
from picdeed.diffusion.estimate import estimate
from picdeed.diffusion.holding_out import hold_out
from picdeed.diffusion.memory import forget_peak, peak
from picdeed.diffusion.models import BaseFacts, check_base
from picdeed.diffusion.plan import read_plan
from picdeed.diffusion.presets import goals_of, recipe_on
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.train import train

RANK, RATE = 16, 1e-4
WARM = 5
PICTURES = 32
LOADERS = 8
_INSIDE = str(Path(__file__).with_name("race_inside.py").absolute())
_SCRIPT = "train_text_to_image_lora{}.py"
# By shape: the batch of both, and what ours computes at once where it may choose.
_BATCHES = {"sd15": (4, 32), "sdxl": (2, 6), "tiny": (2, 4), "tiny-xl": (1, 2)}
_LEAST = 5.0  # seconds: with less left no side is begun


@dataclass
class Course:
    """What both sides start from, what was found so far, and until when there is time."""

    given: argparse.Namespace
    shape: Shape
    base: Path
    pictures: Path
    facts: BaseFacts
    until: float
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """Of this shape."""
        return self.base.parent

    @property
    def threads(self) -> int:
        """Of each side on the processor, as the trainer would choose."""
        return threads_for(self.facts.parameters)

    def recipe(self, batch: int, steps: int) -> Recipe:
        """The script's own choices."""
        return Recipe(
            rank=RANK, alpha=RANK, learning_rate=RATE, schedule="constant", steps=steps,
            batch=batch, warmup_steps=0, caption_dropout=0, weight_decay=1e-2, beta2=0.999,
            precision="bf16", eval_share=0, hold_out=0, init="gaussian",
        )  # fmt: skip

    def folder(self, side: str) -> Path:
        """A new one."""
        folder = self.work / "runs" / side.replace(", ", "-").replace(" ", "-")
        shutil.rmtree(folder, ignore_errors=True)
        return folder

    def limit(self) -> float:
        """Seconds that the next side may take."""
        return min(self.given.limit, self.until - time.monotonic())

    def note(self, side: str, told: dict[str, Any]) -> None:
        """Print it, and write everything so far."""
        self.found[side] = told
        print(side, json.dumps(told), file=sys.stderr, flush=True)
        self.given.out.write_text(json.dumps(self.found, indent=1))


def ours(course: Course, side: str) -> dict[str, Any]:
    """A whole run, its caches cold."""
    batch, _ = course.given.sizes
    recipe = course.recipe(batch, WARM + course.given.steps)
    cache = course.work / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    command = our_command(
        course.base, course.pictures, course.folder(side), recipe, facts=course.facts,
        threads=course.threads, cache=cache,
    )  # fmt: skip
    return _raced(course, side, sys.executable, command, batch)


def script(course: Course, side: str) -> dict[str, Any]:
    """The example script; with more pictures at once, or more processes that load them, where the
    side says so."""
    small, large = course.given.sizes
    batch = large if "larger" in side else small
    recipe = course.recipe(batch, WARM + course.given.steps)
    path = course.given.scripts / _SCRIPT.format("_sdxl" if course.shape.second else "")
    more = {"dataloader_num_workers": LOADERS} if "loaders" in side else {}
    command = script_command(
        path, course.base, course.pictures, course.folder(side), recipe, facts=course.facts,
        more=more,
    )  # fmt: skip
    return _raced(course, side, sys.executable, command, batch)


def inside(course: Course, side: str) -> dict[str, Any]:
    """Ours in one process, its caches warm: more pictures at once, compiled, and what is used."""
    batch, large = course.given.sizes
    folder, out = course.folder(side), course.work / "inside.json"
    recipe = course.recipe(batch, WARM + course.given.steps)
    our_command(
        course.base, course.pictures, folder, recipe, facts=course.facts, threads=course.threads,
        cache=course.work / "cache",
    )  # fmt: skip
    out.unlink(missing_ok=True)
    limit = course.limit()
    steps = min(10, course.given.steps)
    told = [str(folder), f"--out={out}", f"--large={large}", f"--steps={steps}"]
    heard = out.with_suffix(".log")
    with heard.open("w") as log:
        try:
            ended = subprocess.run(
                [sys.executable, _INSIDE, *told, f"--seconds={0.8 * limit}"],
                env={**os.environ, "HF_HUB_OFFLINE": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=limit,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            ended = -1
    if not out.is_file():
        return {"failed": heard.read_text(errors="replace")[-1500:]}
    found: dict[str, Any] = json.loads(out.read_text())
    return found | {"ended": ended}


SIDES: dict[str, Callable[[Course, str], dict[str, Any]]] = {
    "ours": ours,
    "script": script,
    "inside": inside,
    "script, larger batch": script,
    "script, larger batch, 8 loaders": script,
    "ours, again": ours,
    "script, again": script,
}


def _raced(
    course: Course, side: str, python: str, command: Sequence[str], batch: int
) -> dict[str, Any]:
    out = course.work / "runs" / f"{side.replace(', ', '-').replace(' ', '-')}.json"
    try:
        told = watched(python, command, out, threads=course.threads, limit=course.limit())
    except RuntimeError as error:
        return {"failed": str(error)[-1500:]}
    wall = told["wall"]
    each = [after - before for before, after in pairwise(wall)][WARM - 1 :]
    if not each:
        return {"failed": "too few steps", "first_step_after_s": round(wall[0], 2)}
    middle = statistics.median(each)
    return {
        "batch": batch,
        "step_ms": round(1000 * middle, 2),
        "spread_ms": [round(1000 * one, 2) for one in (min(each), max(each))],
        "mean_ms": round(1000 * statistics.fmean(each), 2),
        "pictures_a_second": round(batch / middle, 2),
        "first_step_after_s": round(wall[0], 2),
        "peak_gb": round(told.get("device", told["rss"]) / 1e9, 3),
        "reserved_gb": round(told.get("device_reserved", 0) / 1e9, 3),
        "learns": told["learns"],
        "steps": len(wall),
        "ended": told["ended"],
    }


def race(course: Course) -> None:
    """Side after side; at the end what of it compares."""
    for side in course.given.only or SIDES:
        if course.limit() < _LEAST:
            course.note(side, {"skipped": "no time left"})
        else:
            course.note(side, SIDES[side](course, side))
    found = {side: told for side, told in course.found.items() if "step_ms" in told}
    if {"ours", "script"} <= found.keys():
        one, other = found["ours"], found["script"]
        compared: dict[str, Any] = {
            "a step, script / ours": round(other["step_ms"] / one["step_ms"], 3),
            "peak, script / ours": round(other["peak_gb"] / one["peak_gb"], 3),
        }
        saved = (other["step_ms"] - one["step_ms"]) / 1000
        late = one["first_step_after_s"] - other["first_step_after_s"]
        repaid = max(0, round(late / saved)) if saved > 0 else None
        compared["cold caches repaid after steps"] = repaid
        course.note("compared", compared)


def presets(course: Course) -> None:
    """Peak memory of short runs beside what was estimated, preset after preset."""
    device = pick_device()
    family = "sdxl" if course.shape.second else "sd"
    table: dict[str, Any] = {}
    for goal in course.given.presets or goals_of(family):
        if course.limit() < 2 * _LEAST:
            table[goal] = {"skipped": "no time left"}
            continue
        short = ["steps=6", "eval_share=0", "eval_noises=1", *course.given.set]
        recipe = recipe_on(course.base, goal, short)
        folder = _planned(course, goal, recipe)
        begun = time.monotonic()
        try:
            told = estimate(folder)
            forget_peak(device)
            train(folder)
        except PicdeedError as error:
            table[goal] = {"failed": error.message}
            continue
        memory = told.memory
        known = memory.fixed is not None and memory.a_picture is not None
        steps = memory.fixed + told.at_once * memory.a_picture if known else None
        table[goal] = {
            "batch": recipe.batch,
            "at once": told.at_once,
            "precision": str(recipe.precision),
            "estimated_gb": _gb(memory.needed),
            "estimated_steps_gb": _gb(steps),
            "measured_gb": _gb(peak(device)),
            "seconds": round(time.monotonic() - begun, 1),
        }
        course.note("presets", table)
    course.note("presets", table)


def _planned(course: Course, goal: str, recipe: Recipe) -> Path:
    folder = course.folder(f"preset {goal}")
    cache = course.work / "cache"
    our_command(
        course.base, course.pictures, folder, recipe, facts=course.facts, threads=course.threads,
        cache=cache,
    )  # fmt: skip
    plan = read_plan(folder)
    held = hold_out([one.picture for one in plan.members], recipe.hold_out)
    halves = {
        "members": tuple(one for one in plan.members if one.picture not in held),
        "held_out": tuple(one for one in plan.members if one.picture in held),
    }
    plan.model_copy(update=halves).write(folder)
    return folder


def _gb(size: int | None) -> float | None:
    return None if size is None else round(size / 1e9, 3)


def course_of(given: argparse.Namespace) -> Course:
    """Draw the base and the pictures, unless they are there."""
    begun = time.monotonic() - (time.time() - psutil.Process().create_time())
    shape, device = SHAPES[given.shape], pick_device()
    work: Path = given.work / f"gpu-{given.shape}"
    base = make_base(shape, work / "base", device)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    small, large = _BATCHES[given.shape]
    given.sizes = given.batch or small, given.large or large
    pictures = make_pictures(shape, work / "pictures", PICTURES)
    facts = check_base(base)
    course = Course(given, shape, base, pictures, facts, begun + given.seconds)
    ready = {"shape": given.shape, "seed": SEED, "rank": RANK, "pictures": PICTURES,
             "side": facts.size, "parameters": facts.parameters, "torch": torch.__version__,
             "prepared_s": round(time.monotonic() - begun, 1)}  # fmt: skip
    course.note("course", ready)
    return course


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripts", type=Path, help="the folder of diffusers' scripts")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shape", choices=_BATCHES, default="sd15")
    parser.add_argument("--batch", type=int, default=0, help="of both sides; 0: the shape's own")
    parser.add_argument("--large", type=int, default=0, help="ours at once; 0: the shape's own")
    parser.add_argument("--steps", type=int, default=25, help="that are timed")
    parser.add_argument("--only", nargs="*", choices=SIDES, default=None)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of one side")
    parser.add_argument("--seconds", type=float, default=300.0, help="of everything")
    parser.add_argument("--presets", nargs="*", default=None, help="memory of presets; no race")
    parser.add_argument("--set", nargs="*", default=[], help="KEY=VALUE of every preset")
    given = parser.parse_args(arguments)
    if given.presets is None and given.scripts is None:
        parser.error("--scripts says where diffusers' scripts are")
    course = course_of(given)
    if given.presets is None:
        race(course)
    else:
        presets(course)
    print(json.dumps(course.found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
