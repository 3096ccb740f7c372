"""What does a run have before its first step, and what does a slot of a step cost with it?

The base, and of every picture its latents, its prompt, and where its loss counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from picdeed.diffusion.cache import frames, latent_moments, loss_masks, prompt_embeddings
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.gradient import computing
from picdeed.diffusion.models import Base, load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import RunPlan, Trainee
from picdeed.diffusion.prompts import Prompt, stacked
from picdeed.diffusion.recipe import Precision, Recipe

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Ready:
    """What a run has before its first step: the base, and everything about its pictures.

    `wordless` is what a picture's prompt is where its caption is dropped; `masks` say where its
    loss counts, None everywhere.
    """

    base: Base
    moments: Tensors
    prompts: Mapping[str, Prompt]
    wordless: Mapping[str, Prompt]
    masks: Tensors | None = None

    def shape(self, slot: Slot) -> torch.Size:
        """Of the slot's latent: only equal ones are computed together."""
        return self.moments[slot.picture].shape

    def sizes(self) -> dict[str, int]:
        """How many pictures, held out ones too, have which size, as `128x96` (width first)."""
        factor = 2 ** (len(self.base.vae.config.block_out_channels) - 1)
        found = Counter(one.shape[-2:] for one in self.moments.values())
        return {f"{wide * factor}x{high * factor}": n for (high, wide), n in sorted(found.items())}


def prepare(folder: Path, plan: RunPlan) -> Ready:
    """Load the plan's base and fill, or read, the caches.

    Raises IntegrityError when base or pictures are not those planned, UsageError on layers that the
    base does not have.
    """
    base = load_base(Path(plan.base), expect=plan.base_sha256)
    base.family.require_targets(plan.recipe.targets, base.facts.name)
    return made_ready(base, plan, (*plan.members, *plan.held_out), cache_of(folder, plan))


def made_ready(base: Base, plan: RunPlan, trainees: Sequence[Trainee], cache: Path) -> Ready:
    """What these pictures of a plan need before its first step; what is cached stays."""
    buckets = plan.recipe.buckets
    moments = latent_moments(base, trainees, cache, flip=plan.recipe.flip, buckets=buckets)
    captions = {trainee.picture: caption_of(trainee, plan.recipe) for trainee in trainees}
    words = prompt_embeddings(base, {"", *captions.values()}, cache)
    seen = frames(base, trainees, cache, buckets=buckets)
    prompts = {name: {**words[caption], **seen[name]} for name, caption in captions.items()}
    wordless = {name: {**words[""], **seen[name]} for name in captions}
    masks = None
    if plan.recipe.mask_alpha:
        masks = loss_masks(base, trainees, moments, buckets=buckets)
    return Ready(base, moments, prompts, wordless, masks)


def cache_of(folder: Path, plan: RunPlan) -> Path:
    """Where a plan keeps what is computed once."""
    return Path(plan.cache) if plan.cache else folder / "cache"


def slots_losses(
    objective: Objective, ready: Ready, precision: Precision, slots: Sequence[Slot]
) -> torch.Tensor:
    """Weighted losses [n]; latent and noise are drawn from each slot's own seed."""
    latents, noises, texts = [], [], []
    for slot in slots:
        mean, deviation = ready.moments[slot.picture][int(slot.flip)]
        generator = torch.Generator().manual_seed(slot.noise_seed)
        latents.append(mean + deviation * torch.randn(mean.shape, generator=generator))
        noises.append(torch.randn(mean.shape, generator=generator))
        texts.append((ready.wordless if slot.drop_caption else ready.prompts)[slot.picture])
    timesteps = torch.tensor([slot.timestep for slot in slots])
    masks = None
    if ready.masks is not None:
        masks = torch.stack([_mask(ready.masks, slot) for slot in slots])
    with computing(ready.base.device, precision):
        losses = objective.losses(
            torch.stack(latents), torch.stack(noises), timesteps, stacked(texts), masks
        )
    return losses * objective.weights(timesteps)


def _mask(masks: Tensors, slot: Slot) -> torch.Tensor:
    return masks[slot.picture].flip(-1) if slot.flip else masks[slot.picture]


def caption_of(trainee: Trainee, recipe: Recipe) -> str:
    """The caption as trained; without a caption of its own a picture trains unconditionally."""
    own = trainee.caption.strip()
    return f"{recipe.caption_prefix}{own}{recipe.caption_suffix}" if own else ""
