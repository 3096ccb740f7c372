"""How fast does an adapter learn here, and by the example script of diffusers?

    python benchmarks/lora_race.py --script SCRIPT --python PYTHON --work /tmp/race
        [--shape tiny|study|sd15] [--side PIXELS] [--pairs 5] [--steps 40] [--precision fp32|bf16]
        [--same]

SCRIPT is `examples/text_to_image/train_text_to_image_lora.py` of a checkout of diffusers.

Both train the same weights on the same pictures at one batch, rank, rate and precision, each in a
process of one thread that only a hook of torch watches (`race_watch`): first one, then the other,
pair after pair. PYTHON has the script's requirements. The weights are random and of the shape of
Stable Diffusion 1, small (`study`) or whole (`sd15`): speed needs no better ones. Told are the
medians of CPU-seconds a step, caches warm, and what the caches cost before the first step; the
bound is what a step without encoders costs, from counted FLOPs.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from race_bases import SHAPES, Shape, make_base, make_pictures
from race_sides import our_command, script_command, watched

from picdeed.diffusion.recipe import Recipe

RANK, RATE = 8, 1e-4
SIDES = ("script", "ours", "ours, larger batch")
_WARM = 3  # steps that are not counted: allocators and kernels settle


def a_step(told: dict[str, Any]) -> float:
    """CPU-seconds of a step: the mean after the first few."""
    steps = told["steps"]
    return float((steps[-1] - steps[_WARM]) / (len(steps) - 1 - _WARM))


def bound(shape: Shape, base: Path) -> float:
    """A step with the encoders over a step without, by FLOPs of matrix products."""
    from torch.utils.flop_counter import FlopCounterMode

    from picdeed.diffusion.models import load_base
    from picdeed.diffusion.worn import attach_recipe

    def counted(run: Any) -> float:
        with FlopCounterMode(display=False) as counter:
            run()
        return float(counter.get_total_flops())

    loaded = load_base(base, torch.device("cpu"))
    unet, vae, text = (loaded.parts[name] for name in ("unet", "vae", "text_encoder"))
    attach_recipe(loaded, Recipe(rank=RANK), 0)
    latent = torch.randn(1, 4, *(shape.side // 2 ** (len(shape.vae) - 1),) * 2)
    told = torch.randn(1, 77, unet.config.cross_attention_dim)
    learns = counted(
        lambda: unet(latent, torch.tensor([3]), encoder_hidden_states=told).sample.sum().backward()
    )
    sees = counted(lambda: vae.encode(torch.randn(1, 3, shape.side, shape.side)))
    reads = counted(lambda: text(torch.zeros(1, 77, dtype=torch.long)))
    return (learns + sees + reads) / learns


def race(given: argparse.Namespace) -> dict[str, Any]:
    """Pair after pair; the medians and every pair's ratio."""
    shape = SHAPES[given.shape]
    work: Path = given.work / given.shape
    if given.side:
        shape = dataclasses.replace(shape, side=given.side)
        work = work.with_name(f"{work.name}-{given.side}")
    base = make_base(shape, work / "base")
    pictures = make_pictures(shape, work / "pictures")
    shared = {"rank": RANK, "alpha": RANK, "learning_rate": RATE, "schedule": "constant"}
    recipe = Recipe(
        **shared, steps=given.steps, batch=shape.batch, warmup_steps=0, caption_dropout=0,
        weight_decay=1e-2, beta2=0.999, precision=given.precision, eval_share=0,
    )  # fmt: skip
    free = recipe.model_copy(update={"batch": given.free or 4 * shape.batch})
    pairs: list[dict[str, Any]] = []
    for number in range(given.pairs):
        row = {}
        for side in SIDES[: 2 if given.same else 3][:: 1 if number % 2 else -1]:
            folder = work / "runs" / f"{number}-{side.replace(', ', '-').replace(' ', '-')}"
            shutil.rmtree(folder, ignore_errors=True)
            chosen = free if "larger" in side else recipe
            if side == "script":
                command = script_command(given.script, base, pictures, folder, chosen)
            else:
                command = our_command(base, pictures, folder, chosen)
            told = watched(given.python if side == "script" else sys.executable, command,
                           folder.with_suffix(".json"))  # fmt: skip
            row[side] = {"step": a_step(told), "first": told["steps"][0], "rss": told["rss"]}
            row[side]["picture"] = row[side]["step"] / chosen.batch
            print(number, side, {k: round(v, 4) for k, v in row[side].items()}, file=sys.stderr)
        pairs.append(row)
    return _told(pairs, bound(shape, base))


def _told(pairs: Sequence[dict[str, Any]], most: float) -> dict[str, Any]:
    def median(side: str, what: str) -> float:
        return statistics.median(row[side][what] for row in pairs)

    sides = {
        side: {what: round(median(side, what), 4) for what in ("step", "picture", "first")}
        | {"peak_gb": round(median(side, "rss") / 1e9, 3)}
        for side in pairs[0]
    }
    same = [row["script"]["step"] / row["ours"]["step"] for row in pairs]
    larger = [
        row["script"]["picture"] / row[SIDES[2]]["picture"] for row in pairs if SIDES[2] in row
    ]
    saved = median("script", "step") - median("ours", "step")
    extra = median("ours", "first") - median("script", "first")
    return {
        "versions": {"torch": torch.__version__},
        "cpu_seconds": sides,
        "same batch, script / ours": {
            "median": round(statistics.median(same), 3),
            "pairs": [round(one, 3) for one in same],
            "bound": round(most, 3),
        },
        "a picture, script / ours with a larger batch": {
            "median": round(statistics.median(larger), 3) if larger else None,
            "pairs": [round(one, 3) for one in larger],
        },
        "cache repaid after steps": max(0, round(extra / saved)) if saved > 0 else None,
    }


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--shape", choices=("tiny", "study", "sd15"), default="study")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--free", type=int, default=0, help="the larger batch; 0: four times")
    parser.add_argument("--side", type=int, default=0, help="pixels, other than the shape's own")
    parser.add_argument("--same", action="store_true", help="no larger batch")
    print(json.dumps(race(parser.parse_args(arguments)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
