"""What did a run draw on its way? The same prompts and seeds at step 0 and at every checkpoint.

They lie unsigned in the run's folder, `samples/STEP-NUMBER.png`, and only there: a folder inside a
registry has the place for them, made by whoever starts the run; where it is missing (a bundle's
run, a replay) nothing is drawn. They are no outputs: what may leave, `picdeed generate` draws and
signs.
No torch in here before something is drawn.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.runfolder import write_bytes
from picdeed.diffusion.samplers import Sampler
from picdeed.diffusion.suited import SAMPLING, read_sampling

if TYPE_CHECKING:
    from PIL import Image

    from picdeed.diffusion.models import Base

PLACE = "samples"
STEPS = 12
_NAME = re.compile(r"(\d{7})-(\d)\.png")


def asked_for(plan: RunPlan) -> tuple[str, ...]:
    """The prompts by number; their seeds are their numbers. The recipe's own, or the captions of so
    many held-out pictures. An empty one, such as an erased caption, is not drawn.
    """
    recipe, held_out = plan.recipe, {one.picture: one for one in plan.held_out}
    if not isinstance(recipe.samples, int):
        return recipe.samples
    captions = [held_out[name].caption.strip() for name in plan.measured[: recipe.samples]]
    return tuple(
        f"{recipe.caption_prefix}{own}{recipe.caption_suffix}" if own else "" for own in captions
    )


def make_place(folder: Path) -> None:
    """Let a run inside a registry keep its samples. A folder elsewhere must not have this place."""
    (folder / PLACE).mkdir(parents=True, exist_ok=True)


def samples_in(folder: Path) -> dict[int, dict[int, Path]]:
    """The files by step and number, both in order."""
    found: dict[int, dict[int, Path]] = {}
    for path in sorted((folder / PLACE).glob("*.png")):
        if named := _NAME.fullmatch(path.name):
            found.setdefault(int(named[1]), {})[int(named[2])] = path
    return found


def forget_samples(folder: Path) -> int:
    """Remove what a run drew, and the place; how many files that were."""
    count = sum(len(row) for row in samples_in(folder).values())
    shutil.rmtree(folder / PLACE, ignore_errors=True)
    return count


def draw_samples(folder: Path, plan: RunPlan, base: Base, step: int) -> None:
    """Draw with the base as it is after `step` steps, where there is a place for it."""
    if not (folder / PLACE).is_dir():
        return
    for number, image in _drawn(base, asked_for(plan)).items():
        png = io.BytesIO()
        image.save(png, "PNG")
        write_bytes(folder / PLACE / f"{step:07d}-{number}.png", png.getvalue())


def drawn_for(plan: RunPlan, base: Base) -> list[Image.Image]:
    """What the prompts give now, in memory only."""
    return list(_drawn(base, asked_for(plan)).values())


def draw_quickly(
    base: Base, prompts: Sequence[str], seeds: Sequence[int], *, steps: int = STEPS
) -> list[Image.Image]:
    """A picture each, in few steps, by the quickest sampler, guided as the base's deed says."""
    from picdeed.diffusion.sample import draw

    guidance, interval = read_sampling(base.facts.deed.get(SAMPLING, {}))
    return draw(
        base, prompts, seeds, steps=steps, guidance=guidance, interval=interval,
        sampler=quickest(base),
    )  # fmt: skip


def quickest(base: Base) -> Sampler:
    """The sampler that needs the fewest steps of those that draw with the base."""
    known = base.family.samplers(base.facts.prediction)
    return Sampler.DPM if Sampler.DPM in known else next(iter(known))


def _drawn(base: Base, prompts: Sequence[str]) -> dict[int, Image.Image]:
    numbers = [number for number, prompt in enumerate(prompts) if prompt]
    images = draw_quickly(base, [prompts[number] for number in numbers], numbers)
    return dict(zip(numbers, images, strict=True))
