"""How does a picture come out of static, step by step?

The picture is drawn by `sample.draw` as ever; a hook on the UNet only looks at what it is shown and
what it says, so that looking changes nothing.
"""

from __future__ import annotations

import contextlib
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from picdeed.core.events import Progress, silent
from picdeed.diffusion.guidance import ALWAYS, USUAL, Interval
from picdeed.diffusion.inside.forward import Forward
from picdeed.diffusion.inside.latents import decoded
from picdeed.diffusion.inside.views import Denoised, Step
from picdeed.diffusion.models import Base
from picdeed.diffusion.sample import draw
from picdeed.diffusion.samplers import Sampler


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the UNet: the noisy latents [1, c, h, w] that it was shown at a time, and what
    was said about them, with guidance where there is any."""

    time: float
    noisy: torch.Tensor
    said: torch.Tensor


def denoised(
    base: Base,
    prompt: str,
    seed: int,
    *,
    steps: int = 20,
    guidance: float = USUAL,
    interval: Interval = ALWAYS,
    sampler: Sampler = Sampler.DDIM,
    progress: Progress = silent,
) -> Denoised:
    """Each step's noisy latents and the clean ones that the UNet expected, both decoded."""
    began = clock.process_time()
    forward = Forward(base)
    with watched(base.network, guidance) as calls:
        (picture,) = draw(
            base, [prompt], [seed], steps=steps, guidance=guidance, interval=interval,
            sampler=sampler,
        )  # fmt: skip
    seen = []
    for done, call in enumerate(calls):
        progress("decode", done, len(calls))
        clean = forward.expected(call.noisy, call.said, call.time)
        shares = forward.shares(call.time)
        seen.append(Step(call.time, *shares, decoded(base, call.noisy), decoded(base, clean)))
    progress("decode", len(calls), len(calls))
    return Denoised(tuple(seen), picture, clock.process_time() - began)


@contextlib.contextmanager
def watched(unet: Any, guidance: float) -> Iterator[list[Call]]:
    """The calls of a UNet while one picture is drawn with it, in their order.

    With guidance the pipeline asks without and with the prompt in one call, in this order.
    """
    calls: list[Call] = []

    def note(_: Any, given: tuple[Any, ...], told: tuple[torch.Tensor, ...]) -> None:
        noisy, time = given[:2]
        said = told[0]
        if len(said) == 2:
            without, prompted = said.chunk(2)
            said = without + guidance * (prompted - without)
        calls.append(Call(float(time), noisy[:1].clone(), said.clone()))

    hook = unet.register_forward_hook(note)
    try:
        yield calls
    finally:
        hook.remove()
