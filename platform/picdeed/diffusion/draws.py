"""Which picture, crop, flip, timestep and noise does a slot of a step get?

Every draw is a pure function of (seed, step, slot): a run that was killed needs no saved random
state, and the order of pictures does not depend on where it was interrupted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby

from picdeed.diffusion.crops import crop_name

_BITS = 63
# What is drawn as one picture: a picture, or the copies of one, sorted.
_Unit = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """One picture of one step. `noise_seed` seeds the generator of its latent and its noise.

    `crop` numbers the crops that the picture has, from the middle one on.
    """

    picture: str
    flip: bool
    drop_caption: bool
    timestep: int
    noise_seed: int
    crop: int = 0

    @property
    def shown(self) -> str:
        """The name of the crop that is shown."""
        return crop_name(self.picture, self.crop)


def slots_of(
    step: int,
    pictures: Sequence[str],
    *,
    seed: int,
    batch: int,
    timesteps: int,
    flip: bool = False,
    crops: Mapping[str, int] | None = None,
    caption_dropout: float = 0.0,
    copies: Sequence[Sequence[str]] = (),
    without: Collection[str] = (),
) -> tuple[Slot, ...]:
    """The `batch` slots of `step` (from 0), timesteps in [0, timesteps).

    Each epoch shows every picture once, in an order of its own; of each group in `copies` it shows
    one, and each in its turn, so that the group is shown as often as one picture. Timesteps are
    stratified: each slot gets its own `1/batch` of the range, which takes most of the variance out
    of the loss. `crops` says of pictures with more than one crop how many they have; each time
    one of them is drawn. The slots of pictures in `without` fall out, and every other slot stays
    what it is: these pictures are drawn like all and then not shown.
    """
    first = step * batch
    shown = _shown(range(first, first + batch), _units(pictures, copies), seed)
    strata = sorted(range(batch), key=lambda slot: _number("stratum", seed, step, slot))
    made = []
    for slot, picture in enumerate(shown):
        if picture in without:
            continue
        within = (strata[slot] + _uniform("timestep", seed, step, slot)) / batch
        made.append(
            Slot(
                picture=picture,
                flip=flip and _uniform("flip", seed, step, slot) < 0.5,
                drop_caption=_uniform("caption", seed, step, slot) < caption_dropout,
                timestep=min(timesteps - 1, int(within * timesteps)),
                noise_seed=_number("noise", seed, step, slot),
                crop=int(_uniform("crop", seed, step, slot) * (crops or {}).get(picture, 1)),
            )
        )
    return tuple(made)


def exposures(
    pictures: Sequence[str],
    *,
    seed: int,
    steps: int,
    batch: int,
    copies: Sequence[Sequence[str]] = (),
    without: Collection[str] = (),
) -> dict[str, int]:
    """How often the plan shows each picture; the sum is steps x batch, less what falls out.

    Two pictures, or groups of copies, differ by at most 1, and so do two copies of one group.
    """
    counts = dict.fromkeys(pictures, 0)
    for picture in _shown(range(steps * batch), _units(pictures, copies), seed):
        counts[picture] += 1
    return {picture: count for picture, count in counts.items() if picture not in without}


def empty_steps(
    pictures: Sequence[str],
    *,
    seed: int,
    steps: int,
    batch: int,
    copies: Sequence[Sequence[str]] = (),
    without: Collection[str] = (),
) -> int:
    """In how many steps every slot falls out, so that nothing is learned."""
    shown = _shown(range(steps * batch), _units(pictures, copies), seed)
    out = [picture in without for picture in shown]
    return sum(all(out[first : first + batch]) for first in range(0, len(out), batch))


def fixed_seed(*words: object) -> int:
    """A seed in [0, 2**63) that depends on the words alone; for draws outside the steps."""
    return _number(*words)


def _units(pictures: Sequence[str], copies: Sequence[Sequence[str]]) -> tuple[_Unit, ...]:
    if not copies:
        return tuple(pictures)
    group_of = {one: tuple(sorted(group)) for group in copies for one in group}
    units = dict.fromkeys(group_of.get(one, (one,)) for one in pictures)
    if sum(map(len, units)) != len(pictures):
        raise ValueError("a group of copies names a picture that is not drawn, or one twice")
    return tuple(unit if len(unit) > 1 else unit[0] for unit in units)


def _shown(positions: range, units: tuple[_Unit, ...], seed: int) -> Iterator[str]:
    for epoch, places in groupby(positions, lambda position: position // len(units)):
        order = _order(units, seed, epoch)
        for position in places:
            unit = order[position % len(units)]
            yield unit if isinstance(unit, str) else _in_turn(unit, seed, epoch)


def _in_turn(copies: tuple[str, ...], seed: int, epoch: int) -> str:
    """Each of the copies once in as many epochs, then anew in another order."""
    turn, which = divmod(epoch, len(copies))
    return sorted(copies, key=lambda copy: _number("copy", seed, turn, copy))[which]


@lru_cache(maxsize=4)
def _order(units: tuple[_Unit, ...], seed: int, epoch: int) -> tuple[_Unit, ...]:
    names = {unit if isinstance(unit, str) else unit[0]: unit for unit in units}
    return tuple(names[name] for name in sorted(names, key=partial(_number, "order", seed, epoch)))


def _number(*words: object) -> int:
    text = "|".join(("picdeed-draw/1", *map(str, words)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - _BITS)


def _uniform(*words: object) -> float:
    # 53 bits are what a float holds: more could round up to 1.0.
    return (_number(*words) >> (_BITS - 53)) / (1 << 53)
