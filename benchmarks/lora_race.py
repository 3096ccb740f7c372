"""How fast does an adapter learn here, and by the example script of diffusers?

    python benchmarks/lora_race.py --script SCRIPT --python PYTHON --work /tmp/race
        [--shape study|sd15] [--side PIXELS] [--pairs 5] [--steps 40] [--precision fp32|bf16]
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
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from picdeed.core.ids import sha256_file
from picdeed.core.resources import bundled
from picdeed.diffusion.models import check_base
from picdeed.diffusion.plan import SCHEMA, RunPlan, Trainee
from picdeed.diffusion.recipe import Recipe
from picdeed.testing import tiny_picture

SEED, RANK, RATE = 7, 8, 1e-4
SIDES = ("script", "ours", "ours, larger batch")
_WARM = 3  # steps that are not counted: allocators and kernels settle
_WATCH = str(Path(__file__).with_name("race_watch.py").absolute())


@dataclass(frozen=True)
class Shape:
    """A base's sizes, and how it is trained."""

    side: int
    unet: dict[str, Any]
    vae: tuple[int, ...]
    vae_layers: int
    text: dict[str, Any]
    batch: int
    pictures: int


_DOWN, _CROSS = "DownBlock2D", "CrossAttnDownBlock2D"
SHAPES = {
    "study": Shape(
        side=128,
        unet={
            "block_out_channels": (64, 128, 320),
            "down_block_types": (_CROSS, _CROSS, _DOWN),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "layers_per_block": 2,
            "cross_attention_dim": 192,
            "attention_head_dim": 8,
        },
        vae=(32, 64, 128, 128),
        vae_layers=1,
        text={"hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 2,
              "num_attention_heads": 4},
        batch=4,
        pictures=64,
    ),
    "sd15": Shape(
        side=512,
        unet={
            "block_out_channels": (320, 640, 1280, 1280),
            "down_block_types": (_CROSS, _CROSS, _CROSS, _DOWN),
            "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
            "layers_per_block": 2,
            "cross_attention_dim": 768,
            "attention_head_dim": 8,
        },
        vae=(128, 256, 512, 512),
        vae_layers=2,
        text={"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
              "num_attention_heads": 12},
        batch=2,
        pictures=8,
    ),
}  # fmt: skip


def make_base(shape: Shape, folder: Path) -> Path:
    """A base of random weights in diffusers' layout, unless it is there."""
    if (folder / "model_index.json").is_file():
        return folder
    torch.manual_seed(SEED)
    shutil.copytree(bundled("models") / "sprig" / "tokenizer", folder / "tokenizer")
    _config(folder / "tokenizer" / "tokenizer_config.json", model_max_length=77)
    levels = len(shape.vae)
    AutoencoderKL(
        block_out_channels=shape.vae,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=shape.vae_layers,
        latent_channels=4,
        sample_size=shape.side,
    ).save_pretrained(folder / "vae")
    UNet2DConditionModel(
        sample_size=shape.side // 2 ** (levels - 1), in_channels=4, out_channels=4, **shape.unet
    ).save_pretrained(folder / "unet")
    CLIPTextModel(
        CLIPTextConfig(max_position_embeddings=77, projection_dim=768, **shape.text)
    ).save_pretrained(folder / "text_encoder")
    DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False
    ).save_pretrained(folder / "scheduler")
    parts = {"vae": "AutoencoderKL", "unet": "UNet2DConditionModel", "scheduler": "DDPMScheduler"}
    index = {name: ["diffusers", kind] for name, kind in parts.items()}
    index |= {"text_encoder": ["transformers", "CLIPTextModel"],
              "tokenizer": ["transformers", "CLIPTokenizer"]}  # fmt: skip
    said = {"_class_name": "StableDiffusionPipeline", "safety_checker": [None, None],
            "feature_extractor": [None, None], "requires_safety_checker": False}  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps(said | index))
    return folder


def _config(path: Path, **changed: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def make_pictures(shape: Shape, folder: Path) -> Path:
    """As the script wants them: PNG files and `metadata.jsonl` with a `text` each."""
    if (folder / "metadata.jsonl").is_file():
        return folder
    folder.mkdir(parents=True)
    rows = []
    for n in range(1, shape.pictures + 1):
        tiny_picture(n, shape.side).save(folder / f"{n:03}.png")
        rows.append({"file_name": f"{n:03}.png", "text": f"drawing {n}"})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def script_command(
    script: Path, base: Path, pictures: Path, out: Path, recipe: Recipe, *, seed: int = SEED
) -> list[str]:
    """The script with our recipe's batch, steps, rank and rate; its other defaults stay."""
    told = {
        "pretrained_model_name_or_path": base,
        "train_data_dir": pictures,
        "caption_column": "text",
        "output_dir": out,
        "resolution": check_base(base).size,
        "train_batch_size": recipe.batch,
        "max_train_steps": recipe.steps,
        "checkpointing_steps": recipe.steps + 1,
        "learning_rate": recipe.learning_rate,
        "rank": recipe.rank,
        "seed": seed,
        "mixed_precision": {"fp32": "no", "bf16": "bf16"}[recipe.precision],
    }
    return [str(script), *(f"--{key}={value}" for key, value in told.items()), "--center_crop"]


def our_command(
    base: Path, pictures: Path, out: Path, recipe: Recipe, *, seed: int = SEED
) -> list[str]:
    """`python -m picdeed.diffusion.train FOLDER` with a plan written for these pictures."""
    rows = [json.loads(line) for line in (pictures / "metadata.jsonl").read_text().splitlines()]
    members = []
    for row in rows:
        path = pictures / row["file_name"]
        name = f"img_{sha256_file(path)}"
        members.append(Trainee(picture=name, path=str(path), caption=row["text"]))
    RunPlan(
        schema=SCHEMA,
        run=f"run_{0:064x}",
        base=str(base),
        base_sha256=check_base(base).sha256,
        recipe=recipe,
        seed=seed,
        threads=1,
        members=tuple(members),
        snapshot="snp_0",
        snapshot_root="0",
        decision="dec_0",
    ).write(out)
    return ["-m", "picdeed.diffusion.train", str(out)]


def watched(
    python: str, command: Sequence[str], out: Path, keep: Sequence[int] = ()
) -> dict[str, Any]:
    """Runs a command under the watch; what it noted. Raises RuntimeError with what it said."""
    out.parent.mkdir(parents=True, exist_ok=True)
    kept = ["--keep", ",".join(map(str, keep))] if keep else []
    done = subprocess.run(
        [python, _WATCH, str(out), *kept, "--", *command],
        env=_one_thread(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not out.is_file():
        raise RuntimeError(f"{command[:2]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def _one_thread() -> dict[str, str]:
    quiet = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return {**os.environ, **quiet, "TOKENIZERS_PARALLELISM": "false"}


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
    parser.add_argument("--shape", choices=SHAPES, default="study")
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
