"""Does another machine repeat the first 50 steps of the base's training? Losses beside the deed's.

    python benchmarks/base_repeat.py --pictures FOLDER --work DIR [--trained WORK] [--workers 1]
        [--deed DEED] [--recipe RECIPE] [--precision fp32]

The autoencoder's first steps follow from recipe and pictures alone; the denoiser's also need the
latents that a full training left in WORK. In bf16 only processors that round alike agree for long:
training magnifies what is rounded otherwise. `--precision fp32` takes the recipe's steps in fp32;
DEED may be the base's `evaluation.json`, which holds what a CPU gave so. Another processor can be
played on one that knows more instructions: ONEDNN_MAX_CPU_ISA=AVX2, ATEN_CPU_CAPABILITY=avx2.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from picdeed.core.resources import bundled
from picdeed.diffusion.pretrain import autoencoder, compose, denoiser, latents, loop, parallel
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain.run import from_folder

BAR = 1e-3


class _EnoughError(Exception):
    pass


def _stop(_what: str, done: int, _total: int) -> None:
    # The loss of a step is logged after it was told of.
    if done > loop.FIRST:
        raise _EnoughError


def repeat(
    part: Any, recipe: recipes.Recipe, members: list[recipes.TrainingPicture], work: Path
) -> dict[str, float]:
    """The losses of the first steps of a part, trained into `work`."""
    with suppress(_EnoughError):
        parallel.run(part.train, (recipe, members, work), recipe.workers, _stop)
    return loop.first_losses(part.NAME, work)


def compare(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, Any]:
    """The largest relative difference of the steps that both logged."""
    both = sorted(ours.keys() & theirs.keys(), key=int)
    apart = {step: abs(ours[step] / theirs[step] - 1) for step in both}
    worst = max(apart, key=lambda step: apart[step])
    return {
        "steps": len(both),
        "first": [ours[both[0]], theirs[both[0]]],
        "last": [ours[both[-1]], theirs[both[-1]]],
        "worst step": int(worst),
        "apart": round(apart[worst], 7),
    }


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON. Exit code 1 where a loss is further away than the bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--trained", type=Path, help="a finished training's work folder")
    parser.add_argument("--workers", type=int, default=0, help="other than the recipe's")
    parser.add_argument("--deed", type=Path, default=Path("models/sprig/deed.json"))
    parser.add_argument("--recipe", type=Path, help="other than the shipped one")
    parser.add_argument("--precision", choices=["bf16", "fp32"], help="other than the recipe's")
    given = parser.parse_args(arguments)
    recipe = recipes.read(given.recipe or bundled("configs") / "pretrain" / "sprig.toml")
    recipe = dataclasses.replace(recipe, workers=given.workers or recipe.workers)
    if given.precision:
        recipe = _in(recipe, given.precision)
    members = compose.trained_set(from_folder(given.pictures))
    told = json.loads(given.deed.read_text("utf-8"))
    known = told.get("repeat", told)["first_losses"]
    given.work.mkdir(parents=True, exist_ok=True)
    parts: list[Any] = [autoencoder]
    if given.trained:
        (given.work / latents.FILE).symlink_to((given.trained / latents.FILE).absolute())
        parts.append(denoiser)
    report: dict[str, Any] = {
        "isa": os.environ.get("ONEDNN_MAX_CPU_ISA", "all"),
        "amx": bool(torch.cpu._is_amx_tile_supported()),  # noqa: SLF001  (no public name)
        "capability": torch.backends.cpu.get_cpu_capability(),
        "precision": recipe.autoencoder.schedule.precision,
        "workers": recipe.workers,
        "torch": torch.__version__,
    }
    report["first_losses"] = {}
    for part in parts:
        losses = repeat(part, recipe, members, given.work)
        report["first_losses"][part.NAME] = losses
        report[part.NAME] = compare(losses, known[part.NAME])
    print(json.dumps(report, indent=1))
    return 0 if all(report[part.NAME]["apart"] <= BAR for part in parts) else 1


def _in(recipe: recipes.Recipe, precision: str) -> recipes.Recipe:
    """The recipe with both parts trained in a precision."""
    parts: dict[str, Any] = {}
    for name in (autoencoder.NAME, denoiser.NAME):
        part = getattr(recipe, name)
        schedule = dataclasses.replace(part.schedule, precision=precision)
        parts[name] = dataclasses.replace(part, schedule=schedule)
    return dataclasses.replace(recipe, **parts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
