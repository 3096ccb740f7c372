"""How long does it take to fill the cache? Its first few pictures tell, and stay in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from picdeed.diffusion.cache import (
    embeddings_at,
    encode,
    latent_moments,
    moments_at,
    prompt_embeddings,
)
from picdeed.diffusion.memory import forget_peak, peak
from picdeed.diffusion.models import Base
from picdeed.diffusion.plan import RunPlan, Trainee
from picdeed.diffusion.ready import caption_of

PICTURES = 4
_One = TypeVar("_One")


@dataclass(frozen=True, slots=True)
class Filling:
    """Pictures and captions that a run still has to read after these, the seconds that each takes
    (0 where none was read), and the most memory in use meanwhile. `chosen` are in the cache now.
    """

    chosen: tuple[Trainee, ...]
    pictures: int
    captions: int
    a_picture: float
    a_caption: float
    most: int

    @property
    def seconds(self) -> float:
        """Of all that is left."""
        return self.pictures * self.a_picture + self.captions * self.a_caption


def fill(base: Base, plan: RunPlan, cache: Path, *, encodes: bool) -> Filling:
    """Read up to 4 of a plan's pictures into the cache, those first that are not there yet.

    With `encodes` it is told what a picture takes, even where all of them are there.
    """
    everyone, recipe = (*plan.members, *plan.held_out), plan.recipe
    names = [one.picture for one in everyone]
    flip, buckets = recipe.flip, recipe.buckets
    paths = moments_at(base, names, cache, flip=flip, buckets=buckets)
    unread = [one for one in everyone if not paths[one.picture].is_file()]
    read = [one for one in everyone if paths[one.picture].is_file()]
    chosen = (*unread, *read)[:PICTURES]
    captions = {"", *(caption_of(one, recipe) for one in everyone)}
    unheard = [
        text for text, path in embeddings_at(base, captions, cache).items() if not path.is_file()
    ]
    now = {"", *(caption_of(one, recipe) for one in chosen)}.intersection(unheard)
    forget_peak(base.device)
    reading = partial(latent_moments, base, folder=cache, flip=flip, buckets=buckets)
    a_picture = _each(reading, unread[:PICTURES])
    if encodes and not unread:
        blank = torch.zeros(3, base.facts.size, base.facts.size)
        a_picture = _each(lambda some: [encode(base, one) for one in some], [blank, blank])
    a_caption = _each(partial(prompt_embeddings, base, folder=cache), sorted(now))
    return Filling(
        chosen=chosen,
        pictures=len(unread[PICTURES:]),
        captions=len(unheard) - len(now),
        a_picture=a_picture,
        a_caption=a_caption,
        most=peak(base.device),
    )


def _each(read: Callable[[Sequence[_One]], object], some: Sequence[_One]) -> float:
    """Seconds that one takes. The first warms up, and counts only where it is alone."""
    begun = time.perf_counter()
    read(some[:1])
    if len(some) > 1:
        begun = time.perf_counter()
        read(some[1:])
    return (time.perf_counter() - begun) / max(1, len(some) - 1) if some else 0.0
