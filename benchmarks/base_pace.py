"""How long do 8 pictures of 20 steps take on two cores? picdeed's way beside diffusers' own.

    python benchmarks/base_pace.py --base models/sprig [--rounds 5]

picdeed draws one by one, so that a seed's picture does not depend on its company; the peer is
StableDiffusionPipeline told all 8 prompts at once. Interleaved rounds, medians; loading is left out
of both and told beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import diffusers
import torch

from picdeed.diffusion.devices import repeatable, threads_for
from picdeed.diffusion.models import load_base
from picdeed.diffusion.sample import draw
from picdeed.diffusion.suited import suited

PROMPTS = ("cat", "a blue fish", "tree on grass", "rocket at night")


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON. Exit code 1 above ten seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=Path("models/sprig"))
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    base = load_base(given.base)
    loading = time.monotonic() - began
    how = suited(given.base)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(given.base, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    prompts, seeds = list(PROMPTS) * 2, list(range(8))

    def ours() -> None:
        with repeatable(threads_for(base.facts.parameters)):
            draw(base, prompts, seeds, steps=20, guidance=how.guidance, interval=how.interval)

    def theirs() -> None:
        torch.set_num_threads(2)
        noise = [torch.Generator().manual_seed(seed) for seed in seeds]
        pipeline(prompts, num_inference_steps=20, guidance_scale=how.guidance, generator=noise)

    told: dict[str, list[tuple[float, float]]] = {"picdeed": [], "diffusers, one batch": []}
    for _ in range(given.rounds):
        for name, run in zip(told, (ours, theirs), strict=True):
            told[name].append(_timed(run))
    report = {
        name: {
            "seconds": round(median(wall for wall, _ in rows), 2),
            "cpu_seconds": round(median(cpu for _, cpu in rows), 2),
        }
        for name, rows in told.items()
    }
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__}
    print(json.dumps(report | {"loading_seconds": round(loading, 2), **versions}, indent=1))
    return 0 if report["picdeed"]["seconds"] < 10 else 1


def _timed(run: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.monotonic(), time.process_time()
    run()
    return time.monotonic() - wall, time.process_time() - cpu


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
