"""Which picture, flip, timestep and noise does a slot of a step get?

Every draw is a pure function of (seed, step, slot): a run that was killed needs no saved random
state, and the order of pictures does not depend on where it was interrupted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_BITS = 63


@dataclass(frozen=True, slots=True)
class Slot:
    """One picture of one step. `noise_seed` seeds the generator of its latent and its noise."""

    picture: str
    flip: bool
    drop_caption: bool
    timestep: int
    noise_seed: int


def slots_of(
    step: int,
    pictures: Sequence[str],
    *,
    seed: int,
    batch: int,
    timesteps: int,
    flip: bool = False,
    caption_dropout: float = 0.0,
) -> tuple[Slot, ...]:
    """The `batch` slots of `step` (from 0), timesteps in [0, timesteps).

    Each epoch shows every picture once, in an order of its own. Timesteps are stratified: each
    slot gets its own `1/batch` of the range, which takes most of the variance out of the loss.
    """
    strata = sorted(range(batch), key=lambda slot: _number("stratum", seed, step, slot))
    made = []
    for slot in range(batch):
        within = (strata[slot] + _uniform("timestep", seed, step, slot)) / batch
        made.append(
            Slot(
                picture=_picture(step * batch + slot, tuple(pictures), seed),
                flip=flip and _uniform("flip", seed, step, slot) < 0.5,
                drop_caption=_uniform("caption", seed, step, slot) < caption_dropout,
                timestep=min(timesteps - 1, int(within * timesteps)),
                noise_seed=_number("noise", seed, step, slot),
            )
        )
    return tuple(made)


def exposures(pictures: Sequence[str], *, seed: int, steps: int, batch: int) -> dict[str, int]:
    """How often the plan shows each picture; the sum is steps x batch."""
    counts = dict.fromkeys(pictures, 0)
    for position in range(steps * batch):
        counts[_picture(position, tuple(pictures), seed)] += 1
    return counts


def fixed_seed(*words: object) -> int:
    """A seed in [0, 2**63) that depends on the words alone; for draws outside the steps."""
    return _number(*words)


def _picture(position: int, pictures: tuple[str, ...], seed: int) -> str:
    epoch, place = divmod(position, len(pictures))
    return _order(pictures, seed, epoch)[place]


@lru_cache(maxsize=4)
def _order(pictures: tuple[str, ...], seed: int, epoch: int) -> tuple[str, ...]:
    return tuple(sorted(pictures, key=lambda picture: _number("order", seed, epoch, picture)))


def _number(*words: object) -> int:
    text = "|".join(("picdeed-draw/1", *map(str, words)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - _BITS)


def _uniform(*words: object) -> float:
    # 53 bits are what a float holds: more could round up to 1.0.
    return (_number(*words) >> (_BITS - 53)) / (1 << 53)
