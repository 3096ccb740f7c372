"""In which steps should the embedded base be guided, and how much? Chosen on a seed of its own.

    python benchmarks/base_guidance.py --work /tmp/judge --base models/sprig

For each setting the judge (`base_judge.py train`, then `evaluate`, which fixes what it can judge)
looks at every second judgeable thing, plain, in a trained place and in a new tint on a colour. The
seed is none of those that the base is judged by, so that the choice cannot flatter them. What is
best goes into `[sampling]` of the base's recipe.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from base_court import Court, as_values
from base_judge import JUDGEABLE_FILE
from base_painting import SEEDS, asked_for, paint

from picdeed.core.resources import bundled
from picdeed.diffusion.guidance import ALWAYS, Interval
from picdeed.diffusion.pretrain import compose
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.samplers import Sampler
from picdeed.diffusion.suited import Suited

SEED, EVERY, WORKERS = 21, 2, 2
ROWS = ("plain", "trained place", "new tint on a colour")
SETTINGS = (
    *((guidance, ALWAYS) for guidance in (1.0, 2.5, 4.0, 6.0)),
    *((guidance, Interval(0.1, 1.0)) for guidance in (2.5, 4.0, 6.0, 8.0)),
    (6.0, Interval(0.05, 1.0)),
    (6.0, Interval(0.2, 1.0)),
    (6.0, Interval(0.1, 0.8)),
)


def main(arguments: Sequence[str]) -> int:
    """Parses, paints, asks, prints JSON: for each setting the share recognised in each row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=Path("models/sprig"))
    given = parser.parse_args(arguments)
    if SEED in SEEDS:
        raise ValueError("the seed that settings are chosen on must judge nothing")
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    court = Court(recipe, given.work)
    words = json.loads((given.work / JUDGEABLE_FILE).read_text())[::EVERY]
    asked = asked_for(recipe, words)
    pairs = {row: [pair for pair in asked[row] if pair[0] in words] for row in ROWS}
    prompts = [compose.prompt(*pair, recipe) for row in ROWS for pair in pairs[row]]
    report: dict[str, dict[str, float]] = {}
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(paint, given.base, prompts, SEED, Suited(Sampler.DDIM, guidance, interval))
            for guidance, interval in SETTINGS
        ]
        for (guidance, interval), job in zip(SETTINGS, jobs, strict=True):
            said = iter(court.names(as_values(job.result())))
            told = {
                row: round(float(np.mean([next(said) == word for word, _ in pairs[row]])), 3)
                for row in ROWS
            }
            told["mean"] = round(float(np.mean([told[row] for row in ROWS])), 3)
            report[f"{guidance:g}, {interval.start:g} to {interval.stop:g}"] = told
            print(guidance, interval, told, file=sys.stderr)
    print(json.dumps({"things": len(words), "seed": SEED, "settings": report}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
