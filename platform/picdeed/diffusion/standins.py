"""What does a probe show in a plan's slots, where only a few of its pictures have been read?

One of those that are there in the place of each, of the largest size, for only equal ones are
computed at once. What tells how much a step costs stays the plan's own: whose slots stand beside
each other, and, where encoders that learn read captions anew, each picture's own caption.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, cycle, islice

from picdeed.diffusion.captions import Kept, Spoken
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.fit import share_of
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.prior import class_captions
from picdeed.diffusion.ready import Ready, caption_of
from picdeed.diffusion.train import slots_for


def stood_in(ready: Ready, plan: RunPlan) -> Ready:
    """With a latent, a prompt and a mask for each picture that the plan shows, those that the base
    itself draws too; `ready` has at least one of each kind.
    """
    theirs = class_captions(plan)
    places = {
        **_places([one.picture for one in plan.members], _largest(ready, drawn=False)),
        **_places(list(theirs), _largest(ready, drawn=True)),
    }
    own = {one.picture: caption_of(one, plan.recipe) for one in plan.members}
    masks = ready.masks
    return Ready(
        ready.base,
        {name: ready.moments[there] for name, there in places.items()},
        _said(ready.prompts, places, {**own, **theirs}),
        None if masks is None else {name: masks[there] for name, there in places.items()},
        dict.fromkeys(theirs, plan.recipe.prior_weight),
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """Whose slots: the plan's, with `ready` as `stood_in` leaves it, timesteps in
    [0, `timesteps`).
    """

    plan: RunPlan
    ready: Ready
    timesteps: int

    def of_a_step(self, step: int, at_once: int) -> list[Slot]:
        """Rows of which a process computes its share of a step when it computes `at_once`:
        with a prior half of them, or nearly, are the base's own, as they are in the whole step.
        """
        if not self.ready.drawn:
            return self._first(step, at_once)
        rows = min(2 * at_once, share_of(self.plan.recipe))
        half = rows // 2
        return [*self._first(step, rows - half), *self._first(step, half, theirs=True)]

    def fullest(self, step: int, at_once: int) -> list[Slot]:
        """The rows, so many, that take most at once: of the larger kind, and no caption is dropped,
        for what stands in two rows is read once, unless the plan drops all.
        """
        size = {name: one.shape[-2:].numel() for name, one in self.ready.moments.items()}
        theirs = max(size, key=lambda name: size[name]) in self.ready.drawn
        drops = self.plan.recipe.caption_dropout == 1
        rows = self._first(step, at_once, theirs=theirs)
        return [replace(row, drop_caption=row.drop_caption and drops) for row in rows]

    def _first(self, step: int, most: int, *, theirs: bool = False) -> list[Slot]:
        return list(islice(self._from(step, theirs), most))

    def _from(self, step: int, theirs: bool) -> Iterator[Slot]:
        """Of pictures or of the base's own, from a step on, and past the plan's last one: there
        stand also class pictures that the plan itself does not show.
        """
        wanted = {name for name in self.ready.moments if (name in self.ready.drawn) is theirs}
        for at in count(step):
            for slot in slots_for(self.plan, at, self.timesteps):
                if slot.picture in wanted:
                    yield slot


def _largest(ready: Ready, *, drawn: bool) -> list[str]:
    """Those that are there of one size, the largest; one shape of it."""
    shapes = {
        name: one.shape for name, one in ready.moments.items() if (name in ready.drawn) is drawn
    }
    most = max(shapes.values(), key=math.prod, default=None)
    return [name for name, shape in shapes.items() if shape == most]


def _places(names: Sequence[str], there: Sequence[str]) -> Mapping[str, str]:
    return dict(zip(names, cycle(there), strict=False))


def _said(
    prompts: Kept | Spoken, places: Mapping[str, str], captions: Mapping[str, str]
) -> Kept | Spoken:
    if isinstance(prompts, Spoken):
        frames = {name: prompts.frames[there] for name, there in places.items()}
        return Spoken(prompts.base, captions, frames)
    return Kept(
        {name: prompts.prompts[there] for name, there in places.items()},
        {name: prompts.wordless[there] for name, there in places.items()},
    )
