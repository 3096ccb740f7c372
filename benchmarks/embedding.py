"""Would an embedding propose copies that codes and corners miss? The embedded base's own, or yours.

    python benchmarks/embedding.py --photos FOLDER [--pictures 150] [--model FOLDER]

FOLDER holds pictures of any kind, each once (none are shipped). Of some of them hard edits are
made (crops, sheets, screenshots, overlays). Two things are asked of every embedding: which edits
lie near their original, at the threshold that proposes one in ten thousand of the unrelated pairs,
and at one in a million; and which of these codes (49 bits, eight turns, trimmed) and corners (four
votes, mirrored too) do not propose already. Only what the pixels then join is worth anything, so
that stands beside it.

The embedded base is asked with the mean of the VAE's latent of the picture at 128 x 128 pixels,
less the mean of all pictures: flattened, by its cosine and by its signs; averaged to 4 x 4 places,
by its cosine, and whitened. Mean and whitening come from a third of the pictures that take no other
part. `--model` asks a local folder of weights instead, as `picdeed dedup --embedding` takes it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from picture_edits import edits

from picdeed.core.resources import bundled
from picdeed.diffusion.data import pixels
from picdeed.diffusion.embedding import open_embedder
from picdeed.diffusion.models import load_base
from picdeed.imaging.codes import code_of, variants
from picdeed.imaging.decode import flatten
from picdeed.imaging.local import both_ways
from picdeed.imaging.verify import PairKind, compare, look
from picdeed.imaging.votes import candidates_between

RADIUS = 49
SHARES = (1e-4, 1e-6)  # of the unrelated pairs
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
JOINED = (PairKind.SAME_PIXELS, PairKind.NEAR, PairKind.CROP_OF, PairKind.CONTAINS)
HARD = (
    "crop: 5 %", "crop: 10 %", "crop: 20 %", "crop: 30 %", "crop: 50 %", "turn: 5 degrees",
    "mirror: left-right", "text: 12 %", "logo: 30 %", "watermark: all over", "border: 10 % white",
    "mixed: meme", "mixed: social", "mixed: mirror, crop 10 %", "screenshot: 95 %",
    "screenshot: 60 %", "collage: a quarter",
)  # fmt: skip

Floats = np.ndarray
Encode = Callable[[list[Image.Image]], dict[str, Floats]]


@dataclass
class Found:
    """Of edits x pictures: whether each way proposes the edit's original, and what pixels say."""

    code: np.ndarray
    corners: np.ndarray
    joins: Callable[[int], bool]


def latents(base_folder: Path) -> Encode:
    """The embedded base: what its VAE makes of a picture, whole and averaged to 4 x 4 places."""
    base = load_base(base_folder)

    @torch.no_grad()
    def encode(images: list[Image.Image]) -> dict[str, Floats]:
        whole, coarse = [], []
        for image in images:
            side = base.facts.size
            small = pixels(image.resize((side, side), Image.Resampling.LANCZOS))
            mean = base.vae.encode(small[None]).latent_dist.mean
            whole.append(mean[0].flatten().numpy())
            coarse.append(torch.nn.functional.adaptive_avg_pool2d(mean, 4)[0].flatten().numpy())
        return {"latent": np.stack(whole), "latent 4x4": np.stack(coarse)}

    return encode


def model(folder: Path) -> Encode:
    """A model of the user's."""
    embedder = open_embedder(folder)
    print(f"{embedder.algorithm}, {embedder.numbers} numbers")
    return lambda images: {embedder.model: embedder.embed(images)}


def asked(
    made: Encode, aside: list[Image.Image], originals: list[Image.Image], edited: list[Image.Image]
) -> dict[str, Floats]:
    """By name, the nearness of every edit to every original: float32[edits, originals]."""
    first, base, other = made(aside), made(originals), made(edited)
    found = {}
    for name, vectors in base.items():
        if not name.startswith("latent"):
            found[name] = other[name] @ vectors.T
            continue
        middle = first[name].mean(0)
        left, right = other[name] - middle, vectors - middle
        found[f"{name} cosine"] = unit(left) @ unit(right).T
        if name == "latent":
            found[f"{name} signs"] = np.sign(left) @ np.sign(right).T / left.shape[1]
        else:
            to = whitening(first[name] - middle)
            found[f"{name} white"] = unit(left @ to) @ unit(right @ to).T
    return found


def whitening(vectors: Floats) -> Floats:
    """What makes the covariance of these vectors even, faint directions held down."""
    values, axes = np.linalg.eigh(np.cov(vectors.T))
    return axes / np.sqrt(values + 0.01 * values.mean())


def unit(vectors: Floats) -> Floats:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)


def known(originals: list[Image.Image], edited: list[Image.Image], own: np.ndarray) -> Found:
    """What codes, corners and pixels say of every edit and its own original."""
    codes = [whole_codes(image) for image in originals]
    code = np.array([
        np.bitwise_count(whole_codes(image).reshape(-1, 1, 4) ^ codes[at][:, 0][None])
        .sum(-1).min() <= RADIUS
        for image, at in zip(edited, own, strict=True)
    ])  # fmt: skip
    base = [both_ways(image)[0] for image in originals]
    marks = [both_ways(image) for image in edited]
    pairs = {
        (i, j)
        for side in (0, 1)
        for i, j in candidates_between([one[side] for one in marks], base).tolist()
    }
    corners = np.array([(i, int(at)) in pairs for i, at in enumerate(own)])
    looks = [look(image) for image in originals]

    @cache
    def joins(at: int) -> bool:
        return compare(look(edited[at]), looks[own[at]]).kind in JOINED

    return Found(code, corners, joins)


def whole_codes(image: Image.Image) -> np.ndarray:
    """uint64[k, 8, 4]: as it is and trimmed, in eight turns."""
    code = code_of(image)
    spectra = [code.coefficients]
    if code.trimmed_coefficients is not None:
        spectra.append(code.trimmed_coefficients)
    return variants(np.stack(spectra))


def opened(path: Path) -> Image.Image:
    """As RGB, at most 512 pixels wide or high."""
    image = flatten(Image.open(path).convert("RGBA"))
    image.thumbnail((512, 512), Image.Resampling.LANCZOS)
    return image


def measure(chosen: argparse.Namespace) -> None:
    paths = [p for p in sorted(chosen.photos.iterdir()) if p.suffix.lower() in SUFFIXES]
    random.Random(1).shuffle(paths)
    everyone = [opened(path) for path in paths[: chosen.among]]
    aside, originals = everyone[: len(everyone) // 3], everyone[len(everyone) // 3 :]
    some = min(chosen.pictures, len(originals))
    names = [name for name in edits() if name in HARD]
    edited = [edits()[name](image) for name in names for image in originals[:some]]
    own = np.tile(np.arange(some), len(names))
    print(
        f"{len(names)} edits of {some} pictures among {len(originals)}, {len(aside)} aside, seed 1"
    )
    started = time.process_time()
    found = known(originals[:some], edited, own)
    print(f"codes, corners, pixels: {time.process_time() - started:.0f} s CPU")
    started = time.process_time()
    made = model(chosen.model) if chosen.model else latents(bundled("models") / "sprig")
    near = asked(made, aside, originals, edited)
    print(f"embeddings: {time.process_time() - started:.0f} s CPU")
    mine = np.zeros((len(edited), len(originals)), dtype=bool)
    mine[np.arange(len(edited)), own] = True
    for share in SHARES:
        proposed = {}
        print(f"\nat most {share:g} of {(~mine).sum():,} unrelated pairs are proposed")
        for name, values in near.items():
            strangers = np.sort(values[~mine])
            least = strangers[-1 - int(share * len(strangers))]
            proposed[name] = values[mine] > least
            print(f"   {name}: above {least:.3f}")
        table(names, some, found, proposed)


def table(names: list[str], some: int, found: Found, proposed: dict[str, np.ndarray]) -> None:
    """Recall by edit. Of the embedding that adds most: what it adds to codes and corners, what
    pixels join of that, and what they join of what it adds to codes alone."""
    both = found.code | found.corners
    best = max(proposed, key=lambda name: (proposed[name] & ~found.code).sum())
    joined = np.zeros(len(both), dtype=bool)
    for at in np.flatnonzero(proposed[best] & ~found.code):
        joined[at] = found.joins(int(at))
    columns = {"codes": found.code, "corners": found.corners, "both": both, **proposed}
    columns["adds to both"] = proposed[best] & ~both
    columns["and joins"] = joined & ~both
    columns["joins beside codes"] = joined
    print(f"{'edit':25s}" + "".join(f"{name:>{len(name) + 3}s}" for name in columns))
    for name in (*names, "mean"):
        at = names.index(name) * some if name != "mean" else 0
        rows = slice(at, at + some if name != "mean" else None)
        told = "".join(f"{one[rows].mean():{len(name) + 3}.3f}" for name, one in columns.items())
        print(f"{name:25s}{told}")
    print(f"   (adds: {best})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--pictures", type=int, default=150, help="of which edits are made")
    parser.add_argument("--among", type=int, default=1000, help="pictures in all")
    parser.add_argument("--model", type=Path, help="a local folder of weights")
    chosen = parser.parse_args()
    if chosen.photos is None:
        print("no --photos FOLDER: nothing to measure")
        return
    measure(chosen)


if __name__ == "__main__":
    main()
