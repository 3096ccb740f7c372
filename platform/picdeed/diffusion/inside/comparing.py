"""What do guidance, sampler and steps do to one and the same noise?"""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from typing import Any

from PIL import Image

from picdeed.core.events import Progress, silent
from picdeed.diffusion.guidance import ALWAYS, USUAL, Interval
from picdeed.diffusion.inside.views import Guided, Sampled, apart
from picdeed.diffusion.models import Base
from picdeed.diffusion.sample import draw
from picdeed.diffusion.samplers import Sampler


def guided(
    base: Base,
    prompt: str,
    seed: int,
    guidances: Sequence[float],
    *,
    steps: int = 20,
    interval: Interval = ALWAYS,
    sampler: Sampler = Sampler.DDIM,
    progress: Progress = silent,
) -> tuple[Guided, ...]:
    """One seed under each guidance w: `v = v(nothing) + w (v(prompt) - v(nothing))`.

    Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598); 1 is the prompt alone.
    """
    made = []
    for done, guidance in enumerate(guidances):
        progress("generate", done, len(guidances))
        picture, seconds = _timed(
            base, prompt, seed, steps=steps, guidance=guidance, interval=interval, sampler=sampler
        )
        made.append(Guided(guidance, picture, seconds))
    progress("generate", len(guidances), len(guidances))
    return tuple(made)


def sampled_by(
    base: Base,
    prompt: str,
    seed: int,
    samplers: Sequence[Sampler],
    steps: Sequence[int],
    *,
    guidance: float = USUAL,
    interval: Interval = ALWAYS,
    progress: Progress = silent,
) -> tuple[Sampled, ...]:
    """One seed by each sampler in each number of steps; sampler by sampler, in the order given."""
    total, done = len(samplers) * sum(steps), 0
    made = []
    for sampler in samplers:
        drawn = {}
        for n in steps:
            progress("generate", done, total)
            drawn[n] = _timed(
                base, prompt, seed, steps=n, guidance=guidance, interval=interval, sampler=sampler
            )
            done += n
        finest = drawn[max(steps)][0]
        made += [
            Sampled(str(sampler), n, picture, apart(picture, finest), seconds)
            for n, (picture, seconds) in drawn.items()
        ]
    progress("generate", total, total)
    return tuple(made)


def _timed(base: Base, prompt: str, seed: int, **how: Any) -> tuple[Image.Image, float]:
    began = clock.process_time()
    (picture,) = draw(base, [prompt], [seed], **how)
    return picture, clock.process_time() - began
