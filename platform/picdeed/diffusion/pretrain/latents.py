"""Which pictures does the denoiser learn? Many of each glyph, made and encoded once, kept on disk.

They are encoded in parts, each a file of its own: a kill loses the part that was being made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor

from picdeed.core.events import Progress
from picdeed.diffusion.pretrain import autoencoder, compose
from picdeed.diffusion.pretrain.loop import Worker
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture

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
    """One worker's share of the parts, which are left in `work`."""
    model = autoencoder.trained(recipe, work).to(worker.device)
    parts = _parts(pictures, work)
    for place, (path, glyphs) in enumerate(parts):
        if worker.rank == 0:
            progress("latents", place, len(parts))
        if place % worker.count == worker.rank and not path.is_file():
            _write(_encoded(recipe, pictures, glyphs, model), path)


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


@torch.no_grad()
def _encoded(
    recipe: Recipe,
    pictures: Sequence[TrainingPicture],
    glyphs: Sequence[int],
    model: AutoencoderKL,
) -> dict[str, Tensor]:
    stack = compose.load([pictures[number] for number in glyphs], recipe.side)
    tints, behind = names_of(recipe)
    half = recipe.denoiser.schedule.precision == "bf16"
    values, rows = [], []
    for number, glyph in zip(glyphs, stack, strict=True):
        sheets = []
        for place in range(recipe.denoiser.variants):
            numbers = compose.stream(recipe.seed, compose.LATENTS, number, place)
            concept = pictures[number].concept
            how = compose.variant(recipe, concept, numbers) if place else compose.AS_DRAWN
            sheets.append(compose.shown(glyph, how, recipe, numbers if place else None))
            rows.append((number, tints.index(how.tint), behind.index(how.behind)))
        for some in torch.split(torch.from_numpy(np.stack(sheets)).to(model.device), _AT_ONCE):
            with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=half):
                moments = model.quant_conv(model.encoder(some))
            values.append(moments.float().chunk(2, dim=1)[0].cpu())
    columns = (torch.tensor(column) for column in zip(*rows, strict=True))
    return dict(zip(("picture", "tint", "behind"), columns, strict=True)) | {
        "values": torch.cat(values)
    }


def _write(tensors: dict[str, Tensor], path: Path) -> None:
    # Renamed into place: a kill while writing leaves no half file.
    beside = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in tensors.items()}, beside)
    beside.replace(path)
