"""What does each channel of the latents hold, and what is lost without it?

The autoencoder (Kingma and Welling 2013, arXiv 1312.6114) keeps a picture in far fewer numbers, and
the diffusion happens among these (Rombach et al. 2022, arXiv 2112.10752).
"""

from __future__ import annotations

import time as clock

import numpy as np
import torch
from PIL import Image

from picdeed.core.errors import UsageError
from picdeed.core.events import Progress, silent
from picdeed.diffusion.inside.latents import decoded, encoded
from picdeed.diffusion.inside.views import Channel, Channels, apart
from picdeed.diffusion.models import Base

SPAN = 3.0
"""Latents are about as wide as the noise, so almost all lie within three deviations."""
_MOST = 10.0


def channels(
    base: Base, picture: Image.Image, *, factor: float = 0.0, progress: Progress = silent
) -> Channels:
    """Each channel as a grey map, and the decoding when it alone is multiplied by `factor`.

    0 takes a channel away, 1 changes nothing. Raises UsageError for a factor beyond -10 to 10.
    """
    if not -_MOST <= factor <= _MOST:
        raise UsageError(f"A factor of {factor} is outside -{_MOST:g} to {_MOST:g}.")
    began = clock.process_time()
    latents = encoded(base, picture)
    plain = decoded(base, latents)
    found = []
    count = latents.shape[1]
    for number in range(count):
        progress("decode", number, count)
        changed = latents.clone()
        changed[:, number] *= factor
        without = decoded(base, changed)
        values = latents[0, number]
        found.append(
            Channel(
                number,
                _grey(values, base.facts.size),
                float(values.mean()),
                float(values.std()),
                without,
                apart(without, plain),
            )
        )
    progress("decode", count, count)
    seconds = clock.process_time() - began
    return Channels(picture, plain, tuple(found), latents.shape[-1], factor, SPAN, seconds)


def _grey(values: torch.Tensor, size: int) -> Image.Image:
    """[height, width] as squares of grey, black -SPAN, white SPAN."""
    shades = ((values / SPAN + 1) * 127.5).round().clamp(0, 255).numpy().astype(np.uint8)
    return Image.fromarray(shades).convert("RGB").resize((size, size), Image.Resampling.NEAREST)
