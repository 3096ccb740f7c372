"""What did the base unlearn? Its own pictures of other things, denoised with the adapter on it.

The base draws pictures from words that no caption holds, in memory only; then its loss on them is
taken without and with the adapter, on fixed noise at fixed levels. An adapter that is strong in
everything worsens it too: how far the style reaches beyond its subjects is part of the number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from picdeed.diffusion.cache import embed, encode
from picdeed.diffusion.data import Frame, pixels
from picdeed.diffusion.evidence import bare, levels, looked
from picdeed.diffusion.models import Base
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.prompts import Prompt
from picdeed.diffusion.samples import STEPS, draw_quickly
from picdeed.diffusion.watch import STEP_COST

WORDS = (
    "apple", "house", "boat", "tree", "dog", "chair", "flower", "clock", "bird", "mountain", "car",
    "fish", "bicycle", "cup", "star", "hand", "bridge", "shoe", "guitar", "bread",
)  # fmt: skip
MOST, FEWEST = 8, 2
_SIDES = 2  # guidance asks twice a step; the loss is taken without and with the adapter


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Mean loss on the base's own pictures; `worsened` counts those on which the adapter is worse.

    `prompts` are what they show. Of an adapter that does nothing `worse` is 0.
    """

    base: float
    adapter: float
    worsened: int
    prompts: tuple[str, ...]

    @property
    def worse(self) -> float:
        """How much larger the loss is with the adapter, as a share of the base's."""
        return self.adapter / self.base - 1

    def document(self) -> dict[str, Any]:
        """JSON values, with `worse`."""
        return {**asdict(self), "prompts": list(self.prompts), "worse": self.worse}


def words_for(plan: RunPlan) -> tuple[str, ...]:
    """The words to draw, none of which a caption of the run holds; as many as `eval_share` allows.

    None where that are not two, or every word is in a caption.
    """
    recipe = plan.recipe
    each = _SIDES * (STEPS + recipe.eval_timesteps)
    room = int(recipe.eval_share * recipe.steps * recipe.batch * STEP_COST / each)
    known = _words(one.caption for one in (*plan.members, *plan.held_out))
    others = [word for word in WORDS if known.isdisjoint((word, f"{word}s"))]
    chosen = tuple(others[: min(MOST, room)])
    return chosen if len(chosen) >= FEWEST else ()


def forgetting(plan: RunPlan, base: Base) -> Forgetting | None:
    """What the adapter on `base` does to the base's own pictures; None without `words_for` them."""
    words = words_for(plan)
    if not words:
        return None
    with bare(base):
        drawn = draw_quickly(base, words, range(len(words)))
    moments = {
        word: torch.stack([encode(base, pixels(image))])
        for word, image in zip(words, drawn, strict=True)
    }
    prompts = {word: _prompt(base, word) for word in words}
    at = levels(base, plan.recipe.eval_timesteps)
    looks = dict.fromkeys(words, range(len(at)))
    with_it = looked(base, moments, prompts, at, looks)
    with bare(base):
        without = looked(base, moments, prompts, at, looks)
    pairs = [(float(without[word].mean()), float(with_it[word].mean())) for word in words]
    return Forgetting(
        base=sum(before for before, _ in pairs) / len(pairs),
        adapter=sum(after for _, after in pairs) / len(pairs),
        worsened=sum(after > before for before, after in pairs),
        prompts=words,
    )


def _prompt(base: Base, word: str) -> Prompt:
    size = base.facts.size
    seen: Prompt = {}
    if base.family.framed is not None:
        seen = base.family.framed(Frame(size, size, 0, 0, size, size))
    return {**embed(base, word), **seen}


def _words(captions: Iterable[str]) -> set[str]:
    return set(re.findall(r"\w+", " ".join(captions).lower()))
