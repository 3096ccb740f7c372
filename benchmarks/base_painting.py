"""What is the embedded base asked to paint, and what does it paint? For all benchmarks of it.

Every thing is asked for once in each row, with each seed; what was painted is kept in the work
folder, so that the judge, the copies and the distances are told of the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from picdeed.core.ids import hash_json
from picdeed.diffusion.guidance import guided_within
from picdeed.diffusion.models import check_base
from picdeed.diffusion.pretrain import compose
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.suited import Suited, suited

SEEDS, STEPS = (11, 12, 13, 14), 20
_AT_ONCE, _WORKERS = 16, 2

Bytes = npt.NDArray[np.uint8]
Asked = list[tuple[str, compose.Variant]]


def asked_for(recipe: recipes.Recipe, composed: Sequence[str] | None = None) -> dict[str, Asked]:
    """Every thing once plainly, and these (or all) once in each further row; rows called `new` hold
    what was never trained together."""
    colours, places, count = list(recipe.colours), recipe.places, recipe.denoiser.held_out
    rows: dict[str, Asked] = {}

    def one_of(names: Sequence[str], word: str, kind: str, *, new: bool) -> str:
        banned = compose.held_out(word, names, count, kind)
        left = [name for name in names if (name in banned) == new]
        return left[recipe.concepts.index(word) % len(left)]

    for word in recipe.concepts:
        rows.setdefault("plain", []).append((word, compose.AS_DRAWN))
        if composed is not None and word not in composed:
            continue
        for row, new in (("trained", False), ("new", True)):
            colour = one_of(colours, word, "", new=new)
            place = one_of(places, word, "", new=new)
            tint = one_of(colours, word, "tint", new=new)
            for kind, how in (
                ("colour", compose.Variant("", colour)),
                ("place", compose.Variant("", place)),
                ("tint on a colour", compose.Variant(tint, colour)),
            ):
                rows.setdefault(f"{row} {kind}", []).append((word, how))
    return rows


def painted(
    base: Path,
    prompts: Sequence[str],
    work: Path,
    *,
    seeds: Sequence[int] = SEEDS,
    guidance: float | None = None,
) -> list[Bytes]:
    """For each seed uint8[prompts, side, side, 3]. Picture i of a seed has its own noise.

    Drawn as its deed says, unless with another `guidance`.
    """
    how = suited(base)
    if guidance is not None:
        how = replace(how, guidance=guidance)
    key = [check_base(base).sha256, list(prompts), STEPS, asdict(how)]
    asked = [(seed, hash_json([*key, seed])) for seed in seeds]
    paths = [work / "painted" / f"{name}.npy" for _, name in asked]
    missing = [k for k, path in enumerate(paths) if not path.is_file()]
    if missing:
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as pool:
            jobs = [pool.submit(paint, base, prompts, seeds[k], how) for k in missing]
            for k, job in zip(missing, jobs, strict=True):
                beside = paths[k].with_suffix(".part.npy")
                np.save(beside, job.result())
                beside.replace(paths[k])
    return [np.load(path) for path in paths]


def paint(base: Path, prompts: Sequence[str], seed: int, how: Suited) -> Bytes:
    """uint8[prompts, side, side, 3], picture i from the noise of seed 1000 seed + i."""
    # One thread each: small convolutions do not fill two.
    torch.set_num_threads(1)
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(base, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    found = []
    for first in range(0, len(prompts), _AT_ONCE):
        some = list(prompts[first : first + _AT_ONCE])
        noise = [torch.Generator().manual_seed(seed * 1000 + first + k) for k in range(len(some))]
        with guided_within(pipeline.unet, how.interval, steps=STEPS, pictures=len(some)):
            images = pipeline(
                some,
                num_inference_steps=STEPS,
                guidance_scale=how.guidance,
                generator=noise,
                output_type="np",
            ).images
        found.append(np.rint(images * 255).astype(np.uint8))
    return np.concatenate(found)
