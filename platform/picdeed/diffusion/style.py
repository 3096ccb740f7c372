"""How colourful, how dark, how edgy are pictures? Plain numbers that tell a print from a drawing.

They say nothing about content and need no downloaded encoder; show them beside the same numbers
of real pictures and of the base's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

_DARK = 0.25
_EDGE = 0.25
_GROUND = 0.12


@dataclass(frozen=True, slots=True)
class Style:
    """Means over pictures, each in [0, 1].

    `chroma`: largest minus smallest of R, G, B, over what stands out from the border's colour
    (everything, when nothing does). `dark`: share of all pixels with luma below 0.25. `edges`:
    share of neighbouring pixels whose luma differs by more than 0.25. `ink`: share of what
    stands out that is dark.
    """

    chroma: float
    dark: float
    edges: float
    ink: float


def style_of(images: Iterable[Image.Image]) -> Style:
    """The mean style of at least one RGB picture."""
    rows = [_one(image) for image in images]
    if not rows:
        raise ValueError("style needs at least one picture")
    return Style(*(float(value) for value in np.mean(rows, axis=0)))


def _one(image: Image.Image) -> tuple[float, float, float, float]:
    rgb = np.asarray(image.convert("RGB"), dtype=np.float64) / 255.0
    luma = rgb @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    stands_out = np.abs(rgb - np.median(border, axis=0)).max(axis=2) > _GROUND
    if not stands_out.any():
        stands_out[:] = True
    chroma = rgb.max(axis=2) - rgb.min(axis=2)
    edges = np.concatenate(
        [np.abs(np.diff(luma, axis=0)).ravel(), np.abs(np.diff(luma, axis=1)).ravel()]
    )
    return (
        float(chroma[stands_out].mean()),
        float((luma < _DARK).mean()),
        float((edges > _EDGE).mean()),
        float((luma[stands_out] < _DARK).mean()),
    )
