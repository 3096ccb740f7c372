"""How does a training become a base that diffusers loads? One folder, half precision, with a deed.

The deed says what the weights came from: recipe, pinned packages, pictures, seeds, versions and
the hash of every file. The folder is written beside its place and renamed, so a reader meets the
old base or the new one, never half of one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from torch import Tensor

from picdeed.core import ids
from picdeed.diffusion.guidance import ALWAYS
from picdeed.diffusion.models import check_base
from picdeed.diffusion.pretrain import autoencoder, denoiser, forward, latents, loop, vocabulary
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture
from picdeed.diffusion.suited import SAMPLING, read_sampling

DEED = "deed.json"
LICENSE = "Apache-2.0"
CARD = "README.md"
NOTICE = "NOTICE"
_VERSIONS = ("torch", "diffusers", "transformers", "safetensors", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A finished base: its folder, its recipe's hash, and SHA-256 of each file by its path."""

    folder: Path
    recipe: str
    files: Mapping[str, str]
    steps: Mapping[str, int]


def write(
    recipe: Recipe,
    pictures: Sequence[TrainingPicture],
    work: Path,
    out: Path,
    snapshot: str | None = None,
) -> Pretrained:
    """Writes the newest averaged weights in `work` to `out`, replacing what was there.

    `snapshot` is the Merkle root of the frozen set that `pictures` are the members of.
    """
    pipeline, steps = assemble(recipe, work)
    beside = out.with_name(f".{out.name}-new")
    shutil.rmtree(beside, ignore_errors=True)
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(beside, safe_serialization=True)
    files = {
        path.relative_to(beside).as_posix(): ids.sha256_file(path)
        for path in sorted(beside.rglob("*"))
        if path.is_file()
    }
    deed = _deed(recipe, pictures, steps, files, snapshot)
    deed |= {"license": LICENSE, "sha256": check_base(beside).sha256}
    deed |= {"first_losses": {part: loop.first_losses(part, work) for part in steps}}
    deed |= {"trained_on": {part: loop.made_on(part, work) for part in steps}}
    (beside / DEED).write_text(json.dumps(deed, indent=2, sort_keys=True) + "\n", "utf-8")
    (beside / CARD).write_text(_card(recipe, pictures, steps), "utf-8")
    (beside / NOTICE).write_text(_notice(recipe), "utf-8")
    for path in beside.rglob("*"):
        # safetensors writes 0600, which would reach a wheel as it is.
        path.chmod(0o755 if path.is_dir() else 0o644)
    _swap(beside, out)
    return Pretrained(out, recipe.digest, files, steps)


def assemble(recipe: Recipe, work: Path) -> tuple[StableDiffusionPipeline, dict[str, int]]:
    """The pipeline of the newest averaged weights in `work` (float32), and the steps of each."""
    vae, model = autoencoder.build(recipe), denoiser.build(recipe)
    steps = {
        autoencoder.NAME: loop.load_average(vae, autoencoder.NAME, work),
        denoiser.NAME: loop.load_average(model, denoiser.NAME, work),
    }
    normal = latents.cached(work)
    fold(vae, normal.mean, normal.width)
    pipeline = StableDiffusionPipeline(
        vae=vae.eval(),
        text_encoder=model.text.eval(),
        tokenizer=vocabulary.learn(
            recipe.words, recipe.denoiser.vocabulary, recipe.denoiser.tokens
        ),
        unet=model.unet.eval(),
        scheduler=forward.scheduler(recipe.denoiser.noise),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return pipeline, steps


@torch.no_grad()
def fold(model: AutoencoderKL, mean: Tensor, width: Tensor) -> None:
    """Makes the latents of `model` normalised: (latent - mean) / width, per channel.

    StableDiffusionPipeline knows one scaling number for all channels; the two 1x1 convolutions
    at the latents' door take one each and cost nothing.
    """
    count = len(mean)
    entry: Any = model.quant_conv
    entry.weight[:count] /= width[:, None, None, None]
    entry.bias[:count] = (entry.bias[:count] - mean) / width
    entry.bias[count:] -= 2 * width.log()
    leave: Any = model.post_quant_conv
    leave.bias += leave.weight[:, :, 0, 0] @ mean
    leave.weight *= width[None, :, None, None]


def _deed(
    recipe: Recipe,
    pictures: Sequence[TrainingPicture],
    steps: Mapping[str, int],
    files: Mapping[str, str],
    snapshot: str | None,
) -> dict[str, Any]:
    hashes = sorted(ids.sha256_file(picture.path) for picture in pictures)
    return {
        "schema": "picdeed.base/1",
        "name": recipe.name,
        "recipe": recipe.digest,
        "seed": recipe.seed,
        "packages": recipe.tables["packages"],
        "pictures": {"count": len(hashes), "digest": ids.hash_json(hashes)},
        "snapshot": {"root": snapshot},
        "steps": dict(steps),
        "samples": {
            "autoencoder": steps["autoencoder"] * recipe.autoencoder.schedule.batch,
            "denoiser": steps["denoiser"] * recipe.denoiser.schedule.batch,
        },
        "concepts": list(recipe.concepts),
        "colours": list(recipe.colours),
        "tints": list(recipe.colours),
        "places": list(recipe.places),
        **({SAMPLING: dict(recipe.sampling)} if recipe.sampling else {}),
        "versions": {name: metadata.version(name) for name in _VERSIONS},
        "files": dict(files),
    }


def _card(recipe: Recipe, pictures: Sequence[TrainingPicture], steps: Mapping[str, int]) -> str:
    licences = "\n".join(
        f"| {package['name']} {package['version']} | {package['license']} | "
        f"{package['author']} | {package['source_url']} |"
        for package in recipe.tables["packages"]
    )
    names = ", ".join(recipe.concepts)
    return _CARD.format(
        name=recipe.name,
        side=recipe.side,
        pictures=len(pictures),
        concepts=len(recipe.concepts),
        names=names,
        colours=", ".join(recipe.colours),
        places=", ".join(recipe.places),
        prediction=recipe.denoiser.noise.prediction,
        noise=recipe.denoiser.noise.schedule,
        licences=licences,
        drawing=_drawing(recipe),
        digest=recipe.digest,
        autoencoder_steps=steps["autoencoder"],
        denoiser_steps=steps["denoiser"],
    )


def _drawing(recipe: Recipe) -> str:
    guidance, interval = read_sampling(recipe.sampling)
    if interval == ALWAYS:
        return f"Use 20 steps and guidance {guidance:g}."
    guided = interval.steps(20)
    first, last = guided.start + 1, guided.stop
    return (
        f"Use 20 steps and guidance {guidance:g} in the steps {first} to {last} only, "
        "as `picdeed generate` does by\nitself (`sampling` in `deed.json`)."
    )


def _notice(recipe: Recipe) -> str:
    parts = [f"{recipe.name}\nA base model of picdeed, under the Apache License 2.0.\n"]
    for package in recipe.tables["packages"]:
        terms = _MIT if package["license"] == "MIT" else _APACHE
        parts.append(
            f"Trained on pictures of {package['name']} {package['version']}\n"
            f"{package['source_url']}\nCopyright (c) {package['author']}\n\n{terms}"
        )
    return ("\n" + "-" * 79 + "\n").join(parts)


def _swap(beside: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists():
        out.rename(old)
    beside.rename(out)
    shutil.rmtree(old, ignore_errors=True)


_APACHE = """\
Licensed under the Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0
"""

_MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

_CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---
# {name}

picdeed's embedded base: a {side} px latent diffusion pipeline (`StableDiffusionPipeline`), trained
from scratch with `picdeed pretrain configs/pretrain/{name}.toml`. It is small enough to
ship, and every picture it learned from is known by hash, licence and author: see `deed.json`.

It paints {concepts} things: {names}. They may be given a colour ("a blue cat"), stand on white or
on a colour ({colours}: "a cat on a red background") or in a place ({places}: "a cat at night"), and
be told a look ("noto style cat"). Anything else comes out as a mixture of these.
{drawing}
It is there to be fine-tuned, tested and explained, not to compete with large models.

## What it learned from
{pictures} glyphs. Its outputs can come near to single glyphs (it has seen two to five of each
thing), so treat outputs as you would treat the glyphs: keep their notices.

| set | licence | author | source |
|---|---|---|---|
{licences}

The weights are licensed under Apache-2.0; the notices of the sets above, in `NOTICE`, stay with
them.

## How
Autoencoder: {autoencoder_steps} steps on 64 px crops. UNet and text encoder: {denoiser_steps} steps
on its latents, {prediction} over {noise}. Recipe `{digest}`. What was measured stands in
`evaluation.json` and is told in `docs/base-model.md`.
"""
