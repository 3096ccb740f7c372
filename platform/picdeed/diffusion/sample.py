"""How is a picture drawn so that its seed alone decides it?

Pictures are drawn one by one: a convolution over a larger batch rounds differently, and the same
seed would give another picture in other company.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from picdeed.core.errors import RunFailed, UsageError
from picdeed.core.events import Progress, silent
from picdeed.diffusion.devices import quiet, repeatable, threads_for
from picdeed.diffusion.guidance import ALWAYS, MOST, USUAL, Interval, guided_within
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import Base, load_base
from picdeed.diffusion.samplers import LABELS, Sampler, parse_sampler
from picdeed.diffusion.worn import put_on


@dataclass(frozen=True, slots=True)
class Asked:
    """How each picture of a request is drawn."""

    steps: int
    guidance: float
    interval: Interval


def generate(
    base: Path,
    adapter: Path | None,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = 20,
    guidance: float = USUAL,
    interval: Interval = ALWAYS,
    sampler: str = "ddim",
    threads: int | None = None,
    base_sha256: str | None = None,
    progress: Progress = silent,
) -> list[Image.Image]:
    """One RGB picture of the base's size for each (prompt, seed).

    Raises UsageError on a bad request, base or adapter, IntegrityError when the base is not
    `base_sha256`, RunFailed when the model gives values that are not finite.
    """
    _check_request(prompts, seeds, steps, guidance, interval)
    chosen = parse_sampler(sampler)
    loaded = load_base(base, expect=base_sha256)
    with repeatable(threads or threads_for(loaded.facts.parameters)):
        if adapter is not None:
            read = load_adapter(adapter)
            if read.base_sha256 and read.base_sha256 != loaded.facts.sha256:
                raise UsageError(
                    f"The adapter {read.id[:16]} was trained on another base than {base}.",
                    hint="Name the base that its run used.",
                )
            put_on(loaded, read)
        return draw(
            loaded,
            prompts,
            seeds,
            steps=steps,
            guidance=guidance,
            interval=interval,
            sampler=chosen,
            progress=progress,
        )


def draw(
    base: Base,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = 20,
    guidance: float = USUAL,
    interval: Interval = ALWAYS,
    sampler: Sampler = Sampler.DDIM,
    progress: Progress = silent,
) -> list[Image.Image]:
    """Like `generate`, with a loaded base and whatever adapter is on it."""
    _check_request(prompts, seeds, steps, guidance, interval)
    asked = Asked(steps, guidance, interval)
    pipeline = _pipeline(base, sampler, interval)
    drawn = []
    for done, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
        progress("generate", done, len(prompts))
        values = _drawn(pipeline, base, prompt, seed, asked, output="pt")
        if not bool(torch.isfinite(values).all()):
            raise RunFailed(f"Seed {seed} gave a picture that is not finite; nothing was kept.")
        drawn.append(image_of(values[0]))
    progress("generate", len(prompts), len(prompts))
    return drawn


def draw_latents(
    base: Base,
    prompt: str,
    seed: int,
    *,
    steps: int,
    guidance: float,
    interval: Interval = ALWAYS,
    sampler: Sampler,
) -> torch.Tensor:
    """float32 [channels, height, width] on the CPU: in what the same request of `draw` ended before
    it was decoded, scaled as the network knows latents."""
    _check_request([prompt], [seed], steps, guidance, interval)
    asked = Asked(steps, guidance, interval)
    found = _drawn(_pipeline(base, sampler, interval), base, prompt, seed, asked, output="latent")
    return base.family.unpacked(base, found)[0].float().cpu().contiguous()


def _drawn(
    pipeline: Any, base: Base, prompt: str, seed: int, asked: Asked, *, output: str
) -> torch.Tensor:
    with guided_within(base.network, asked.interval, steps=asked.steps, pictures=1):
        found: torch.Tensor = pipeline(
            prompt,
            num_inference_steps=asked.steps,
            guidance_scale=asked.guidance,
            # Always the CPU's generator: its numbers are the same on every device.
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type=output,
            **base.family.asked(base),
        ).images
    return found


def _pipeline(base: Base, sampler: Sampler, interval: Interval = ALWAYS) -> Any:
    quiet()
    if interval != ALWAYS and base.family.sides == 1:
        raise UsageError(
            f"{base.facts.name} has learned its guidance and is told it in every step: it cannot "
            "be guided in some of them only; nothing was drawn.",
            hint="Leave --guidance-start and --guidance-stop out.",
        )
    known = base.family.samplers(base.facts.prediction)
    if sampler not in known:
        raise UsageError(
            f"{base.facts.name} learned a rectified flow, which {LABELS[sampler]} cannot follow; "
            "nothing was drawn.",
            hint=f"Choose --sampler {' or '.join(known)}.",
        )
    pipeline = base.family.pipeline(base, known[sampler].from_config(dict(base.scheduler)))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def image_of(values: torch.Tensor) -> Image.Image:
    """An RGB image of float [3, height, width] in [0, 1]."""
    whole = (values.float().cpu() * 255).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(whole.permute(1, 2, 0).contiguous().numpy())


def _check_request(
    prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance: float, interval: Interval
) -> None:
    if len(prompts) != len(seeds):
        raise UsageError(f"{len(prompts)} prompts and {len(seeds)} seeds do not pair up.")
    if not 1 <= steps <= 1000:
        raise UsageError(f"{steps} steps cannot be sampled; 1 to 1000 can.")
    if not 0 <= guidance <= MOST:
        raise UsageError(f"Guidance {guidance} is outside 0 to {MOST}.")
    interval.require()
    for seed in seeds:
        if not 0 <= seed < 1 << 63:
            raise UsageError(f"Seed {seed} is outside 0 to 2^63 - 1.")
