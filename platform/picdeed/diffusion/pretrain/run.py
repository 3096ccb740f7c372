"""How is a base trained from its recipe and its registered pictures? Part after part.

    autoencoder -> latents (once) -> UNet and text encoder -> export

Each part leaves its state in the work folder: the same call again goes on where a kill left it.
Without a registry: python -m picdeed.diffusion.pretrain.run --folder PICTURES --work DIR --out DIR
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from picdeed.core import ids
from picdeed.core.errors import UsageError
from picdeed.core.events import Progress, silent
from picdeed.core.resources import bundled
from picdeed.diffusion.pretrain import autoencoder, compose, denoiser, export, latents, parallel
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain.export import Pretrained
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture


def pretrain(
    recipe: Recipe,
    pictures: Sequence[TrainingPicture],
    work: Path,
    out: Path,
    *,
    snapshot: str | None = None,
    until: float | None = None,
    progress: Progress = silent,
) -> Pretrained:
    """Trains `recipe` on `pictures` and writes the base to `out`; state is kept in `work`.

    Raises UsageError when `work` belongs to another recipe, RunFailed when a worker dies, TimeOver
    when it is `until` (seconds since 1970): the same call again goes on.
    """
    members = compose.trained_set(pictures)
    _claim(work, autoencoder.NAME, _taught_by(recipe, members))
    if not (work / f"{autoencoder.NAME}.safetensors").is_file():
        parallel.run(autoencoder.train, (recipe, members, work), recipe.workers, progress, until)
    _claim(work, denoiser.NAME, recipe.digest)
    if not (work / latents.FILE).is_file():
        parallel.run(latents.encode, (recipe, members, work), recipe.workers, progress, until)
        latents.join(members, work)
    if not (work / f"{denoiser.NAME}.safetensors").is_file():
        parallel.run(denoiser.train, (recipe, members, work), recipe.workers, progress, until)
    return export.write(recipe, members, work, out, snapshot)


def from_folder(folder: Path) -> list[TrainingPicture]:
    """The pictures of a drawn folder with its `metadata.jsonl`."""
    table = folder / "metadata.jsonl"
    if not table.is_file():
        raise UsageError(f"{folder} holds no metadata.jsonl.")
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    return [
        TrainingPicture(folder / row["file_name"], row["caption"], row["concept"], row["set"])
        for row in rows
    ]


def _taught_by(recipe: Recipe, members: Sequence[TrainingPicture]) -> str:
    """The hash of all that the autoencoder depends on: another denoiser may be tried on it."""
    return ids.hash_json(
        {
            "seed": recipe.seed,
            "side": recipe.side,
            "colours": recipe.tables["colours"],
            "autoencoder": recipe.tables["autoencoder"],
            "pictures": [ids.sha256_file(picture.path) for picture in members],
        }
    )


def _claim(work: Path, part: str, digest: str) -> None:
    """State belongs to what made it. Raises UsageError where it was something else."""
    work.mkdir(parents=True, exist_ok=True)
    mark = work / f"{part}.sha256"
    if not mark.is_file():
        mark.write_text(digest, "utf-8")
    elif mark.read_text("utf-8") != digest:
        raise UsageError(
            f"The {part} in {work} was trained by another recipe or on other pictures; nothing was "
            "changed.",
            hint="Give another work folder, or delete this one to begin again.",
        )


def main(arguments: Sequence[str]) -> None:
    """The driver without a registry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, default=None)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--export-now", action="store_true", help="export the newest checkpoint")
    given = parser.parse_args(arguments)
    recipe = recipes.read(given.recipe or bundled("configs") / "pretrain" / "sprig.toml")
    pictures = from_folder(given.folder)
    torch.set_num_threads(recipe.workers)
    if given.export_now:
        export.write(recipe, compose.trained_set(pictures), given.work, given.out)
        return
    pretrain(recipe, pictures, given.work, given.out, progress=_tell)


def _tell(what: str, done: int, total: int) -> None:
    if done % 100 == 0 or done == total:
        sys.stderr.write(f"{what} {done}/{total}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
