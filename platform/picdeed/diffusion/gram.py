"""What textures do pictures have, in the eyes of the base's own autoencoder? Gram matrices.

Correlations of features at one place, averaged over all places, tell strokes and grounds and no
subject (Gatys et al. 2015, arXiv 1508.06576). The encoder was trained to keep pictures, not to see
style: it needs no download, and is the weaker judge for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from picdeed.diffusion.data import pixels
from picdeed.diffusion.models import Base

Grams = tuple[torch.Tensor, ...]
"""One [channels, channels] of each of the encoder's blocks, float64."""


@torch.no_grad()
def grams_of(base: Base, images: Sequence[Image.Image]) -> Grams:
    """The mean over at least one RGB picture of the base's size."""
    blocks = list(base.vae.encoder.down_blocks)
    sums: list[torch.Tensor] = []
    for image in images:
        seen: list[torch.Tensor] = []
        hooks = [
            block.register_forward_hook(lambda _, __, out, seen=seen: seen.append(_gram(out)))
            for block in blocks
        ]
        try:
            base.vae.encode(pixels(image)[None].to(base.device))
        finally:
            for hook in hooks:
                hook.remove()
        sums = seen if not sums else [a + b for a, b in zip(sums, seen, strict=True)]
    if not sums:
        raise ValueError("Gram matrices need at least one picture")
    return tuple(total / len(images) for total in sums)


def grams_apart(one: Grams, other: Grams) -> float:
    """The mean over blocks of |A - B| / |B| (Frobenius); 0 is equal, `other` is the yardstick."""
    shares = [
        float((a - b).norm() / b.norm().clamp(min=1e-12)) for a, b in zip(one, other, strict=True)
    ]
    return sum(shares) / len(shares)


def _gram(out: torch.Tensor) -> torch.Tensor:
    features = out[0].flatten(1).double().cpu()
    return features @ features.T / features.shape[1]
