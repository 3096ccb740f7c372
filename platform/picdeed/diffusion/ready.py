"""What does a run have before its first step, and what does a slot of a step cost with it?

The base, and of every picture, also of those that the base itself drew of a class, its latents, its
prompt, and where its loss counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from picdeed.diffusion.cache import (
    crops_of,
    frames,
    latent_moments,
    loss_masks,
    mirrors,
    names_of,
    prompt_embeddings,
)
from picdeed.diffusion.captions import Kept, Spoken
from picdeed.diffusion.crops import is_middle
from picdeed.diffusion.data import Crops
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

    `moments`, `prompts` and `masks` are by the names of crops, the middle one's its picture's id.
    `masks` say where a loss counts, None everywhere; `drawn` says of pictures that the base itself
    drew how many times theirs counts, `crops` of those with more than one how many they have.
    """

    base: Base
    moments: Tensors
    prompts: Kept | Spoken
    masks: Tensors | None = None
    drawn: Mapping[str, float] = field(default_factory=dict)
    crops: Mapping[str, int] = field(default_factory=dict)

    def shape(self, slot: Slot) -> torch.Size:
        """Of the slot's latent: only equal ones are computed together."""
        return self.moments[slot.shown].shape

    def sizes(self) -> dict[str, int]:
        """How many pictures, held out ones too, the base's own not, have which size, as `128x96`
        (width first)."""
        factor = 2 ** (len(self.base.vae.config.block_out_channels) - 1)
        found = Counter(
            one.shape[-2:]
            for name, one in self.moments.items()
            if name not in self.drawn and is_middle(name)
        )
        return {f"{wide * factor}x{high * factor}": n for (high, wide), n in sorted(found.items())}

    def cropped(self, trainees: Sequence[Trainee]) -> dict[str, int]:
        """How many of these pictures really have how many crops, as `3`."""
        found = Counter(self.crops.get(trainee.picture, 1) for trainee in trainees)
        return {str(count): pictures for count, pictures in sorted(found.items())}


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
    return with_prior(ready, plan, cache, partial(raise_if_asked_to_stop, folder))


def made_ready(base: Base, plan: RunPlan, trainees: Sequence[Trainee], cache: Path) -> Ready:
    """What these pictures of a plan need before its first step; what is cached stays."""
    buckets, flip = plan.recipe.buckets, plan.recipe.flip
    crops = shown_crops(base, plan, trainees, cache)
    moments = latent_moments(base, trainees, cache, flip=flip, buckets=buckets, crops=crops)
    captions = {one.picture: caption_of(one, plan.recipe) for one in trainees}
    seen = frames(base, trainees, cache, buckets=buckets, crops=crops)
    masks = None
    if plan.recipe.mask_alpha:
        masks = loss_masks(base, trainees, moments, buckets=buckets, crops=crops)
    prompts = _prompts(base, plan, captions, seen, cache, crops=crops)
    return Ready(base, moments, prompts, masks, crops={name: len(crops[name]) for name in crops})


def shown_crops(base: Base, plan: RunPlan, trainees: Sequence[Trainee], cache: Path) -> Crops:
    """Of those of these pictures that the plan trains on, the crops: what is held out is measured
    in the middle, so that its losses compare with every other run's."""
    learned = {trainee.picture for trainee in plan.members}
    some = [trainee for trainee in trainees if trainee.picture in learned]
    recipe = plan.recipe
    return crops_of(base, some, cache, buckets=recipe.buckets, count=recipe.crops)


def _prompts(
    base: Base,
    plan: RunPlan,
    captions: Mapping[str, str],
    seen: Mapping[str, Prompt],
    cache: Path,
    *,
    crops: Crops,
) -> Kept | Spoken:
    mirrored = mirrors(base, crops) if plan.recipe.flip else {}
    if plan.recipe.text_rank:
        return Spoken(base, captions, seen, mirrored)
    words = prompt_embeddings(base, {"", *captions.values()}, cache)
    said = {name: words[text] for one, text in captions.items() for name in names_of(one, crops)}
    return Kept(
        {name: {**told, **seen[name]} for name, told in said.items()},
        {name: {**words[""], **seen[name]} for name in said},
        mirrored,
    )


def with_prior(
    ready: Ready,
    plan: RunPlan,
    cache: Path,
    before_each: Callable[[], None] = lambda: None,
    *,
    only: Collection[str] | None = None,
) -> Ready:
    """With what the base itself draws of the class prompts, see `class_latents`; their loss counts
    everywhere."""
    if not plan.recipe.prior:
        return ready
    base = ready.base
    drawn = class_latents(base, plan, cache, before_each, only=only)
    said, seen = class_captions(plan), class_frames(base, plan)
    own = ({name: said[name] for name in drawn}, {name: seen[name] for name in drawn})
    more = _prompts(base, plan, *own, cache, crops={})
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
        mean, deviation = ready.moments[slot.shown][int(slot.flip)]
        generator = torch.Generator().manual_seed(slot.noise_seed)
        latents.append(mean + deviation * torch.randn(mean.shape, generator=generator))
        noises.append(torch.randn(mean.shape, generator=generator))
    timesteps = torch.tensor([slot.timestep for slot in slots])
    masks = None
    if ready.masks is not None:
        masks = torch.stack([_mask(ready.masks, slot) for slot in slots])
    device = ready.base.device
    # Before the network is asked: what comes to a device meanwhile waits for all of it.
    counts = torch.tensor([ready.drawn.get(slot.picture, 1.0) for slot in slots], device=device)
    weights = objective.weights(timesteps)
    with computing(device, precision):
        losses = objective.losses(
            torch.stack(latents), torch.stack(noises), timesteps, ready.prompts.read(slots), masks
        )
    return losses * weights * counts


def _mask(masks: Tensors, slot: Slot) -> torch.Tensor:
    return masks[slot.shown].flip(-1) if slot.flip else masks[slot.shown]


def caption_of(trainee: Trainee, recipe: Recipe) -> str:
    """The caption as trained; without a caption of its own a picture trains unconditionally."""
    own = trainee.caption.strip()
    return f"{recipe.caption_prefix}{own}{recipe.caption_suffix}" if own else ""
