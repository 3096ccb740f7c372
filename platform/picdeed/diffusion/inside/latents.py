"""How does a picture become latents, and latents a picture again?"""

from __future__ import annotations

import torch
from PIL import Image

from picdeed.diffusion.cache import encode
from picdeed.diffusion.data import fit, pixels
from picdeed.diffusion.models import Base
from picdeed.diffusion.sample import image_of


def encoded(base: Base, picture: Image.Image) -> torch.Tensor:
    """float32 [1, channels, height, width] on the CPU: the mean of what the encoder says.

    Scaled as the UNet knows it; the picture is fitted to the base's square as in training.
    """
    return encode(base, pixels(fit(picture, (base.facts.size, base.facts.size))))[:1]


@torch.no_grad()
def decoded(base: Base, latents: torch.Tensor) -> Image.Image:
    """The picture of latents [1, channels, height, width], as the pipeline decodes them."""
    config = base.vae.config
    plain = latents.to(base.device) / config.scaling_factor + (config.shift_factor or 0.0)
    values = base.vae.decode(plain, return_dict=False)[0]
    return image_of((values[0] * 0.5 + 0.5).clamp(0, 1))
