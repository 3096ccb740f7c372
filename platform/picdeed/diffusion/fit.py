"""Does a run fit the memory there is, and where it does not, which setting nearest to it does?

Of what was measured with one and with more pictures at once: memory = fixed + a picture x how many
are computed together. No torch in here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from picdeed.diffusion.recipe import Keep, Precision, Recipe

# What the probe did not see: other pictures' pages, and memory that lies in pieces.
MARGIN = 1.1
_LEAST = {"micro_batch": 1, "eval_noises": 1, "eval_share": 0.0}


@dataclass(frozen=True, slots=True)
class Learning:
    """Bytes of one process while it learns: `fixed`, and `a_picture` for each computed at once."""

    fixed: int
    a_picture: int

    def at(self, count: int) -> int:
        """With so many pictures computed at once."""
        return self.fixed + self.a_picture * count


@dataclass(frozen=True, slots=True)
class Taken:
    """Bytes that one process takes, by what it does. `learning` is in the recipe's own precision,
    `bf16` where that was tried instead; `looking` is what each look at once adds to `resting`, and
    `beside` what reading and drawing pictures takes at its fullest.
    """

    learning: Learning
    bf16: Learning | None
    resting: int
    looking: int
    beside: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """Settings that make a run fit, in the recipe's own words, and the bytes that it then takes."""

    change: Mapping[str, Any]
    needed: int

    @property
    def options(self) -> str:
        """As they stand on a command line."""
        return " ".join(f"--set {key}={value}" for key, value in self.change.items())


@dataclass(frozen=True, slots=True)
class Case:
    """What has to fit into `there_is` bytes, of which `devices` have as many. `adapter` is what
    learning keeps of the network's part in each process, `text` of the encoders'; `looks` says how
    many looks a recipe takes at once.
    """

    recipe: Recipe
    taken: Taken
    adapter: int
    looks: Callable[[Recipe], int]
    there_is: int
    devices: int = 1
    text: int = 0

    def needed(self, recipe: Recipe | None = None) -> int:
        """Bytes of all processes that share a memory, with a margin."""
        recipe = recipe or self.recipe
        most = max(self._learning(recipe, at_once(recipe)), self._looking(recipe))
        return math.ceil(max(most, self.taken.beside) * self._factor(recipe))

    def largest(self, recipe: Recipe | None = None) -> int:
        """How many pictures may be computed at once, at most as many as the recipe asks for."""
        recipe = recipe or self.recipe
        room = self.there_is / self._factor(recipe) - self._learning(recipe, 0)
        each = self._kind(recipe).a_picture
        if room < each or room < 0:
            return 0
        return min(at_once(recipe), int(room // each)) if each else at_once(recipe)

    def nearest(self) -> Nearest | None:
        """Fewer pictures at once; else in bf16 too; else fewer processes; else a narrower adapter.

        Evidence that takes too much is taken in smaller parts. None where nothing of it fits.
        """
        for change in self._changes():
            found = self._within(change)
            if found is not None:
                return found
        return None

    def missing(self) -> int:
        """Bytes without which even the smallest of these settings does not fit."""
        smallest = (
            self.needed(self.recipe.model_copy(update={**_typed(change), **_LEAST}))
            for change in self._changes()
        )
        return max(0, min(smallest) - self.there_is)

    def _changes(self) -> Iterator[dict[str, Any]]:
        recipe = self.recipe
        precise: list[dict[str, Any]] = [{}]
        if self.taken.bf16 is not None and recipe.precision is Precision.FP32:
            precise.append({"precision": str(Precision.BF16)})
        yield from precise
        for processes in range(recipe.processes - 1, 0, -1):
            yield from ({**change, "processes": processes} for change in precise)
        alone: dict[str, Any] = {"processes": 1} if recipe.processes > 1 else {}
        for narrow in narrower(recipe):
            yield from ({**change, **alone, **narrow} for change in precise)

    def _within(self, change: dict[str, Any]) -> Nearest | None:
        recipe = self.recipe.model_copy(update=_typed(change))
        for less in ({}, {"eval_noises": 1}, {"eval_noises": 1, "eval_share": 0.0}):
            own = {key: value for key, value in less.items() if getattr(recipe, key) != value}
            if own.get("eval_share") == 0 and recipe.keep is Keep.BEST:
                continue  # it measures whatever that costs
            tried = recipe.model_copy(update=own)
            count = self.largest(tried)
            if count < 1:
                continue
            if count < at_once(tried):
                own["micro_batch"] = count
                tried = tried.model_copy(update={"micro_batch": count})
            if self.needed(tried) <= self.there_is:
                return Nearest({**change, **own}, self.needed(tried))
        return None

    def _kind(self, recipe: Recipe) -> Learning:
        other = recipe.precision is not self.recipe.precision
        return self.taken.bf16 if other and self.taken.bf16 is not None else self.taken.learning

    def _learning(self, recipe: Recipe, count: int) -> int:
        whole = self.adapter + self.text
        narrowed = whole - adapter_bytes(self.recipe, recipe, self.adapter, self.text)
        return self._kind(recipe).at(count) - narrowed

    def _looking(self, recipe: Recipe) -> int:
        return self.taken.resting + self.taken.looking * self.looks(recipe)

    def _factor(self, recipe: Recipe) -> float:
        return MARGIN * crowd_of(recipe.processes, self.devices)


def at_once(recipe: Recipe) -> int:
    """How many pictures one process computes at once."""
    return min(recipe.parts_of, share_of(recipe))


def share_of(recipe: Recipe) -> int:
    """How many pictures of a step one of a run's processes computes, at most: with a prior as many
    of the base's own as of the run's.
    """
    return math.ceil(recipe.batch * (2 if recipe.prior else 1) / recipe.processes)


def crowd_of(processes: int, devices: int) -> int:
    """How many of a run's processes share one memory; `devices` is 1 on a CPU."""
    return math.ceil(processes / max(1, devices))


def narrower(recipe: Recipe) -> tuple[dict[str, Any], ...]:
    """Narrower adapters to try, widest first, each as strong as the recipe's; where encoders learn,
    their part narrows along. None where layers have ranks of their own.
    """
    if recipe.ranks:
        return ()
    found = []
    for k in range(1, max(recipe.rank, recipe.text_rank).bit_length()):
        rank, text = max(1, recipe.rank >> k), recipe.text_rank >> k
        part = rank / recipe.rank
        alpha = recipe.alpha * (math.sqrt(part) if recipe.rslora else part)
        narrow: dict[str, Any] = {"rank": rank, "alpha": round(alpha, 4)}
        if recipe.text_rank:
            narrow["text_rank"] = max(1, text)
        found.append(narrow)
    return tuple(found)


def adapter_bytes(recipe: Recipe, narrow: Recipe, network: int, text: int) -> int:
    """What is left of the network's and the encoders' part of a recipe in a narrower one."""
    heard = text * narrow.text_rank // recipe.text_rank if recipe.text_rank else 0
    return network * narrow.rank // recipe.rank + heard


def amount(size: int) -> str:
    """Bytes as a person reads them."""
    if size < 1 << 30:
        return f"{size / (1 << 20):.0f} MiB"
    return f"{size / (1 << 30):.1f} GiB"


def _typed(change: Mapping[str, Any]) -> dict[str, Any]:
    if "precision" not in change:
        return dict(change)
    return {**change, "precision": Precision(change["precision"])}
