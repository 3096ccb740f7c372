"""How does an adapter learn? The loop, on one screen; `python -m picdeed.diffusion.train FOLDER`.

One process trains one run folder (runfolder.py says what lies in it). Killed at any instant and
started again, it ends with the same bytes.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from picdeed.core.errors import BusyError, IntegrityError, PicdeedError, RunFailed
from picdeed.core.ids import hash_json
from picdeed.diffusion import checkpoint, evidence, optimisers, prior, quantised, quick
from picdeed.diffusion.checkpoint import Position
from picdeed.diffusion.crew import Crew, joined, led
from picdeed.diffusion.devices import devices_like, pick_device, repeatable
from picdeed.diffusion.draws import Slot, exposures, slots_of
from picdeed.diffusion.environment import environment
from picdeed.diffusion.findings import findings
from picdeed.diffusion.gradient import descend, recomputing
from picdeed.diffusion.lora import Papers, load_adapter
from picdeed.diffusion.memory import there_is
from picdeed.diffusion.models import Base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import RunPlan, read_plan
from picdeed.diffusion.ready import Ready, prepare, slots_losses
from picdeed.diffusion.record import Record, Silence
from picdeed.diffusion.room import require_room
from picdeed.diffusion.runfolder import (
    Heartbeat,
    Log,
    held,
    leave_error,
    read_json,
    write_json,
)
from picdeed.diffusion.trackers import tracked
from picdeed.diffusion.watch import Watch, checkpoints, keep
from picdeed.diffusion.weights import effective, weights
from picdeed.diffusion.worn import attach_recipe, save_adapter, trained

SCHEMA = "picdeed.run-result/1"


def train(folder: Path, *, parent: int | None = None) -> dict[str, Any]:
    """Train the run in `folder` to its end; what `result.json` holds.

    A finished run is not repeated. Raises BusyError when another process trains here, Stopped
    when it was asked to end, RunFailed when the loss stops being finite, IntegrityError when
    base or pictures are not those planned.
    """
    plan = read_plan(folder)
    with held(folder):
        done = finished(folder)
        if done is not None:
            for half in folder.rglob(".*.part"):  # of a kill after the end; nobody writes it again
                half.unlink()
            return done
        (folder / "error.json").unlink(missing_ok=True)
        with (
            Heartbeat(folder, parent) as heart,
            tracked(folder, plan),
            repeatable(plan.threads),
        ):
            return _run(folder, plan, heart)


def follow(folder: Path, crew: Crew, store: Path) -> None:
    """Train beside the process that leads this run; writes nothing."""
    plan = read_plan(folder)
    with repeatable(plan.threads), joined(crew, store):
        crew.together()  # by now the leader has filled the caches
        _fit(plan, prepare(folder, plan), folder, None, crew)


def finished(folder: Path) -> dict[str, Any] | None:
    """The result of a run that has one, with its adapter read again; else None."""
    result = read_json(folder / "result.json")
    if result is None:
        return None
    adapter = load_adapter(folder / "adapter.safetensors")
    if adapter.sha256 != result.get("adapter_sha256"):
        raise IntegrityError(f"{folder / 'adapter.safetensors'} is not the file that was trained.")
    return result


def _run(folder: Path, plan: RunPlan, heart: Heartbeat) -> dict[str, Any]:
    started = time.monotonic()
    optimisers.require_library(plan.recipe)  # before the caches are filled for it
    device = pick_device()
    quick.require(plan.recipe, device)
    require_room(plan, there_is(device, swap=True), devices_like(device))
    ready = prepare(folder, plan)
    with led(folder, plan.recipe.processes) as crew:
        crew.together()
        at, resumed_from = _fit(plan, ready, folder, heart, crew)
    _check_exposures(plan, at)
    kept = keep(folder, plan, ready.base)
    result = {
        **_evidence(plan, ready),
        "evidence": findings(folder, plan, ready.base, kept),
        **_save(folder, plan, ready.base),
        **_figures(plan, ready.base, at),
        "sizes": ready.sizes(),
        "crops": ready.cropped(plan.members),
        "prior": prior.told(plan, at.shown),
        "resumed_from": resumed_from,
        "seconds": round(time.monotonic() - started, 3),
    }
    write_json(folder / "result.json", result)
    return result


def _fit(
    plan: RunPlan, ready: Ready, folder: Path, heart: Heartbeat | None, crew: Crew
) -> tuple[Position, int | None]:
    """The loop: from the newest checkpoint to the last step; the step it continued from."""
    recipe, base = plan.recipe, ready.base
    objective = Objective(base, recipe.min_snr_gamma)
    parameters = attach_recipe(base, recipe, plan.seed)
    optimizer = optimisers.build(recipe, trained(base))
    losses = partial(slots_losses, objective, ready, recipe.precision)
    cheaper = quick.Quick(base, recipe)
    at = checkpoint.restore(folder, base, optimizer, plan.digest())
    optimisers.settled(optimizer, training=True)
    crew.together()  # nobody writes a checkpoint before everybody has read the newest
    resumed_from, pen = at.step or None, _pen(plan, ready, folder, heart, at)
    looked_at = frozenset(checkpoints(plan))
    for step in range(at.step, recipe.steps):
        pen.before_step()
        begun, told = time.monotonic(), {}
        slots = slots_for(plan, step, objective.timesteps, ready.crops)
        if slots:  # where every row was left out, a step moves nothing but the schedule
            most, rate, own = at.micro or recipe.parts_of, recipe.rate(step), crew.share(slots)
            recomputes = recomputing(base.network, on=recipe.gradient_checkpointing)
            with recomputes, cheaper.step(recipe.precision):
                loss, computed = descend(
                    own, losses, optimizer, whole=recipe.batch, most=most, shape=ready.shape
                )
            # A mean over the rows that are left; with a prior, what the step came to.
            over = recipe.batch if recipe.prior else len(slots)
            loss = crew.summed(loss, parameters) * recipe.batch / over
            norm = improve(loss, parameters, optimizer, rate=rate, clip=recipe.clip_norm)
            told = {"loss": loss, "lr": rate, "norm": norm}
            if computed < recipe.parts_of:  # memory did not hold more: said, and kept
                at.micro = told["micro_batch"] = computed
        at.shown.update(slot.picture for slot in slots)
        at.step, at.seconds = step + 1, at.seconds + time.monotonic() - begun
        if at.step in looked_at:
            cheaper.rest()
        pen.after_step(at, told, base, optimizer)
    optimisers.settled(optimizer, training=False)
    return at, resumed_from


def _pen(
    plan: RunPlan, ready: Ready, folder: Path, heart: Heartbeat | None, at: Position
) -> Record | Silence:
    if heart is None:
        return Silence()
    watch = Watch(folder, plan, ready.base, ready.moments, ready.prompts, step=at.step)
    return Record(folder, plan, heart, Log(folder, at.step), watch)


def improve(
    loss: float,
    parameters: Sequence[torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    *,
    rate: float,
    clip: float,
) -> float:
    """Move the weights by their gradients; the gradients' norm before clipping.

    Raises RunFailed, with the weights unchanged, when loss or gradient are not finite.
    """
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip).item()
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise RunFailed(
            "The loss stopped being finite; the run has failed and no adapter was written.",
            hint="Try a lower rate: picdeed train SNAPSHOT --base BASE --set learning_rate=...",
        )
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)
    optimizer.step()
    return norm


def slots_for(
    plan: RunPlan, step: int, timesteps: int, crops: Mapping[str, int] | None = None
) -> tuple[Slot, ...]:
    """The slots of one step of a plan: pictures, then those that the base itself drew. `crops` says
    how many a picture has; the middle one is shown of those that it leaves out."""
    recipe = plan.recipe
    shown = slots_of(
        step,
        plan.drawn,
        seed=plan.seed,
        batch=recipe.batch,
        timesteps=timesteps,
        flip=recipe.flip,
        crops=crops,
        caption_dropout=recipe.caption_dropout,
        copies=plan.drawn_as_one,
        without=plan.left_out,
    )
    return (*shown, *prior.class_slots(plan, step, timesteps))


def _check_exposures(plan: RunPlan, at: Position) -> None:
    planned = exposures(
        plan.drawn,
        seed=plan.seed,
        steps=plan.recipe.steps,
        batch=plan.recipe.batch,
        copies=plan.drawn_as_one,
        without=plan.left_out,
    )
    if Counter(planned | prior.class_exposures(plan)) != at.shown:
        raise RunFailed("The pictures that were shown are not those that the plan names.")


def _evidence(plan: RunPlan, ready: Ready) -> dict[str, Any]:
    reason = plan.why_nobody()
    if reason is not None:
        return {"loss": None, "loss_reason": reason}
    found = evidence.measure(
        ready.base,
        {name: ready.moments[name] for name in plan.measured},
        ready.prompts,
        timesteps=plan.recipe.eval_timesteps,
        noises=plan.recipe.eval_noises,
    )
    return {"loss": {**found.document(), **quantised.told(ready.base)}, "loss_reason": None}


def _save(folder: Path, plan: RunPlan, base: Base) -> dict[str, Any]:
    papers = Papers(
        base=base.facts.name,
        base_sha256=plan.base_sha256,
        snapshot=plan.snapshot,
        snapshot_root=plan.snapshot_root,
        run=plan.run,
        decision=plan.decision,
        licenses=plan.licenses,
        recipe_sha256=hash_json(plan.recipe.model_dump(mode="json")),
        notices_sha256=plan.notices_sha256,
        without=plan.without,
    )
    name, digest = save_adapter(folder / "adapter.safetensors", base, plan.recipe, papers)
    return {"adapter_id": name, "adapter_sha256": digest}


def _figures(plan: RunPlan, base: Base, at: Position) -> dict[str, Any]:
    worth = effective(weights([t.picture for t in plan.members], plan.drawn_as_one), plan.kin)
    return {
        "schema": SCHEMA,
        "run": plan.run,
        "steps": at.step,
        "batch": plan.recipe.batch,
        "micro_batch": at.micro or plan.recipe.parts_of,
        "steps_per_second": round(at.step / at.seconds, 4) if at.seconds else 0.0,
        "exposure": {t.picture: at.shown[t.picture] for t in plan.members},
        "held_out": [trainee.picture for trainee in plan.held_out],
        "distinct_pictures": worth.distinct,
        "effective_pictures": worth.pictures,
        "kin_groups": len(plan.kin),
        "without_caption": sum(not t.caption.strip() for t in plan.members),
        "threads": plan.threads,
        "device": base.device.type,
        **environment(base.device, _packages(plan, base.device)),
    }


def _packages(plan: RunPlan, device: torch.device) -> tuple[str, ...]:
    recipe = plan.recipe
    compiled = quick.packages(recipe, device)
    return (*optimisers.packages(recipe), *quantised.packages(recipe.quantize), *compiled)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 with `result.json`, 1 with `error.json`, 130 when interrupted.

    STOPPED with `error.json` when somebody asked it to stop, NO_ROOM when the disk is full.
    """
    parser = argparse.ArgumentParser(prog="python -m picdeed.diffusion.train")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parent", type=int, help="end when this process id is no longer ours")
    parser.add_argument("--rank", type=int, default=0, help="follow the process that leads")
    parser.add_argument("--store", type=Path, help="where the run's processes meet")
    given = parser.parse_args(arguments)
    folder: Path = given.folder
    if given.rank:
        return _followed(folder, given.rank, given.store)
    try:
        train(folder, parent=given.parent)
    except KeyboardInterrupt:
        return 130
    except (PicdeedError, RuntimeError, OSError, MemoryError) as error:
        # Whoever finds the folder taken must not mark the other's run as failed.
        if not isinstance(error, BusyError):
            return leave_error(folder, error)
        sys.stderr.write(f"BusyError: {error.message}\n")
        return 1
    return 0


def _followed(folder: Path, rank: int, store: Path) -> int:
    """The leader tells what went wrong; a process that follows only ends."""
    try:
        follow(folder, Crew(rank, read_plan(folder).recipe.processes), store)
    except (PicdeedError, RuntimeError, OSError, MemoryError) as error:
        sys.stderr.write(f"process {rank}: {type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
