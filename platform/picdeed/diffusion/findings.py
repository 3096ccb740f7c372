"""What else is there to say of what an adapter learned? What a result holds under `evidence`.

kept         which weights became the adapter: {keep, step}
curve        the held-out loss on the way (curve.py); null where it was not measured
forgetting   what the base unlearned (forgetting.py); null with `forgetting_reason`
style        how far drawn pictures lie from the trained ones: the adapter's, the base's, and real
             ones that are held out; null where no samples were asked for
samples      how many prompts were drawn, and after how many steps the adapter's were
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from picdeed.diffusion.curve import curve_of
from picdeed.diffusion.data import dataset_of, pictures_of, square
from picdeed.diffusion.evidence import bare
from picdeed.diffusion.forgetting import forgetting
from picdeed.diffusion.gram import grams_apart, grams_of
from picdeed.diffusion.models import Base
from picdeed.diffusion.plan import RunPlan, Trainee
from picdeed.diffusion.runfolder import read_log
from picdeed.diffusion.sample import image_of
from picdeed.diffusion.samples import drawn_for
from picdeed.diffusion.style import distance, traits_of

MOST_REAL = 32  # pictures a side: histograms of more say the same
_FEWEST_REAL = 2


def findings(folder: Path, plan: RunPlan, base: Base, kept: int) -> dict[str, Any]:
    """JSON values. The adapter on `base` is the one that is kept, as it was after `kept` steps."""
    curve = curve_of(read_log(folder))
    forgot = forgetting(plan, base)
    style = _style(plan, base)
    return {
        "kept": {"keep": str(plan.recipe.keep), "step": kept},
        "curve": curve.document() if curve else None,
        "forgetting": forgot.document() if forgot else None,
        "forgetting_reason": None if forgot else _why_not(plan),
        "style": style,
        "samples": {"prompts": style["prompts"], "step": kept} if style else None,
    }


def _why_not(plan: RunPlan) -> str:
    if plan.recipe.eval_share == 0:
        return "The recipe asks for none (eval_share = 0)."
    return (
        "The run is too short, or its captions hold every word that the base would have been "
        "asked to draw."
    )


def _style(plan: RunPlan, base: Base) -> dict[str, Any] | None:
    drawn = drawn_for(plan, base)
    if not drawn:
        return None
    with bare(base):
        plain = drawn_for(plan, base)
    trained = _pictures(plan.members[:MOST_REAL], base)
    real = _pictures(plan.held_out[:MOST_REAL], base)
    yard, textures = traits_of(trained), grams_of(base, trained)

    def apart(images: Sequence[Image.Image]) -> dict[str, float]:
        told = asdict(distance(traits_of(images), yard))
        return {**told, "texture": grams_apart(grams_of(base, images), textures)}

    return {
        "prompts": len(drawn),
        "adapter": apart(drawn),
        "base": apart(plain),
        "real": apart(real) if len(real) >= _FEWEST_REAL else None,
    }


def _pictures(trainees: Sequence[Trainee], base: Base) -> list[Image.Image]:
    """As the base is shown them: fitted to its square."""
    rows = pictures_of(dataset_of(trainees), square(base.facts.size))
    return [image_of((values + 1) / 2) for _, values in rows]
