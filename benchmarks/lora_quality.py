"""After how many CPU-seconds is a style learned, here and by the example script of diffusers?

    python benchmarks/lora_quality.py --script SCRIPT --python PYTHON --work /tmp/race
        [--pictures FOLDER] [--seeds 1] [--only NAME ...]

FOLDER holds pictures and `metadata.jsonl` with `file_name` and `text`; without one, the demo's
linocuts are drawn. Every fourth picture is held out.

Learned means: the denoising loss of fixed pictures that were never trained on, at eight fixed noise
levels and with fixed noise, fell to a given value. Both sides start from the embedded base, train
the same pictures at one rank in one thread, and are measured from outside (`race_watch` keeps their
weights after some steps; one function tells the loss of either). CPU-seconds count from the start
of the process, so caches and imports are in them. Each side has the same sweep of rates; a value
that either may choose is chosen on one set and told on others.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from race_bases import SEED
from race_sides import our_command, script_command, watched
from safetensors.torch import load_file

from picdeed.core.ids import sha256
from picdeed.diffusion.evidence import measure
from picdeed.diffusion.models import load_base
from picdeed.diffusion.recipe import ATTENTION, Recipe, load_recipe
from picdeed.diffusion.worn import attach_recipe, trained
from picdeed.sources import linocut
from picdeed.sources.demo_set import GOOD

RANK, BATCH, STEPS = 16, 8, 240
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
KEPT = (2, 4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100, 130, 160, 200, 240)
_HELD_OUT = 4  # every fourth
EVERYWHERE = load_recipe("demo").targets


def ours(**knobs: Any) -> Recipe:
    """Our loop with the script's choices, changed by knobs."""
    plain: dict[str, Any] = {
        "rank": RANK, "alpha": RANK, "batch": BATCH, "steps": STEPS, "targets": ATTENTION,
        "schedule": "constant", "warmup_steps": 0, "caption_dropout": 0.0, "weight_decay": 1e-2,
        "beta2": 0.999, "init": "gaussian", "hold_out": 0.0, "eval_share": 0,
    }  # fmt: skip
    return Recipe(**plain | knobs)


def pictures_in(folder: Path | None) -> dict[str, Image.Image]:
    """By caption; the demo's linocuts without a folder."""
    if folder is None:
        return {word: linocut.draw(word) for word in GOOD}
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["text"]: Image.open(folder / row["file_name"]) for row in rows}


def halves(pictures: Mapping[str, Image.Image], folder: Path) -> tuple[Path, Path]:
    """Folders of the pictures to train on and of those held out, as the script reads them."""
    words = sorted(pictures)
    unseen = set(words[::_HELD_OUT])
    for name in ("seen", "unseen"):
        where = folder / name
        where.mkdir(parents=True, exist_ok=True)
        rows = []
        for word in words:
            if (word in unseen) == (name == "unseen"):
                stream = io.BytesIO()
                pictures[word].convert("RGB").save(stream, "PNG")
                path = where / f"{sha256(stream.getvalue())[:16]}.png"
                path.write_bytes(stream.getvalue())
                rows.append({"file_name": path.name, "text": word})
        (where / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "seen", folder / "unseen"


class Court:
    """Tells the held-out loss of kept weights."""

    def __init__(self, base: Path, unseen: Path) -> None:
        from picdeed.diffusion.cache import latent_moments, prompt_embeddings
        from picdeed.diffusion.plan import Trainee

        self._base = base
        rows = [json.loads(line) for line in (unseen / "metadata.jsonl").read_text().splitlines()]
        members = []
        for row in rows:
            path = unseen / row["file_name"]
            name = f"img_{sha256(path.read_bytes())}"
            members.append(Trainee(picture=name, path=str(path), caption=row["text"]))
        loaded = load_base(base)
        cache = unseen.parent / "cache"
        self._moments = latent_moments(loaded, members, cache, flip=False)
        words = prompt_embeddings(loaded, {one.caption for one in members}, cache)
        self._prompts = {one.picture: words[one.caption] for one in members}

    def losses(self, recipe: Recipe, kept: Sequence[Path]) -> tuple[float, list[float]]:
        """Of the base, and of each file of weights."""
        loaded = load_base(self._base)
        attach_recipe(loaded, recipe, 0)
        own = [weight for _, weight in trained(loaded)]
        found, plain = [], 0.0
        for path in kept:
            told = load_file(path)
            with torch.no_grad():
                for weight, name in zip(own, sorted(told), strict=True):
                    weight.copy_(told[name])
            said = measure(loaded, self._moments, self._prompts)
            plain = said.base
            found.append(said.adapter)
        return plain, found


def curve(
    name: str, recipe: Recipe, seed: int, given: argparse.Namespace, court: Court
) -> dict[str, Any]:
    """Trains, measures, keeps the result in the work folder."""
    base, side = given.base.absolute(), name.split(maxsplit=1)[0]
    where = given.work / "quality" / given.name
    same = sha256(json.dumps([side, recipe.model_dump(mode="json"), seed]).encode())[:12]
    folder, seen = where / f"{side}-{same}", where / "seen"
    done = folder.with_suffix(".result.json")
    if done.is_file():
        return json.loads(done.read_text())  # type: ignore[no-any-return]
    keep = [step for step in KEPT if step <= recipe.steps]
    if side == "script":
        command = script_command(given.script, base, seen, folder, recipe, seed=seed)
    else:
        command = our_command(base, seen, folder, recipe, seed=seed)
    python = given.python if side == "script" else sys.executable
    told = watched(python, command, folder.with_suffix(".json"), keep)
    files = [folder.with_suffix(f".{step:05}.safetensors") for step in keep]
    plain, losses = court.losses(recipe, files)
    seconds = [round(told["steps"][step - 1], 2) for step in keep]
    result = {"steps": keep, "seconds": seconds, "base": plain, "losses": losses}
    done.write_text(json.dumps(result))
    return result


def seconds_to(told: Mapping[str, Any], loss: float) -> float | None:
    """CPU-seconds until the loss was reached, between two measurements on a line; None if never."""
    before = None
    for second, now in zip(told["seconds"], told["losses"], strict=True):
        if now <= loss:
            if before is None:
                return float(second)
            first, height = before
            share = (height - loss) / (height - now)
            return float(first + share * (second - first))
        before = (second, now)
    return None


# What our recipe takes otherwise; each is also taken away alone. The first and the last the script
# cannot be asked for, the others it could.
LEVERS: Mapping[str, Mapping[str, Any]] = {
    "every layer adapted": {"targets": EVERYWHERE},
    "rate falls": {"schedule": "cosine", "final_rate": 0.05, "warmup_steps": 5},
    "moments forget sooner (beta2 0.99)": {"beta2": 0.99, "weight_decay": 0.0},
    "first matrix as in the paper": {"init": "kaiming"},
}


def report(given: argparse.Namespace) -> dict[str, Any]:
    """The sweep of both sides, the time to the script's best loss, and the levers."""
    where = given.work / "quality" / given.name
    _, unseen = halves(pictures_in(given.pictures), where)
    court = Court(given.base.absolute(), unseen)
    whole = {name: value for lever in LEVERS.values() for name, value in lever.items()}
    variants: dict[str, Recipe] = {f"script {rate:g}": ours(learning_rate=rate) for rate in RATES}
    variants |= {f"ours {rate:g}": ours(learning_rate=rate, **whole) for rate in RATES}
    for name, lever in LEVERS.items():
        rest = {key: value for key, value in whole.items() if key not in lever}
        variants[f"ours {given.rate:g} without: {name}"] = ours(learning_rate=given.rate, **rest)
    told: dict[str, list[dict[str, Any]]] = {}
    for seed in range(SEED, SEED + given.seeds):
        for name, some in variants.items():
            if given.only and not any(part in name for part in given.only):
                continue
            told.setdefault(name, []).append(curve(name, some, seed, given, court))
            print(name, seed, told[name][-1], file=sys.stderr, flush=True)
    return summary(told)


def summary(told: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Seconds to the script's best loss of each seed, whatever its rate, and the best losses."""
    scripts = [name for name in told if name.startswith("script")]
    seeds = range(len(next(iter(told.values()))))
    bars = [min(min(told[name][seed]["losses"]) for name in scripts) for seed in seeds]
    return {
        "the base's loss": [round(next(iter(told.values()))[seed]["base"], 4) for seed in seeds],
        "the script's best loss": [round(bar, 4) for bar in bars],
        "runs": {
            name: {
                "best loss": [round(min(some["losses"]), 4) for some in runs],
                "last loss": [round(some["losses"][-1], 4) for some in runs],
                "seconds to the script's best": [
                    seconds_to(some, bar) for some, bar in zip(runs, bars, strict=True)
                ],
                "seconds in all": [some["seconds"][-1] for some in runs],
            }
            for name, runs in told.items()
        },
    }


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--base", type=Path, default=Path("models/sprig"))
    parser.add_argument("--name", default="linocut", help="of the set, in the work folder")
    parser.add_argument("--rate", type=float, default=1e-3, help="at which levers are taken away")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="these runs, by a part of their names")
    torch.set_num_threads(1)
    print(json.dumps(report(parser.parse_args(arguments)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
