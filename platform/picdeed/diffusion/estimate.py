"""What would this plan cost here? `python -m picdeed.diffusion.estimate FOLDER` measures it.

It reads a few pictures, which stay in the cache for the run, makes ten steps and a few looks, and
leaves `estimate.json`. No adapter comes of it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch

from picdeed.core.errors import BusyError, PicdeedError
from picdeed.diffusion import quick
from picdeed.diffusion.devices import devices_like, pick_device, repeatable
from picdeed.diffusion.estimated import Bytes, Estimate, Fitting, Seconds
from picdeed.diffusion.filling import Filling, fill
from picdeed.diffusion.fit import Case, Taken, crowd_of, share_of
from picdeed.diffusion.memory import there_is
from picdeed.diffusion.models import load_base
from picdeed.diffusion.plan import RunPlan, read_plan
from picdeed.diffusion.prior import class_exposures, require_drawing
from picdeed.diffusion.probe import Probe, Step, probe
from picdeed.diffusion.ready import cache_of, made_ready, with_prior
from picdeed.diffusion.room import Least, least_of, nearest_room
from picdeed.diffusion.runfolder import Heartbeat, held, leave_error
from picdeed.diffusion.watch import require_somebody
from picdeed.diffusion.workload import Workload, looks_at_once, workload


@dataclass(frozen=True, slots=True)
class Question:
    """A plan, the device, the bytes that were free there before anything was loaded, how many such
    devices there are, and what the run takes whatever its batch.
    """

    plan: RunPlan
    device: torch.device
    there_is: int
    devices: int
    least: Least

    def case(self, taken: Taken) -> Case:
        """What has to fit, once it is known what one process takes."""
        looks = partial(looks_at_once, self.plan)
        there = {"there_is": self.there_is, "devices": self.devices, "text": self.least.text}
        return Case(self.plan.recipe, taken, self.least.network, looks, **there)


def estimate(folder: Path, *, parent: int | None = None, room: int | None = None) -> Estimate:
    """Measure the plan in `folder` and leave what it costs there; `room` is how many bytes it has
    to fit, unless it is what there is.

    Raises like `train`: UsageError, IntegrityError, RunFailed; BusyError when a process works here.
    """
    plan = read_plan(folder)
    require_somebody(plan)
    with held(folder), Heartbeat(folder, parent) as heart, repeatable(plan.threads):
        device = pick_device()
        quick.require(plan.recipe, device)
        least = least_of(Path(plan.base), plan.recipe)
        room = there_is(device) if room is None else room
        asked = Question(plan, device, room, devices_like(device), least)
        crowd = crowd_of(plan.recipe.processes, asked.devices)
        if least.total * crowd > asked.there_is:
            found = _hopeless(asked, None)
        else:
            found = _measured(folder, asked, heart)
    found.write(folder)
    return found


def _measured(folder: Path, asked: Question, heart: Heartbeat) -> Estimate:
    plan = asked.plan
    base = load_base(Path(plan.base), expect=plan.base_sha256, quantize=plan.recipe.quantize)
    base.family.require_targets(plan.recipe.targets, base.facts.name)
    starting = time.time() - psutil.Process().create_time()
    require_drawing(base, plan)
    load = workload(plan, samples=bool(plan.recipe.samples), sides=base.family.sides)
    cache = cache_of(folder, plan)
    filling = fill(base, plan, cache, encodes=bool(load.encoded))
    ready = made_ready(base, plan, filling.chosen, cache)
    ready = with_prior(ready, plan, cache, only=filling.shown)

    def told(step: int) -> None:
        heart.step = step

    found = probe(plan, ready, load, asked.case, told)
    if found.taken is None or found.step is None:
        return _hopeless(asked, filling)
    taken = replace(found.taken, beside=max(found.taken.beside, filling.most))
    a_step, a_step_cpu = step_of(asked, found.step)
    seconds = Seconds(
        starting=starting,
        caching=filling.seconds,
        steps=load.steps * a_step,
        evidence=evidence_of(load, found, filling),
        a_step=a_step,
        a_step_cpu=a_step_cpu,
        timed=found.step.timed,
    )
    return _weighed(asked, filling, taken, found.step.count, seconds)


def step_of(asked: Question, step: Step) -> tuple[float, float]:
    """Seconds of a whole step, by the wall and of all processes on the CPU."""
    recipe = asked.plan.recipe
    parts = share_of(recipe) / step.rows
    busy = 1.0
    if asked.device.type == "cpu":
        busy = max(1.0, recipe.processes * asked.plan.threads / len(os.sched_getaffinity(0)))
    wall = busy * (parts * step.computing + step.moving)
    return wall, recipe.processes * (parts * step.cpu_computing + step.cpu_moving)


def evidence_of(load: Workload, found: Probe, filling: Filling) -> float:
    """Seconds of all evidence: what a plan comes to, by what each part of it takes."""
    looks = (load.looks + load.passes) * found.look
    said = load.said * found.saying
    return looks + said + load.decoded * found.decoding + load.encoded * filling.a_crop


def _weighed(
    asked: Question, filling: Filling, taken: Taken, at_once: int, seconds: Seconds
) -> Estimate:
    case, own = asked.case(taken), taken.learning
    needed = case.needed()
    fits = needed <= asked.there_is
    nearest = None if fits else case.nearest()
    known = fits or own.fixed > 0  # else memory ran out, and no number is one that was seen
    memory = Bytes(
        there_is=asked.there_is,
        least=asked.least.total,
        needed=needed if known else None,
        fixed=own.fixed if known else None,
        a_picture=own.a_picture if known else None,
        resting=taken.resting,
        a_look=taken.looking,
        beside=taken.beside,
    )
    return replace(
        _plain(asked, filling, memory),
        at_once=at_once,
        seconds=seconds,
        fits=fits,
        nearest=Fitting(nearest.change, nearest.needed) if nearest else None,
        missing=None if fits or nearest else case.missing(),
    )


def _hopeless(asked: Question, filling: Filling | None) -> Estimate:
    """Of a run whose weights alone are too much; with `filling`, of one that one picture is."""
    least = asked.least.total
    nothing = dict[str, Any].fromkeys(("fixed", "a_picture", "resting", "a_look", "beside"))
    memory = Bytes(there_is=asked.there_is, least=least, needed=None, **nothing)
    found = _plain(asked, filling, memory)
    if filling is not None:
        return found
    recipe, there = asked.plan.recipe, asked.there_is
    change = nearest_room(recipe, asked.least, there, asked.devices)
    if change is None:
        return replace(found, missing=asked.least.smallest - there)
    own = recipe.model_copy(update=change)
    enough = least_of(Path(asked.plan.base), own).total * crowd_of(own.processes, asked.devices)
    return replace(found, nearest=Fitting(change, enough))


def _plain(asked: Question, filling: Filling | None, memory: Bytes) -> Estimate:
    plan = asked.plan
    everyone = len(plan.members) + len(plan.held_out)
    return Estimate(
        steps=plan.recipe.steps,
        batch=plan.recipe.batch,
        processes=plan.recipe.processes,
        at_once=0,
        device=asked.device.type,
        pictures=len(plan.members),
        held_out=len(plan.held_out),
        to_encode=filling.pictures if filling else everyone,
        to_embed=filling.captions if filling else _to_read(plan),
        to_draw=filling.drawings if filling else len(class_exposures(plan)),
        seconds=None,
        memory=memory,
        fits=False,
        nearest=None,
        missing=None,
    )


def _to_read(plan: RunPlan) -> int:
    """Captions at the most: encoders that learn keep none."""
    everyone = (*plan.members, *plan.held_out)
    return 0 if plan.recipe.text_rank else len(everyone) + len(plan.recipe.prior)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 with `estimate.json`, 130 when interrupted, else as `leave_error` says."""
    parser = argparse.ArgumentParser(prog="python -m picdeed.diffusion.estimate")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parent", type=int, help="end when this process id is no longer ours")
    given = parser.parse_args(arguments)
    try:
        estimate(given.folder, parent=given.parent)
    except KeyboardInterrupt:
        return 130
    except BusyError as error:
        sys.stderr.write(f"BusyError: {error.message}\n")
        return 1
    except (PicdeedError, RuntimeError, OSError, MemoryError) as error:
        return leave_error(given.folder, error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
