"""How does an adapter learn? The loop, on one screen; `python -m picdeed.diffusion.train FOLDER`.

One process trains one run folder (runfolder.py says what lies in it). Killed at any instant and
started again, it ends with the same bytes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from picdeed.core.errors import BusyError, IntegrityError, PicdeedError, RunFailed
from picdeed.core.ids import hash_json
from picdeed.diffusion import checkpoint, evidence
from picdeed.diffusion.cache import latent_moments, prompt_embeddings
from picdeed.diffusion.checkpoint import Position
from picdeed.diffusion.devices import repeatable
from picdeed.diffusion.draws import Slot, exposures, slots_of
from picdeed.diffusion.environment import environment
from picdeed.diffusion.lora import Papers, attach_recipe, load_adapter, save_adapter
from picdeed.diffusion.models import Base, load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import RunPlan, Trainee, read_plan
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.runfolder import (
    STOPPED,
    Heartbeat,
    Log,
    Stopped,
    held,
    raise_if_asked_to_stop,
    read_json,
    write_json,
)
from picdeed.diffusion.trackers import tracked
from picdeed.diffusion.weights import effective, weights

SCHEMA = "picdeed.run-result/1"
Tensors = Mapping[str, torch.Tensor]


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
            return done
        (folder / "error.json").unlink(missing_ok=True)
        with (
            Heartbeat(folder, parent) as heart,
            tracked(folder, plan),
            repeatable(plan.threads),
        ):
            return _run(folder, plan, heart)


def finished(folder: Path) -> dict[str, Any] | None:
    """The result of a run that has one, with its adapter read again; else None."""
    result = read_json(folder / "result.json")
    if result is None:
        return None
    adapter = load_adapter(folder / "adapter.safetensors")
    if adapter.sha256 != result.get("adapter_sha256"):
        raise IntegrityError(f"{folder / 'adapter.safetensors'} is not the file that was trained.")
    return result


@dataclass(frozen=True, slots=True)
class Ready:
    """What a run has before its first step: the base, and everything about its pictures."""

    base: Base
    moments: Tensors
    prompts: Tensors
    unconditional: torch.Tensor


def _run(folder: Path, plan: RunPlan, heart: Heartbeat) -> dict[str, Any]:
    started = time.monotonic()
    ready = _prepare(folder, plan)
    at, resumed_from = _fit(folder, plan, ready, heart)
    _check_exposures(plan, at)
    result = {
        **_evidence(plan, ready),
        **_save(folder, plan, ready.base),
        **_figures(plan, ready.base, at),
        "resumed_from": resumed_from,
        "seconds": round(time.monotonic() - started, 3),
    }
    write_json(folder / "result.json", result)
    return result


def _prepare(folder: Path, plan: RunPlan) -> Ready:
    base = load_base(Path(plan.base), expect=plan.base_sha256)
    cache = Path(plan.cache) if plan.cache else folder / "cache"
    everyone = (*plan.members, *plan.held_out)
    moments = latent_moments(base, everyone, cache, flip=plan.recipe.flip)
    captions = {trainee.picture: caption_of(trainee, plan.recipe) for trainee in everyone}
    embeddings = prompt_embeddings(base, {"", *captions.values()}, cache)
    prompts = {picture: embeddings[caption] for picture, caption in captions.items()}
    return Ready(base, moments, prompts, embeddings[""])


def _fit(
    folder: Path, plan: RunPlan, ready: Ready, heart: Heartbeat
) -> tuple[Position, int | None]:
    """The loop: from the newest checkpoint to the last step; the step it continued from."""
    recipe, digest = plan.recipe, plan.digest()
    objective = Objective(ready.base, recipe.min_snr_gamma)
    parameters = attach_recipe(ready.base.unet, recipe, plan.seed)
    optimizer = torch.optim.AdamW(
        parameters,
        betas=(recipe.beta1, recipe.beta2),
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    at = checkpoint.restore(folder, ready.base.unet, optimizer, digest)
    resumed_from, log = at.step or None, Log(folder, at.step)
    for step in range(at.step, recipe.steps):
        raise_if_asked_to_stop(folder)
        begun = time.monotonic()
        slots = slots_for(plan, step, objective.timesteps)
        loss = slots_loss(objective, slots, ready)
        norm = improve(loss, parameters, optimizer, rate=recipe.rate(step), clip=recipe.clip_norm)
        at.shown.update(slot.picture for slot in slots)
        at.step, at.seconds = step + 1, at.seconds + time.monotonic() - begun
        heart.step = at.step
        log.write(step=step, loss=loss.item(), lr=recipe.rate(step), norm=norm)
        if at.step % recipe.checkpoint_every == 0 or at.step == recipe.steps:
            checkpoint.save(folder, ready.base.unet, optimizer, at, digest)
    return at, resumed_from


def improve(
    loss: torch.Tensor,
    parameters: Sequence[torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    *,
    rate: float,
    clip: float,
) -> float:
    """One step of the optimiser; the gradient's norm before clipping.

    Raises RunFailed, with the weights unchanged, when loss or gradient are not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        raise RunFailed(
            "The loss stopped being finite; the run has failed and no adapter was written.",
            hint="Try a lower rate: picdeed train SNAPSHOT --base BASE --set learning_rate=...",
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return norm.item()


def slots_for(plan: RunPlan, step: int, timesteps: int) -> tuple[Slot, ...]:
    """The slots of one step of a plan."""
    recipe = plan.recipe
    return slots_of(
        step,
        [trainee.picture for trainee in plan.members],
        seed=plan.seed,
        batch=recipe.batch,
        timesteps=timesteps,
        flip=recipe.flip,
        caption_dropout=recipe.caption_dropout,
        copies=plan.drawn_as_one,
    )


def slots_loss(objective: Objective, slots: Sequence[Slot], ready: Ready) -> torch.Tensor:
    """Weighted mean loss of one step; latent and noise are drawn from each slot's own seed."""
    latents, noises, texts = [], [], []
    for slot in slots:
        mean, deviation = ready.moments[slot.picture][int(slot.flip)]
        generator = torch.Generator().manual_seed(slot.noise_seed)
        latents.append(mean + deviation * torch.randn(mean.shape, generator=generator))
        noises.append(torch.randn(mean.shape, generator=generator))
        texts.append(ready.unconditional if slot.drop_caption else ready.prompts[slot.picture])
    timesteps = torch.tensor([slot.timestep for slot in slots])
    losses = objective.losses(
        torch.stack(latents), torch.stack(noises), timesteps, torch.stack(texts)
    )
    return (losses * objective.weights(timesteps)).mean()


def caption_of(trainee: Trainee, recipe: Recipe) -> str:
    """The caption as trained; without a caption of its own a picture trains unconditionally."""
    own = trainee.caption.strip()
    return f"{recipe.caption_prefix}{own}{recipe.caption_suffix}" if own else ""


def _check_exposures(plan: RunPlan, at: Position) -> None:
    pictures = [trainee.picture for trainee in plan.members]
    planned = exposures(
        pictures,
        seed=plan.seed,
        steps=plan.recipe.steps,
        batch=plan.recipe.batch,
        copies=plan.drawn_as_one,
    )
    if Counter(planned) != at.shown:
        raise RunFailed("The pictures that were shown are not those that the plan names.")


def _evidence(plan: RunPlan, ready: Ready) -> dict[str, Any]:
    reason = plan.why_nobody()
    if reason is not None:
        return {"loss": None, "loss_reason": reason}
    names = plan.measured
    found = evidence.measure(
        ready.base,
        {name: ready.moments[name] for name in names},
        {name: ready.prompts[name] for name in names},
        timesteps=plan.recipe.eval_timesteps,
        noises=plan.recipe.eval_noises,
    )
    return {"loss": found.document(), "loss_reason": None}


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
    )
    name, digest = save_adapter(folder / "adapter.safetensors", base.unet, plan.recipe, papers)
    return {"adapter_id": name, "adapter_sha256": digest}


def _figures(plan: RunPlan, base: Base, at: Position) -> dict[str, Any]:
    worth = effective(weights([t.picture for t in plan.members], plan.drawn_as_one), plan.kin)
    return {
        "schema": SCHEMA,
        "run": plan.run,
        "steps": at.step,
        "batch": plan.recipe.batch,
        "steps_per_second": round(at.step / at.seconds, 4) if at.seconds else 0.0,
        "exposure": {t.picture: at.shown[t.picture] for t in plan.members},
        "held_out": [trainee.picture for trainee in plan.held_out],
        "distinct_pictures": worth.distinct,
        "effective_pictures": worth.pictures,
        "kin_groups": len(plan.kin),
        "without_caption": sum(not t.caption.strip() for t in plan.members),
        "threads": plan.threads,
        "device": base.device.type,
        **environment(base.device),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 with `result.json`, 1 with `error.json`, 130 when interrupted.

    STOPPED with `error.json` when somebody asked it to stop.
    """
    parser = argparse.ArgumentParser(prog="python -m picdeed.diffusion.train")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parent", type=int, help="end when this process id is no longer ours")
    given = parser.parse_args(arguments)
    folder: Path = given.folder
    try:
        train(folder, parent=given.parent)
    except KeyboardInterrupt:
        return 130
    except (PicdeedError, RuntimeError, OSError, MemoryError) as error:
        hint = error.hint if isinstance(error, PicdeedError) else ""
        message = str(error) or type(error).__name__
        sys.stderr.write(f"{type(error).__name__}: {message}\n")
        # Whoever finds the folder taken must not mark the other's run as failed.
        if folder.is_dir() and not isinstance(error, BusyError):
            write_json(
                folder / "error.json",
                {"error": type(error).__name__, "message": message, "hint": hint},
            )
        return STOPPED if isinstance(error, Stopped) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
