"""Do the prompt and the guidance matter to the embedded base? And how far is it from real pictures?

    python benchmarks/base_prompts.py --work /tmp/judge --base models/sprig

The judge of base_judge.py scores plain captions: the thing that was asked for, with its own caption
and with another thing's, from the same noise; then guidance 1 against 3. The kernel distance
(unbiased squared MMD, kernel (x y / d + 1)^3, Binkowski et al. 2018) is between the judge's 256
features of painted pictures and of emojione-v1, which neither judge nor base ever saw; each set
that the base learned from stands beside it. Intervals: 95 % of 2,000 bootstraps over things.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from base_court import Court, as_values
from base_painting import painted
from base_sets import real

from picdeed.core.resources import bundled
from picdeed.diffusion.pretrain import compose
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.suited import suited

_SEEDS = (11, 12)
_BOOTSTRAPS = 2000
_UNSEEN = "emojione-v1 (seen by neither)"

Floats = npt.NDArray[np.float64]


def guidance(recipe: recipes.Recipe, court: Court, work: Path, base: Path) -> dict[str, Any]:
    """Scores of right and wrong captions, and what guidance does to them and to the pictures."""
    words = list(recipe.concepts)
    own = torch.arange(len(words))
    wrong = own.roll(-1)  # picture i was painted with the caption of thing i + 1
    report: dict[str, Any] = {}
    for scale in (1.0, 3.0):
        seeds = painted(base, words, work, seeds=_SEEDS, guidance=scale)
        scores = torch.stack([court.scores(as_values(pictures)) for pictures in seeds])
        right = scores[:, own, own].double().numpy()
        other = scores[:, own, wrong].double().numpy()
        one, two = (pictures.astype(np.float64) for pictures in seeds)
        chroma = np.mean([pictures.max(-1) - pictures.min(-1) for pictures in (one, two)])
        report[f"guidance {scale:g}"] = {
            "recognised": round(float((scores.argmax(2) == own).double().mean()), 3),
            "score of its caption": _with_interval(right.mean(0)),
            "score of another": _with_interval(other.mean(0)),
            "between seeds (rms of 255)": round(float(np.sqrt(np.mean((one - two) ** 2))), 1),
            "chroma (of 255)": round(float(chroma), 1),
        }
    # From the same noise, told another thing: the score of the first thing falls.
    seeds = painted(base, words[1:] + words[:1], work, seeds=_SEEDS, guidance=3.0)
    told = torch.stack([court.scores(as_values(p))[own, own] for p in seeds]).double().numpy()
    report["score when told another thing"] = _with_interval(told.mean(0))
    return report


def distances(recipe: recipes.Recipe, court: Court, work: Path, base: Path) -> dict[str, Any]:
    """Kernel distances to the unseen set, by what is compared with it."""
    sets = {
        name: {word: _seen(court, rgba) for word, rgba in pictures.items()}
        for name, pictures in real(recipe, work).items()
    }
    unseen = sets.pop(_UNSEEN)
    report = {name: _distance(some, unseen) for name, some in sets.items()}
    for scale in (1.0, 3.0, suited(base).guidance):
        seeds = painted(base, list(recipe.concepts), work, seeds=_SEEDS, guidance=scale)
        rows = [court.features(as_values(pictures)).double().numpy() for pictures in seeds]
        for seed, row in zip(_SEEDS, rows, strict=True):
            by_word = dict(zip(recipe.concepts, row, strict=True))
            report[f"painted, guidance {scale:g}, seed {seed}"] = _distance(by_word, unseen)
    return report


def _seen(court: Court, rgba: npt.NDArray[np.uint8]) -> Floats:
    flat = torch.from_numpy(compose.over(rgba, (255, 255, 255)))[None]
    return np.asarray(court.features(flat)[0].double())


def _distance(some: Mapping[str, Floats], unseen: Mapping[str, Floats]) -> list[float]:
    """Over the things of both sides, so that they differ in drawing and not in subject."""
    words = sorted(some.keys() & unseen.keys())
    x, y = (np.stack([side[word] for word in words]) for side in (some, unseen))
    numbers = np.random.default_rng(0)
    own_x, own_y, cross = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    whole = _mmd(own_x, own_y, cross)
    draws = []
    for _ in range(_BOOTSTRAPS):
        chosen = numbers.integers(len(words), size=len(words))
        at = np.ix_(chosen, chosen)
        # A thing drawn twice is no pair of two things.
        same = chosen[:, None] == chosen[None]
        draws.append(_mmd(own_x[at], own_y[at], cross[at], same))
    low, high = np.quantile(draws, (0.025, 0.975))
    return [*(round(float(v), 4) for v in (whole, low, high)), len(words)]


def _kernel(x: Floats, y: Floats) -> Floats:
    return np.asarray((x @ y.T / x.shape[1] + 1) ** 3)


def _mmd(
    own_x: Floats, own_y: Floats, cross: Floats, same: npt.NDArray[np.bool_] | None = None
) -> float:
    apart = ~(np.eye(len(cross), dtype=bool) if same is None else same)
    # The same thing on both sides is left out of all three terms alike: pairs are matched.
    return float(own_x[apart].mean() + own_y[apart].mean() - 2 * cross[apart].mean())


def _with_interval(values: Floats) -> list[float]:
    numbers = np.random.default_rng(0)
    draws = numbers.choice(values, (_BOOTSTRAPS, len(values))).mean(1)
    return [round(float(v), 3) for v in (values.mean(), *np.quantile(draws, (0.025, 0.975)))]


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=Path("models/sprig"))
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    court = Court(recipe, given.work)
    report = {
        "prompts": guidance(recipe, court, given.work, given.base),
        "kernel distance": distances(recipe, court, given.work, given.base),
    }
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
