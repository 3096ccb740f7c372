"""How near do the base's pictures come to the glyphs that it learned from?

    python benchmarks/base_copies.py --pictures FOLDER --base models/sprig

Distances are root mean squares between normalised latents (1.4 for two unrelated ones of width
1), of pictures on white, mirrored ones counted too. The yardstick is how near two depictions of
one thing come to each other: a painted picture far below it would be a copy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from base_judge import paint
from diffusers import AutoencoderKL
from torch import Tensor

from picdeed.core.resources import bundled
from picdeed.diffusion.pretrain import compose
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain.run import from_folder


@torch.no_grad()
def latents(model: AutoencoderKL, pictures: Tensor) -> Tensor:
    """(n, 3, side, side) in -1..1 to the posterior means, flat."""
    found: Tensor = model.encode(pictures).latent_dist.mode()
    return found.flatten(1)


def apart(some: Tensor, others: Tensor) -> Tensor:
    """Root mean square of each pair: (a, values) and (b, values) to (a, b)."""
    return (some[:, None] - others[None]).square().mean(-1).sqrt()


def main(arguments: Sequence[str]) -> int:
    """Parses, paints one picture a concept and seed, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=Path("models/sprig"))
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    model = AutoencoderKL.from_pretrained(given.base / "vae").float().eval()
    glyphs = [picture for picture in from_folder(given.pictures) if picture.concept]
    stack = compose.load(glyphs, recipe.side)
    flat = torch.from_numpy(np.stack([compose.over(rgba, (255, 255, 255)) for rgba in stack]))
    known, mirrored = latents(model, flat), latents(model, flat.flip(-1))
    between, copied = [], []
    seeds = (11, 12)
    painted = {seed: latents(model, paint(given.base, recipe.concepts, seed)) for seed in seeds}
    for place, word in enumerate(recipe.concepts):
        own = [row for row, glyph in enumerate(glyphs) if glyph.concept == word]
        pairs = torch.minimum(apart(known[own], known[own]), apart(known[own], mirrored[own]))
        if len(own) > 1:
            pairs.fill_diagonal_(9.0)
            between += pairs.min(1).values.tolist()
        for seed in seeds:
            both = torch.cat([known[own], mirrored[own]])
            copied.append(float(apart(painted[seed][place : place + 1], both).min()))
    for what, values in (("a glyph to the nearest other", between), ("painted to glyph", copied)):
        low, middle, high = np.quantile(values, (0, 0.5, 1))
        print(f"{what}: least {low:.2f}, median {middle:.2f}, most {high:.2f} (n={len(values)})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
