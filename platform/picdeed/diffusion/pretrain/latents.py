"""Which pictures does the denoiser learn? Many of each glyph, made and encoded once, kept on disk.

They are encoded in parts, each a file of its own: a kill loses the part that was being made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor

from picdeed.core.errors import TimeOver
from picdeed.core.events import Progress
from picdeed.diffusion.pretrain import autoencoder, compose
from picdeed.diffusion.pretrain.feed import feed
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture
from picdeed.diffusion.pretrain.step import Worker

FILE = "latents.safetensors"
_GLYPHS = 20  # of a part
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Latents:
    """Encoded variants: values (n, 8, 16, 16), normalised, half precision, and each one's picture,
    tint and what is behind it (`names_of`). `mean` and `width` (8,) undo the normalisation.
    """

    values: Tensor
    picture: Tensor
    tint: Tensor
    behind: Tensor
    mean: Tensor
    width: Tensor


def names_of(recipe: Recipe) -> tuple[list[str], list[str]]:
    """What the numbers of `Latents.tint` and `Latents.behind` mean."""
    return ["", *recipe.colours], ["white", *recipe.colours, *recipe.places]


def cached(work: Path) -> Latents:
    """What `join` left in `work`."""
    return Latents(**load_file(work / FILE))


def encode(
    recipe: Recipe,
    pictures: Sequence[TrainingPicture],
    work: Path,
    *,
    worker: Worker,
    progress: Progress,
) -> None:
    """One worker's share of the parts, which are left in `work`. Raises TimeOver between two."""
    model = autoencoder.trained(recipe, work).to(worker.device)
    parts = _parts(pictures, work)
    own = [part for part in parts[worker.rank :: worker.count] if not part[0].is_file()]
    glyphs = [glyph for _, some in own for glyph in some]
    sheets = feed(lambda glyph: (_sheets(recipe, pictures, glyph),), glyphs, worker.device)
    for place, (path, some) in enumerate(own):
        if worker.rank == 0:
            progress("latents", place, len(own))
            if worker.late:
                raise TimeOver(f"latents: the time is over after part {place}; they are stored.")
        values = [_encoded(recipe, model, *next(sheets)) for _ in some]
        _write(_columns(recipe, pictures, some) | {"values": torch.cat(values)}, path)


def join(pictures: Sequence[TrainingPicture], work: Path) -> None:
    """All parts as one normalised file, and the parts gone."""
    paths = [path for path, _ in _parts(pictures, work)]
    parts = [load_file(path) for path in paths]
    tensors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    found = tensors["values"]
    mean, width = found.mean((0, 2, 3)), found.std((0, 2, 3))
    normal = (found - mean[:, None, None]) / width[:, None, None]
    _write(tensors | {"values": normal.half(), "mean": mean, "width": width}, work / FILE)
    for path in paths:
        path.unlink()


def _parts(pictures: Sequence[TrainingPicture], work: Path) -> list[tuple[Path, list[int]]]:
    glyphs = [number for number, picture in enumerate(pictures) if picture.concept]
    starts = range(0, len(glyphs), _GLYPHS)
    return [(work / f"latents-{at:05}.safetensors", glyphs[at : at + _GLYPHS]) for at in starts]


def _variants(
    recipe: Recipe, pictures: Sequence[TrainingPicture], glyph: int
) -> Iterator[tuple[compose.Variant, np.random.Generator | None]]:
    """How each picture of a glyph is made, the first as it was drawn."""
    yield compose.AS_DRAWN, None
    for place in range(1, recipe.denoiser.variants):
        numbers = compose.stream(recipe.seed, compose.LATENTS, glyph, place)
        yield compose.variant(recipe, pictures[glyph].concept, numbers), numbers


def _sheets(recipe: Recipe, pictures: Sequence[TrainingPicture], glyph: int) -> Tensor:
    """The pictures of a glyph: float32 (variants, 3, side, side)."""
    drawn = compose.load([pictures[glyph]], recipe.side)[0]
    shown = [
        compose.shown(drawn, how, recipe, numbers)
        for how, numbers in _variants(recipe, pictures, glyph)
    ]
    return torch.from_numpy(np.stack(shown))


@torch.no_grad()
def _encoded(recipe: Recipe, model: AutoencoderKL, sheets: Tensor) -> Tensor:
    half = recipe.denoiser.schedule.precision == "bf16"
    values = []
    for some in torch.split(sheets, _AT_ONCE):
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=half):
            moments = model.quant_conv(model.encoder(some))
        values.append(moments.float().chunk(2, dim=1)[0].cpu())
    return torch.cat(values)


def _columns(
    recipe: Recipe, pictures: Sequence[TrainingPicture], glyphs: Sequence[int]
) -> dict[str, Tensor]:
    tints, behind = names_of(recipe)
    rows = [
        (glyph, tints.index(how.tint), behind.index(how.behind))
        for glyph in glyphs
        for how, _ in _variants(recipe, pictures, glyph)
    ]
    columns = (torch.tensor(column) for column in zip(*rows, strict=True))
    return dict(zip(("picture", "tint", "behind"), columns, strict=True))


def _write(tensors: dict[str, Tensor], path: Path) -> None:
    # Renamed into place: a kill while writing leaves no half file.
    beside = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in tensors.items()}, beside)
    beside.replace(path)
