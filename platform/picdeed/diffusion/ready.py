"""What does a run have before its first step, and what does a slot of a step cost with it?

The base, and of every picture, also of those that the base itself drew of a class, its latents, its
prompt, and where its loss counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from picdeed.diffusion.cache import frames, latent_moments, loss_masks, prompt_embeddings
from picdeed.diffusion.captions import Kept, Spoken
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.gradient import computing
from picdeed.diffusion.models import Base, load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import RunPlan, Trainee
from picdeed.diffusion.prior import (
    class_captions,
    class_frames,
    class_latents,
    require_drawing,
)
from picdeed.diffusion.prompts import Prompt
from picdeed.diffusion.recipe import Precision, Recipe
from picdeed.diffusion.runfolder import raise_if_asked_to_stop

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Ready:
    """What a run has before its first step: the base, and everything about its pictures.

    `masks` say where a picture's loss counts, None everywhere. `drawn` says of those that the base
    itself drew how many times theirs counts.
    """

    base: Base
    moments: Tensors
    prompts: Kept | Spoken
    masks: Tensors | None = None
    drawn: Mapping[str, float] = field(default_factory=dict)

    def shape(self, slot: Slot) -> torch.Size:
        """Of the slot's latent: only equal ones are computed together."""
        return self.moments[slot.picture].shape

    def sizes(self) -> dict[str, int]:
        """How many pictures, held out ones too, the base's own not, have which size, as `128x96`
        (width first)."""
        factor = 2 ** (len(self.base.vae.config.block_out_channels) - 1)
        found = Counter(
            one.shape[-2:] for name, one in self.moments.items() if name not in self.drawn
        )
        return {f"{wide * factor}x{high * factor}": n for (high, wide), n in sorted(found.items())}


def prepare(folder: Path, plan: RunPlan) -> Ready:
    """Load the plan's base and fill, or read, the caches.

    Raises IntegrityError when base or pictures are not those planned, UsageError on layers that the
    base does not have or a prior that it cannot draw, Stopped when somebody asked while it draws.
    """
    base = load_base(Path(plan.base), expect=plan.base_sha256, quantize=plan.recipe.quantize)
    base.family.require_targets(plan.recipe.targets, base.facts.name)
    require_drawing(base, plan)
    cache = cache_of(folder, plan)
    ready = made_ready(base, plan, (*plan.members, *plan.held_out), cache)
    return _with_prior(ready, plan, cache, partial(raise_if_asked_to_stop, folder))


def made_ready(base: Base, plan: RunPlan, trainees: Sequence[Trainee], cache: Path) -> Ready:
    """What these pictures of a plan need before its first step; what is cached stays."""
    buckets = plan.recipe.buckets
    moments = latent_moments(base, trainees, cache, flip=plan.recipe.flip, buckets=buckets)
    captions = {trainee.picture: caption_of(trainee, plan.recipe) for trainee in trainees}
    seen = frames(base, trainees, cache, buckets=buckets)
    masks = None
    if plan.recipe.mask_alpha:
        masks = loss_masks(base, trainees, moments, buckets=buckets)
    return Ready(base, moments, _prompts(base, plan, captions, seen, cache), masks)


def _prompts(
    base: Base,
    plan: RunPlan,
    captions: Mapping[str, str],
    seen: Mapping[str, Prompt],
    cache: Path,
) -> Kept | Spoken:
    if plan.recipe.text_rank:
        return Spoken(base, captions, seen)
    words = prompt_embeddings(base, {"", *captions.values()}, cache)
    return Kept(
        {name: {**words[caption], **seen[name]} for name, caption in captions.items()},
        {name: {**words[""], **seen[name]} for name in captions},
    )


def _with_prior(ready: Ready, plan: RunPlan, cache: Path, before_each: Callable[[], None]) -> Ready:
    """With what the base itself draws of the class prompts; their loss counts everywhere."""
    if not plan.recipe.prior:
        return ready
    base = ready.base
    drawn = class_latents(base, plan, cache, before_each)
    more = _prompts(base, plan, class_captions(plan), class_frames(base, plan), cache)
    masks = ready.masks
    if masks is not None:
        masks = {**masks, **{name: torch.ones(1, *one.shape[-2:]) for name, one in drawn.items()}}
    return replace(
        ready,
        moments={**ready.moments, **drawn},
        prompts=ready.prompts.joined(more),  # type: ignore[arg-type] # of the same kind: one recipe
        masks=masks,
        drawn=dict.fromkeys(drawn, plan.recipe.prior_weight),
    )


def cache_of(folder: Path, plan: RunPlan) -> Path:
    """Where a plan keeps what is computed once."""
    return Path(plan.cache) if plan.cache else folder / "cache"


def slots_losses(
    objective: Objective, ready: Ready, precision: Precision, slots: Sequence[Slot]
) -> torch.Tensor:
    """Weighted losses [n]; latent and noise are drawn from each slot's own seed."""
    latents, noises = [], []
    for slot in slots:
        mean, deviation = ready.moments[slot.picture][int(slot.flip)]
        generator = torch.Generator().manual_seed(slot.noise_seed)
        latents.append(mean + deviation * torch.randn(mean.shape, generator=generator))
        noises.append(torch.randn(mean.shape, generator=generator))
    timesteps = torch.tensor([slot.timestep for slot in slots])
    masks = None
    if ready.masks is not None:
        masks = torch.stack([_mask(ready.masks, slot) for slot in slots])
    with computing(ready.base.device, precision):
        losses = objective.losses(
            torch.stack(latents), torch.stack(noises), timesteps, ready.prompts.read(slots), masks
        )
    counts = [ready.drawn.get(slot.picture, 1.0) for slot in slots]
    return losses * objective.weights(timesteps) * torch.tensor(counts, device=losses.device)


def _mask(masks: Tensors, slot: Slot) -> torch.Tensor:
    return masks[slot.picture].flip(-1) if slot.flip else masks[slot.picture]


def caption_of(trainee: Trainee, recipe: Recipe) -> str:
    """The caption as trained; without a caption of its own a picture trains unconditionally."""
    own = trainee.caption.strip()
    return f"{recipe.caption_prefix}{own}{recipe.caption_suffix}" if own else ""
