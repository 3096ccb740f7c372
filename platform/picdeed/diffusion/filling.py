"""How long does it take to fill the cache? Its first few pictures tell, and stay in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from picdeed.diffusion.cache import (
    embeddings_at,
    encode,
    latent_moments,
    moments_at,
    names_of,
    prompt_embeddings,
)
from picdeed.diffusion.memory import forget_peak, peak
from picdeed.diffusion.models import Base
from picdeed.diffusion.plan import RunPlan, Trainee
from picdeed.diffusion.ready import caption_of, shown_crops

PICTURES = 4
_One = TypeVar("_One")


@dataclass(frozen=True, slots=True)
class Filling:
    """Pictures, with so many crops together, and captions that a run still has to read after these,
    the seconds that a crop and a caption take (0 where none was read), and the most memory in use
    meanwhile. `chosen` are in the cache now.
    """

    chosen: tuple[Trainee, ...]
    pictures: int
    crops: int
    captions: int
    a_crop: float
    a_caption: float
    most: int

    @property
    def seconds(self) -> float:
        """Of all that is left."""
        return self.crops * self.a_crop + self.captions * self.a_caption


def fill(base: Base, plan: RunPlan, cache: Path, *, encodes: bool) -> Filling:
    """Read up to 4 of a plan's pictures into the cache, those first that are not there yet. Where
    pictures have several crops it is kept of all of them how they are cut.

    With `encodes` it is told what a crop takes, even where all of them are there.
    """
    everyone, recipe = (*plan.members, *plan.held_out), plan.recipe
    how: Any = {"flip": recipe.flip, "buckets": recipe.buckets}
    how["crops"] = crops = shown_crops(base, plan, everyone, cache)
    paths = moments_at(base, [one.picture for one in everyone], cache, **how)

    def missing(one: Trainee) -> int:
        return sum(not paths[name].is_file() for name in names_of(one.picture, crops))

    lacking = {one.picture: missing(one) for one in everyone}
    unread = [one for one in everyone if lacking[one.picture]]
    read = [one for one in everyone if not lacking[one.picture]]
    chosen = (*unread, *read)[:PICTURES]
    captions = {"", *(caption_of(one, recipe) for one in everyone)}
    if recipe.text_rank:
        captions.clear()  # what learns to read them says something else after every step
    unheard = [
        text for text, path in embeddings_at(base, captions, cache).items() if not path.is_file()
    ]
    now = {"", *(caption_of(one, recipe) for one in chosen)}.intersection(unheard)
    forget_peak(base.device)
    reading = partial(latent_moments, base, folder=cache, **how)
    a_crop = _each(reading, unread[:PICTURES], lambda one: lacking[one.picture])
    if encodes and not unread:
        blank = torch.zeros(3, base.facts.size, base.facts.size)
        a_crop = _each(lambda some: [encode(base, one) for one in some], [blank, blank])
    a_caption = _each(partial(prompt_embeddings, base, folder=cache), sorted(now))
    return Filling(
        chosen=chosen,
        pictures=len(unread[PICTURES:]),
        crops=sum(lacking[one.picture] for one in unread[PICTURES:]),
        captions=len(unheard) - len(now),
        a_crop=a_crop,
        a_caption=a_caption,
        most=peak(base.device),
    )


def _each(
    read: Callable[[Sequence[_One]], object],
    some: Sequence[_One],
    parts: Callable[[_One], int] = lambda _: 1,
) -> float:
    """Seconds that a part of one takes. The first warms up, and counts only where it is alone."""
    if not some:
        return 0.0
    begun = time.perf_counter()
    read(some[:1])
    if len(some) > 1:
        begun = time.perf_counter()
        read(some[1:])
    return (time.perf_counter() - begun) / sum(map(parts, some[1:] or some))
