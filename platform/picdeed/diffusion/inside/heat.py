"""How does a map of numbers look, laid over its picture? No torch in here."""

from __future__ import annotations

import numpy as np
from PIL import Image

from picdeed.diffusion.inside.views import Floats

INK = (29, 26, 22)
_LEAST = 0.12  # of the picture shows everywhere, so that places can be told


def laid_over(picture: Image.Image, values: Floats) -> Image.Image:
    """RGB: the picture where the map [height, width] is largest, dark where it is least.

    Each map spans its own range, so that two maps tell where, not how much. A map that is the same
    everywhere shows the whole picture.
    """
    low, high = float(values.min()), float(values.max())
    span = high - low
    spread = (values - low) / span if span > 0 else np.ones_like(values)
    shades = Image.fromarray(np.round(255 * (_LEAST + (1 - _LEAST) * spread)).astype(np.uint8))
    mask = shades.resize(picture.size, Image.Resampling.BICUBIC)
    return Image.composite(picture, Image.new("RGB", picture.size, INK), mask)
