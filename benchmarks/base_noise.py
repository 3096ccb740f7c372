"""Which noise should a base of this size learn from? Targets, schedules and weights, side by side.

    python benchmarks/base_noise.py --pictures FOLDER --trained WORK --work /tmp/judge [--steps 500]

Short trainings of the shipped recipe's denoiser on its own latents (WORK, from `picdeed pretrain`),
with 24 things and another `[denoiser.noise]` each; all else, the random numbers included, is the
same. Losses of different targets cannot be compared, so pictures are: the judge of base_judge.py
says how many show what was asked for (of all the recipe's things), and how sure it is.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from base_court import Court, as_values
from base_painting import paint

from picdeed.core.events import silent
from picdeed.core.resources import bundled
from picdeed.diffusion.pretrain import autoencoder, compose, denoiser, export, latents, parallel
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain.recipe import Noise
from picdeed.diffusion.pretrain.run import from_folder

COSINE, LINEAR = "squaredcos_cap_v2", "scaled_linear"
VARIANTS = {
    "v, cosine, zero SNR (shipped)": Noise("v_prediction", COSINE, zero_snr=True, min_snr=0),
    "v, cosine": Noise("v_prediction", COSINE, zero_snr=False, min_snr=0),
    "v, cosine, zero SNR, min-SNR 5": Noise("v_prediction", COSINE, zero_snr=True, min_snr=5),
    "v, scaled linear, zero SNR": Noise("v_prediction", LINEAR, zero_snr=True, min_snr=0),
    "v, linear, zero SNR": Noise("v_prediction", "linear", zero_snr=True, min_snr=0),
    "epsilon, cosine": Noise("epsilon", COSINE, zero_snr=False, min_snr=0),
    "epsilon, scaled linear": Noise("epsilon", LINEAR, zero_snr=False, min_snr=0),
    "epsilon, cosine, min-SNR 5": Noise("epsilon", COSINE, zero_snr=False, min_snr=5),
    "rectified flow": Noise("flow_prediction", COSINE, zero_snr=False, min_snr=0),
}
SEEDS, GUIDANCE = (11, 12, 13, 14), 2.5


def variant(recipe: recipes.Recipe, noise: Noise, steps: int, things: int) -> recipes.Recipe:
    """The recipe with other noise, fewer steps and every n-th thing."""
    schedule = dataclasses.replace(
        recipe.denoiser.schedule, steps=steps, decay=steps // 2, warmup=min(80, steps // 5)
    )
    part = dataclasses.replace(recipe.denoiser, schedule=schedule, noise=noise)
    every = len(recipe.concepts) // things
    return dataclasses.replace(
        recipe, denoiser=part, concepts=tuple(recipe.concepts[::every][:things])
    )


def measure(
    recipe: recipes.Recipe,
    members: list[recipes.TrainingPicture],
    trained: Path,
    work: Path,
    court: Court,
) -> dict[str, Any]:
    """Trains in `work`, paints each thing with every seed, asks the judge."""
    work.mkdir(parents=True, exist_ok=True)
    for name in (latents.FILE, f"{autoencoder.NAME}-checkpoint.safetensors"):
        if not (work / name).exists():
            (work / name).symlink_to((trained / name).absolute())
    began = time.monotonic()
    if not (work / f"{denoiser.NAME}.safetensors").is_file():
        parallel.run(denoiser.train, (recipe, members, work), recipe.workers, silent)
    seconds = time.monotonic() - began
    pipeline, _ = export.assemble(recipe, work)
    pipeline.save_pretrained(work / "base")
    words = list(recipe.concepts)
    own = torch.tensor([court.concepts.index(word) for word in words])
    scores = [
        court.scores(as_values(paint(work / "base", words, seed, GUIDANCE))) for seed in SEEDS
    ]
    shutil.rmtree(work / "base")
    right = [float((some.argmax(1) == own).double().mean()) for some in scores]
    sure = [float(some[torch.arange(len(own)), own].double().mean()) for some in scores]
    return {
        "recognised": round(sum(right) / len(right), 3),
        "by seed": [round(value, 2) for value in right],
        "score": round(sum(sure) / len(sure), 3),
        "seconds": round(seconds),
    }


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--trained", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--things", type=int, default=24)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    members = compose.trained_set(from_folder(given.pictures))
    court = Court(recipe, given.work)
    report = {}
    for number, (name, noise) in enumerate(VARIANTS.items()):
        some = variant(recipe, noise, given.steps, given.things)
        folder = given.work / "noise" / f"{number}-{given.steps}-{given.things}"
        report[name] = measure(some, members, given.trained, folder, court)
        print(f"{name}: {report[name]}", file=sys.stderr, flush=True)
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
