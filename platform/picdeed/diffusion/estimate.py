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
from picdeed.diffusion.fit import (
    Basis,
    Case,
    Nearest,
    Taken,
    Way,
    at_once,
    crowd_of,
    share_of,
    way_of,
)
from picdeed.diffusion.memory import there_is
from picdeed.diffusion.models import load_base
from picdeed.diffusion.plan import RunPlan, read_plan
from picdeed.diffusion.prior import class_exposures, require_drawing
from picdeed.diffusion.probe import Probe, Step, probe
from picdeed.diffusion.quantised import why_not
from picdeed.diffusion.ready import cache_of, made_ready, with_prior
from picdeed.diffusion.recipe import Quantize, Recipe
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
        least, room = self.least, (self.there_is, self.devices)
        return Case(self.plan.recipe, taken, least.network, looks, *room, least.text)

    def bits(self) -> tuple[list[Quantize], str | None]:
        """Which fewer bits can be had here, gentlest first; and why one cannot."""
        why = {how: why_not(how, self.device) for how in self.least.smaller}
        refused = [told for told in why.values() if told is not None]
        return [how for how in why if why[how] is None], refused[0] if refused else None


@dataclass(frozen=True, slots=True)
class Timed:
    """What seconds are made of: those until the base was loaded, those of the probe, and those of
    what is not cached yet. `sides` is how often a step of drawing asks the base's network.
    """

    starting: float
    sides: int
    found: Probe
    step: Step
    filling: Filling

    def seconds(self, asked: Question, recipe: Recipe) -> Seconds:
        """Of the plan with this recipe, which computes steps as they were timed."""
        plan = asked.plan.model_copy(update={"recipe": recipe})
        load = workload(plan, samples=bool(recipe.samples), sides=self.sides)
        a_step, a_step_cpu = step_of(asked, self.step)
        return Seconds(
            starting=self.starting,
            caching=self.filling.seconds,
            steps=load.steps * a_step,
            evidence=evidence_of(load, self.found, self.filling),
            a_step=a_step,
            a_step_cpu=a_step_cpu,
            timed=self.step.timed,
        )


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
    timed = Timed(starting, base.family.sides, found, found.step, filling)
    return weighed(asked, taken, timed)


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


def weighed(asked: Question, taken: Taken, timed: Timed) -> Estimate:
    """Does it fit, and what does where it does not?"""
    case, recipe = asked.case(taken), asked.plan.recipe
    own = taken.learning.get(way_of(recipe))  # else memory ran out, and no number was seen
    needed = None if own is None else case.needed()
    fits = needed is not None and needed <= asked.there_is
    nearest, untried = None if fits else case.nearest(), None
    if not fits and (nearest is None or nearest.basis is Basis.COUNTED):
        hand, untried = asked.bits()
        spared = {how: size for how, size in asked.least.spared.items() if how in hand}
        case = replace(case, spared=spared)
        nearest = case.nearest()
        if nearest is not None and "quantize" in nearest.change:
            untried = None
    memory = Bytes(
        there_is=asked.there_is,
        least=asked.least.total,
        needed=needed,
        fixed=None if own is None else own.fixed,
        a_picture=None if own is None else own.a_picture,
        resting=taken.resting,
        a_look=taken.looking,
        beside=taken.beside,
    )
    return replace(
        _plain(asked, timed.filling, memory),
        at_once=timed.step.count,
        seconds=timed.seconds(asked, recipe),
        timed_with=timed.step.way.change(recipe),
        fits=fits,
        nearest=_fitting(asked, nearest, timed) if nearest else None,
        missing=None if fits or nearest else case.missing(),
        untried=untried,
    )


def _fitting(asked: Question, nearest: Nearest, timed: Timed) -> Fitting:
    recipe = asked.plan.recipe.model_copy(update=dict(nearest.change))
    other = {"processes", "quantize"} & nearest.change.keys()
    as_timed = way_of(recipe) == timed.step.way and not other
    seconds = timed.seconds(asked, recipe).total if as_timed else None
    return Fitting(nearest.change, nearest.needed, nearest.basis, seconds)


def _hopeless(asked: Question, filling: Filling | None) -> Estimate:
    """Of a run whose weights alone are too much; with `filling`, of one that one picture is."""
    least, recipe = asked.least, asked.plan.recipe
    nothing = dict[str, Any].fromkeys(("fixed", "a_picture", "resting", "a_look", "beside"))
    memory = Bytes(there_is=asked.there_is, least=least.total, needed=None, **nothing)
    found, (hand, untried) = _plain(asked, filling, memory), asked.bits()
    if filling is None:
        change = nearest_room(recipe, least, asked.there_is, asked.devices, hand)
    else:
        change = _least_known(recipe, hand)
    if change is None:
        missing = least.smallest - asked.there_is if filling is None else None
        return replace(found, missing=missing, untried=untried if filling else None)
    own = recipe.model_copy(update=change)
    enough = least_of(Path(asked.plan.base), own).total * crowd_of(own.processes, asked.devices)
    missed = change.get("quantize") not in {None, *hand} or "rank" in change
    nearest = Fitting(change, enough, Basis.LEAST, None)
    return replace(found, nearest=nearest, untried=untried if missed else None)


def _least_known(recipe: Recipe, hand: Sequence[Quantize]) -> dict[str, Any] | None:
    """What spares most where not even one picture could be computed, so that nothing was seen of
    what it takes; None where no fewer bits are at hand.
    """
    if not hand:
        return None
    change = Way(recipe.precision, anew=True).change(recipe)
    if at_once(recipe) > 1:
        change["micro_batch"] = 1
    if recipe.processes > 1:
        change["processes"] = 1
    return {**change, "quantize": hand[-1]}


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
