"""What does the base itself draw of a class, so that an adapter of one cat leaves all cats alone?

Prior preservation (Ruiz et al. 2022, DreamBooth, arXiv 2208.12242, section 3.2): before step 1 the
base, without any adapter, draws pictures of the recipe's class prompts. Each step is shown as many
of them as of the run's pictures, and their loss counts `prior_weight` times.

Kept are the latents in which the sampler ended, with no spread. They are what the network itself
said, in the very numbers that it is trained in: decoded and encoded again they would teach the
autoencoder's losses beside the prior, and undecoded they are no picture that would have to be
signed. They are the base's own, so no licence is asked about them: no members of the snapshot, in
no row of exposures.

They are shown as the base drew them: at its size, under their own prompt alone (no prefix, suffix
or dropped caption), never mirrored, and their loss counts everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from picdeed.core.errors import RunFailed, UsageError
from picdeed.core.ids import hash_json
from picdeed.diffusion.cache import conditions, keep, kept
from picdeed.diffusion.data import Frame
from picdeed.diffusion.draws import Slot, exposures, fixed_seed, slots_of
from picdeed.diffusion.latents import prior_of
from picdeed.diffusion.models import Base
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.prompts import Prompt
from picdeed.diffusion.quantised import told as told_of_bits
from picdeed.diffusion.sample import draw_latents
from picdeed.diffusion.samples import quickest

STEPS, GUIDANCE = 20, 2.5
"""Fixed, whatever the base's deed asks for: a run's bytes follow from its plan and the weights, and
a deed may be written anew."""
_VERSION = 1


def class_slots(plan: RunPlan, step: int, timesteps: int) -> tuple[Slot, ...]:
    """As many slots as a whole batch has, with draws of their own; none without class prompts.

    Rows of the plan that are left out take none of them along: they are rows of their own.
    """
    recipe = plan.recipe
    if not recipe.prior:
        return ()
    return slots_of(
        step,
        tuple(_names(plan)),
        seed=_seed(plan),
        batch=recipe.batch,
        timesteps=timesteps,
    )


def class_exposures(plan: RunPlan) -> dict[str, int]:
    """How often the plan shows each class picture that it shows at all, by its name in slots."""
    recipe = plan.recipe
    if not recipe.prior:
        return {}
    names = tuple(_names(plan))
    counts = exposures(names, seed=_seed(plan), steps=recipe.steps, batch=recipe.batch)
    return {name: count for name, count in counts.items() if count}


def told(plan: RunPlan, shown: Mapping[str, int]) -> list[dict[str, Any]]:
    """JSON values, a row a class prompt: `prompt`, how many `pictures` were made of it, and how
    often they were `shown` together."""
    made, often = Counter[str](), Counter[str]()
    names = _names(plan)
    for name in class_exposures(plan):
        made[names[name][0]] += 1
        often[names[name][0]] += shown[name]
    return [
        {"prompt": prompt, "pictures": made[prompt], "shown": often[prompt]}
        for prompt in plan.recipe.prior
    ]


def class_files(base: Base, plan: RunPlan, folder: Path) -> dict[str, Path]:
    """Per class picture that the plan shows the file that keeps its latent, or would."""
    names = _names(plan)
    keys = {name: hash_json(_deciding(base, *names[name])) for name in class_exposures(plan)}
    return {name: prior_of(folder) / f"{key}.safetensors" for name, key in keys.items()}


def class_latents(
    base: Base,
    plan: RunPlan,
    folder: Path,
    before_each: Callable[[], None] = lambda: None,
    *,
    only: Collection[str] | None = None,
) -> dict[str, torch.Tensor]:
    """Per class picture that the plan shows float32 [1, 2, channels, height, width], mean and
    deviation as of a picture's latent; the deviation is 0. The base has no adapter on it. With
    `only` of those of these names.

    One is kept as soon as it is drawn, by everything that decides it, for every run on this base.
    `before_each` is called before one is drawn. Raises RunFailed when the base draws what is not
    finite.
    """
    names, found = _names(plan), dict[str, torch.Tensor]()
    for name, path in class_files(base, plan, folder).items():
        if only is not None and name not in only:
            continue
        prompt, seed = names[name]
        latent = kept(path).get("latent")
        if latent is None:
            before_each()
            latent = _drawn(base, prompt, seed)
            keep(path, {"latent": latent})
        found[name] = torch.stack([latent, torch.zeros_like(latent)])[None]
    return found


def class_captions(plan: RunPlan) -> dict[str, str]:
    """Per class picture that the plan shows its prompt, as it is."""
    names = _names(plan)
    return {name: names[name][0] for name in class_exposures(plan)}


def class_frames(base: Base, plan: RunPlan) -> dict[str, Prompt]:
    """Per class picture that the plan shows, where the base is told of frames, that nothing was cut
    off; else nothing."""
    size = base.facts.size
    whole: Prompt = {}
    if base.family.framed is not None:
        whole = base.family.framed(Frame(size, size, 0, 0, size, size))
    return dict.fromkeys(class_exposures(plan), whole)


def require_drawing(base: Base, plan: RunPlan) -> None:
    """Raise UsageError where the recipe has class prompts and no sampler draws with this base."""
    if plan.recipe.prior and not base.family.samplers(base.facts.prediction):
        raise UsageError(
            f"No sampler draws with {base.facts.name}, so it cannot show what it knows of prior; "
            "nothing was trained.",
            hint="Train with --set prior=[].",
        )


def _drawn(base: Base, prompt: str, seed: int) -> torch.Tensor:
    latent = draw_latents(
        base, prompt, seed, steps=STEPS, guidance=GUIDANCE, sampler=quickest(base)
    )
    if not bool(torch.isfinite(latent).all()):
        raise RunFailed(
            f"The base's own picture of {prompt!r} is not finite; nothing was trained.",
            hint="Choose another prior, or train without: --set prior=[].",
        )
    return latent


def _deciding(base: Base, prompt: str, seed: int) -> dict[str, Any]:
    return conditions(base) | {
        "prior": _VERSION,
        "base": base.facts.sha256,
        "prompt": prompt,
        "seed": seed,
        "sampler": str(quickest(base)),
        "steps": STEPS,
        "guidance": GUIDANCE,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        **told_of_bits(base),
    }


def _names(plan: RunPlan) -> dict[str, tuple[str, int]]:
    """Every class picture's name in slots, which no picture has: its prompt and its seed."""
    return {
        f"prior_{which}_{seed}": (prompt, seed)
        for which, prompt in enumerate(plan.recipe.prior)
        for seed in range(plan.recipe.prior_pictures)
    }


def _seed(plan: RunPlan) -> int:
    return fixed_seed("prior", plan.seed)
