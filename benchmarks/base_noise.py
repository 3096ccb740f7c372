"""Which noise should a base of this size learn from? Targets, schedules and weights, side by side.

    python benchmarks/base_noise.py --pictures FOLDER --trained WORK --work /tmp/judge
        [--steps 600] [--things 12] [--only NUMBER ...]

Short trainings of the shipped recipe's denoiser on its own latents (WORK, from `picdeed pretrain`),
with a dozen things and another `[denoiser.noise]` each; all else, random numbers included, is the
same. Losses of different targets cannot be compared, so two other things are. The first is the
error of the picture that the network sees in noise, at one ratio of picture to noise for all (a
share of the pictures' variance, on samples of a later step). The second is what a judge says
(`base_court`) to pictures painted in 20 steps. What a variant gave is kept in the work folder.
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

import numpy as np
import torch
from base_court import Court, as_values
from base_painting import paint
from torch import Tensor

from picdeed.core.events import silent
from picdeed.core.resources import bundled
from picdeed.diffusion import flows
from picdeed.diffusion.pretrain import (
    autoencoder,
    compose,
    denoiser,
    export,
    forward,
    latents,
    parallel,
)
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain.recipe import Noise
from picdeed.diffusion.pretrain.run import from_folder
from picdeed.diffusion.suited import suited

COSINE, LINEAR = "squaredcos_cap_v2", "scaled_linear"
VARIANTS = {
    "v, cosine, zero SNR (shipped)": Noise("v_prediction", COSINE, zero_snr=True, min_snr=0),
    "v, cosine": Noise("v_prediction", COSINE, zero_snr=False, min_snr=0),
    "v, cosine, zero SNR, min-SNR 5": Noise("v_prediction", COSINE, zero_snr=True, min_snr=5),
    "v, scaled linear, zero SNR": Noise("v_prediction", LINEAR, zero_snr=True, min_snr=0),
    "epsilon, cosine": Noise("epsilon", COSINE, zero_snr=False, min_snr=0),
    "epsilon, scaled linear": Noise("epsilon", LINEAR, zero_snr=False, min_snr=0),
    "epsilon, cosine, min-SNR 5": Noise("epsilon", COSINE, zero_snr=False, min_snr=5),
    "rectified flow": Noise("flow_prediction", COSINE, zero_snr=False, min_snr=0),
}
SEEDS = tuple(range(11, 19))
RATIOS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # signal to noise, as variances
SHOWN = 96  # samples of which the errors are told
_LATER = 1_000_000  # a step that no training reaches


def variant(recipe: recipes.Recipe, noise: Noise, steps: int, things: int) -> recipes.Recipe:
    """The recipe with other noise, fewer steps, every n-th thing and one process."""
    schedule = dataclasses.replace(
        recipe.denoiser.schedule, steps=steps, decay=steps // 2, warmup=min(80, steps // 5)
    )
    part = dataclasses.replace(recipe.denoiser, schedule=schedule, noise=noise)
    chosen = recipe.concepts[:: len(recipe.concepts) // things][:things]
    return dataclasses.replace(recipe, denoiser=part, concepts=tuple(chosen), workers=1)


def measure(
    recipe: recipes.Recipe,
    members: list[recipes.TrainingPicture],
    trained: Path,
    work: Path,
) -> dict[str, Any]:
    """Trains in `work` and tells the errors; painted pictures are left for the judge."""
    work.mkdir(parents=True, exist_ok=True)
    for name in (latents.FILE, f"{autoencoder.NAME}-checkpoint.safetensors"):
        if not (work / name).exists():
            (work / name).symlink_to((trained / name).absolute())
    began = time.process_time()
    if not (work / f"{denoiser.NAME}.safetensors").is_file():
        parallel.run(denoiser.train, (recipe, members, work), 1, silent)
    seconds = time.process_time() - began
    pipeline, _ = export.assemble(recipe, work)
    told = errors(recipe, members, work, pipeline)
    pipeline.save_pretrained(work / "base")
    words = list(recipe.concepts)
    painted = [paint(work / "base", words, seed, suited(work / "base")) for seed in SEEDS]
    shutil.rmtree(work / "base")
    np.save(work / "painted.npy", np.stack(painted))
    return {"errors": told, "cpu_seconds": round(seconds)}


@torch.no_grad()
def errors(
    recipe: recipes.Recipe, members: list[recipes.TrainingPicture], work: Path, pipeline: Any
) -> dict[str, float]:
    """Share of the pictures' variance that is missed at each ratio of signal to noise."""
    cached = latents.cached(work)
    samples = denoiser.Samples(recipe, members, cached)
    found: dict[str, list[float]] = {str(ratio): [] for ratio in RATIOS}
    for first in range(0, SHOWN, 16):
        rows, e, _, words = samples.drawn(_LATER, range(first, first + 16))
        clean = cached.values[rows].float()
        told = pipeline.text_encoder(words).last_hidden_state
        for ratio in RATIOS:
            noisy, times, picture = _at(recipe.denoiser.noise, clean, e, ratio)
            said = pipeline.unet(noisy, times, encoder_hidden_states=told).sample
            off = (picture(said) - clean).square().mean((1, 2, 3))
            found[str(ratio)] += off.tolist()
    return {ratio: round(sum(off) / len(off), 4) for ratio, off in found.items()}


def _at(noise: Noise, clean: Tensor, e: Tensor, ratio: float) -> tuple[Tensor, Tensor, Any]:
    """Noisy latents at a ratio of signal to noise, their times, and how an answer becomes a
    picture."""
    n = len(clean)
    if noise.prediction == flows.FLOW:
        time = round(forward.STEPS / (1 + ratio**0.5))
        share = torch.full((n,), time / forward.STEPS)
        noisy, _ = flows.on_the_line(clean, e, share)
        return noisy, share * forward.STEPS, lambda said: noisy - time / forward.STEPS * said
    kept = forward.alphas(noise)
    time = int((kept / (1 - kept) - ratio).abs().argmin())
    signal, rest = float(kept[time].sqrt()), float((1 - kept[time]).sqrt())
    noisy = signal * clean + rest * e
    times = torch.full((n,), time)
    if noise.prediction == "epsilon":
        return noisy, times, lambda said: (noisy - rest * said) / signal
    return noisy, times, lambda said: signal * noisy - rest * said


def judged(recipe: recipes.Recipe, work: Path, court: Court) -> dict[str, Any]:
    """What the judge says to the pictures in `work`, of all the recipe's things."""
    own = torch.tensor([court.concepts.index(word) for word in recipe.concepts])
    scores = [court.scores(as_values(some)) for some in np.load(work / "painted.npy")]
    right = [float((some.argmax(1) == own).double().mean()) for some in scores]
    sure = [float(some[torch.arange(len(own)), own].double().mean()) for some in scores]
    return {
        "recognised": round(sum(right) / len(right), 3),
        "score": round(sum(sure) / len(sure), 3),
    }


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--trained", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--things", type=int, default=12)
    parser.add_argument("--only", type=int, nargs="*", help="these variants, by number")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    members = compose.trained_set(from_folder(given.pictures))
    report: dict[str, Any] = {}
    for number, (name, noise) in enumerate(VARIANTS.items()):
        some = variant(recipe, noise, given.steps, given.things)
        folder = given.work / "noise" / f"{number}-{given.steps}-{given.things}"
        kept = folder / "result.json"
        if not kept.is_file():
            if given.only and number not in given.only:
                continue
            kept.write_text(json.dumps(measure(some, members, given.trained, folder)))
        report[name] = json.loads(kept.read_text())
        if (given.work / "judge.safetensors").is_file():
            report[name] |= judged(some, folder, Court(recipe, given.work))
        print(f"{name}: {report[name]}", file=sys.stderr, flush=True)
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
