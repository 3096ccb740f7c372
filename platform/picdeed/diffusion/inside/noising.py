"""What becomes of a picture as noise is added to its latents?"""

from __future__ import annotations

import time as clock
from collections.abc import Sequence

import torch
from PIL import Image

from picdeed.core.events import Progress, silent
from picdeed.diffusion.inside.forward import Forward
from picdeed.diffusion.inside.latents import decoded, encoded
from picdeed.diffusion.inside.views import Mixed, Noised
from picdeed.diffusion.models import Base


def noised(
    base: Base,
    picture: Image.Image,
    times: Sequence[int],
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Noised:
    """The picture with one and the same noise, mixed as the base's schedule says at each time.

    Raises UsageError for a time outside of the schedule.
    """
    began = clock.process_time()
    forward = Forward(base)
    shares = [forward.shares(time) for time in times]
    latents = encoded(base, picture)
    # The CPU's generator, as in sample.py: its numbers are the same on every device.
    noise = torch.randn(latents.shape, generator=torch.Generator("cpu").manual_seed(seed))
    mixed = []
    for done, (time, (signal, rest)) in enumerate(zip(times, shares, strict=True)):
        progress("noise", done, len(times))
        seen = decoded(base, forward.mixed(latents, noise, time))
        mixed.append(Mixed(time, signal, rest, seen))
    progress("noise", len(times), len(times))
    return Noised(
        picture,
        decoded(base, latents),
        tuple(mixed),
        forward.signal,
        clock.process_time() - began,
    )
