"""Does the embedded base take on a style? Three sets, judged on subjects that no adapter ever saw.

    python benchmarks/base_styles.py --work /tmp/judge --base models/sprig [--steps N]

The demo's linocuts (drawn here), openmoji (CC-BY-SA-4.0) and Fluent Emoji high contrast (MIT): the
base never saw them. Each is taught by the loop of `picdeed train` with the demo's preset. One in
four subjects is held out: their denoising loss with and without the adapter, and the look
(`diffusion/style.py`) of what is painted of them beside that of the real pictures. Sheets of real,
base's and adapter's pictures, one column a subject, are left in the work folder.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from base_sets import HIGH_CONTRAST, TEACHERS, draw, names
from PIL import Image

from picdeed.core.ids import sha256
from picdeed.core.resources import bundled
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import check_base, load_base
from picdeed.diffusion.plan import SCHEMA, RunPlan, Trainee
from picdeed.diffusion.pretrain import compose
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.recipe import load_recipe
from picdeed.diffusion.sample import draw as paint
from picdeed.diffusion.style import style_of
from picdeed.diffusion.suited import suited
from picdeed.diffusion.train import train
from picdeed.diffusion.worn import bare, put_on
from picdeed.imaging.grid import contact_sheet
from picdeed.sources import linocut
from picdeed.sources.demo_set import GOOD

SEED, SHOWN = 7, 12
_HELD_OUT = 4  # every fourth
Pictures = Mapping[str, Image.Image]


def styles(recipe: recipes.Recipe, work: Path) -> dict[str, Pictures]:
    """By style, a picture of each subject: only of things that the base can paint."""
    known = {icon: word for icon, word in names(recipe).items() if word[0] != "+"}
    openmoji = next(package for package in TEACHERS if package.set == "openmoji")
    found: dict[str, Pictures] = {
        "linocut": {word: linocut.draw(word) for word in GOOD if word in recipe.concepts}
    }
    for package in (openmoji, HIGH_CONTRAST):
        found[package.set] = {
            word: _on_white(rgba) for word, rgba in draw(package, known, work).items()
        }
    return found


def held_out(pictures: Pictures) -> list[str]:
    """The subjects that no adapter sees."""
    return sorted(pictures)[::_HELD_OUT]


def judge(style: str, pictures: Pictures, base: Path, work: Path, steps: int) -> dict[str, Any]:
    """Trains an adapter, paints the held-out subjects with and without it, tells the figures."""
    words, unseen = sorted(pictures), held_out(pictures)
    folder = work / "styles" / style.replace(" ", "-")
    began = time.process_time()
    result = _trained(folder, pictures, unseen, base, steps)
    seconds = time.process_time() - began
    loaded = load_base(base)
    seeds, usual = [SEED] * len(unseen), suited(base)
    how = {"guidance": usual.guidance, "interval": usual.interval}
    plain = paint(loaded, unseen, seeds, **how)
    put_on(loaded, load_adapter(folder / "adapter.safetensors"))
    styled = paint(loaded, unseen, seeds, **how)
    with bare(loaded):
        off = paint(loaded, unseen[:4], seeds[:4], **how)
    real = [pictures[word] for word in unseen]
    shown = min(SHOWN, len(unseen))
    alike = [image.resize(plain[0].size) for image in real[:shown]]
    sheet = contact_sheet([*alike, *plain[:shown], *styled[:shown]], shown)
    sheet.save(work / "styles" / f"{folder.name}.png")
    loss = result["loss"]
    return {
        "trained on": len(words) - len(unseen),
        "held out": len(unseen),
        "subjects": unseen[:SHOWN],
        "cpu_seconds": round(seconds),
        "loss": {key: round(loss[key], 3) for key in ("base", "adapter", "ratio")},
        "improved": f"{loss['improved']} of {loss['pictures']}",
        "real": _look(real),
        "base": _look(plain),
        "adapter": _look(styled),
        "base is the same without it": [one.tobytes() for one in off]
        == [one.tobytes() for one in plain[:4]],
    }


def _trained(
    folder: Path, pictures: Pictures, unseen: Sequence[str], base: Path, steps: int
) -> dict[str, Any]:
    members, held_out = [], []
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for word, image in pictures.items():
        stream = io.BytesIO()
        image.save(stream, "PNG")
        digest = sha256(stream.getvalue())
        path = folder / "pictures" / f"{digest}.png"
        path.write_bytes(stream.getvalue())
        trainee = Trainee(picture=f"img_{digest}", path=str(path), caption=word)
        (held_out if word in unseen else members).append(trainee)
    changed = [f"steps={steps}"] if steps else []
    RunPlan(
        schema=SCHEMA,
        run=f"run_{0:064x}",
        base=str(base),
        base_sha256=check_base(base).sha256,
        recipe=load_recipe("demo", changed),
        seed=SEED,
        threads=1,
        members=tuple(members),
        held_out=tuple(held_out),
        snapshot="snp_0",
        snapshot_root="0",
        decision="dec_0",
    ).write(folder)
    return train(folder)


def _look(images: Sequence[Image.Image]) -> dict[str, float]:
    return {key: round(value, 3) for key, value in asdict(style_of(images)).items()}


def _on_white(rgba: Any) -> Image.Image:
    flat = compose.over(rgba, (255, 255, 255))
    return Image.fromarray(((flat.transpose(1, 2, 0) + 1) * 127.5).round().astype("uint8"))


def main(arguments: Sequence[str]) -> int:
    """Parses, runs, prints JSON. Exit code 1 where a style's held-out loss fell too little."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=Path("models/sprig"))
    parser.add_argument("--steps", type=int, default=0, help="other than the preset's")
    parser.add_argument("--style", action="append", help="only this one; may be repeated")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recipe = recipes.read(bundled("configs") / "pretrain" / "sprig.toml")
    report = {}
    for style, pictures in styles(recipe, given.work).items():
        if not given.style or style in given.style:
            report[style] = judge(style, pictures, given.base.absolute(), given.work, given.steps)
    print(json.dumps(report, indent=1))
    return 0 if all(told["loss"]["ratio"] <= 0.7 for told in report.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
