"""How long does it take to fill the cache? Its first few pictures tell, and stay in it.

So do the first two that the base itself draws of a class.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
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
from picdeed.diffusion.prior import class_captions, class_files, class_latents
from picdeed.diffusion.ready import caption_of, shown_crops

PICTURES, DRAWN = 4, 2
_LONG = 60.0  # seconds; of what takes longer the first one counts, for warming up is little of it
_One = TypeVar("_One")


@dataclass(frozen=True, slots=True)
class Filling:
    """Pictures, with so many crops together, and captions that a run still has to read after these,
    class pictures that its base still has to draw, the seconds that a crop, a caption and such a
    picture take (0 where none was read or drawn), and the most memory in use meanwhile. `chosen`
    and, by their names in slots, `shown` are in the cache now.
    """

    chosen: tuple[Trainee, ...]
    shown: tuple[str, ...]
    pictures: int
    crops: int
    captions: int
    drawings: int
    a_crop: float
    a_caption: float
    a_drawing: float
    most: int

    @property
    def seconds(self) -> float:
        """Of all that is left."""
        read = self.crops * self.a_crop + self.captions * self.a_caption
        return read + self.drawings * self.a_drawing


def fill(base: Base, plan: RunPlan, cache: Path, *, encodes: bool) -> Filling:
    """Read up to 4 of a plan's pictures into the cache, and draw up to 2 of its class pictures,
    those first that are not there yet. Where pictures have several crops it is kept of all of them
    how they are cut. The base has no adapter on it.

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
    classes, files = class_captions(plan), class_files(base, plan, cache)
    undrawn = _missing(files)
    captions = {"", *(caption_of(one, recipe) for one in everyone), *classes.values()}
    if recipe.text_rank:
        captions.clear()  # what learns to read them says something else after every step
    unheard = _missing(embeddings_at(base, captions, cache))
    forget_peak(base.device)
    reading = partial(latent_moments, base, folder=cache, **how)
    a_crop = _each(reading, unread[:PICTURES], lambda one: lacking[one.picture])
    if encodes and not unread:
        blank = torch.zeros(3, base.facts.size, base.facts.size)
        a_crop = _each(lambda some: [encode(base, one) for one in some], [blank, blank])
    drawing = partial(class_latents, base, plan, cache)
    a_drawing = _each(lambda some: drawing(only=some), undrawn[:DRAWN])
    shown = tuple(name for name, path in files.items() if path.is_file())[:PICTURES]
    now = {"", *(caption_of(one, recipe) for one in chosen), *(classes[name] for name in shown)}
    heard = sorted(now.intersection(unheard)) or unheard[:PICTURES]
    a_caption = _each(partial(prompt_embeddings, base, folder=cache), heard)
    return Filling(
        chosen=chosen,
        shown=shown,
        pictures=len(unread[PICTURES:]),
        crops=sum(lacking[one.picture] for one in unread[PICTURES:]),
        captions=len(unheard) - len(heard),
        drawings=len(_missing(files)),
        a_crop=a_crop,
        a_caption=a_caption,
        a_drawing=a_drawing,
        most=peak(base.device),
    )


def _missing(files: Mapping[str, Path]) -> list[str]:
    return [name for name, path in files.items() if not path.is_file()]


def _each(
    read: Callable[[Sequence[_One]], object],
    some: Sequence[_One],
    parts: Callable[[_One], int] = lambda _: 1,
) -> float:
    """Seconds that a part of one takes. The first warms up, and counts only where it is alone or
    takes long: then no other is read.
    """
    if not some:
        return 0.0
    begun = time.perf_counter()
    read(some[:1])
    first = time.perf_counter() - begun
    if len(some) == 1 or first > _LONG:
        return first / parts(some[0])
    begun = time.perf_counter()
    read(some[1:])
    return (time.perf_counter() - begun) / sum(map(parts, some[1:]))
