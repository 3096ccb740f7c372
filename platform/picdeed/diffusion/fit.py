"""Does a run fit the memory there is, and where it does not, which setting nearest to it does?

Of what was measured with one and with more pictures at once: memory = fixed + a picture x how many
are computed together. What a base in fewer bits or a narrower adapter spares is counted, not
measured. No torch in here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from picdeed.diffusion.recipe import Keep, Precision, Quantize, Recipe

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
class Way:
    """How a step is computed: in which numbers, and whether `anew`, on the way back, instead of
    kept until then.
    """

    precision: Precision
    anew: bool

    def change(self, recipe: Recipe) -> dict[str, Any]:
        """What to set in a recipe for it."""
        change: dict[str, Any] = {}
        if self.precision is not recipe.precision:
            change["precision"] = self.precision
        if self.anew is not recipe.gradient_checkpointing:
            change["gradient_checkpointing"] = self.anew
        return change


@dataclass(frozen=True, slots=True)
class Taken:
    """Bytes that one process takes, by what it does. `learning` is told of the ways of computing a
    step that were tried, the recipe's own and, where that did not fit, others; `looking` is what
    each look at once adds to `resting`, and `beside` what reading and drawing pictures takes at its
    fullest.
    """

    learning: Mapping[Way, Learning]
    resting: int
    looking: int
    beside: int


class Basis(StrEnum):
    """What a number of bytes rests on: every part of it was measured; what was measured, less what
    by arithmetic is spared; or arithmetic alone, which tells the least that it can be."""

    MEASURED = "measured"
    COUNTED = "counted"
    LEAST = "least"


@dataclass(frozen=True, slots=True)
class Nearest:
    """Settings that make a run fit, in the recipe's own words, and the bytes that it then takes."""

    change: Mapping[str, Any]
    needed: int

    @property
    def options(self) -> str:
        """As they stand on a command line."""
        return options_of(self.change)

    @property
    def basis(self) -> Basis:
        """Nobody measured a base in fewer bits or another adapter."""
        return Basis.COUNTED if {"quantize", "rank"} & self.change.keys() else Basis.MEASURED


@dataclass(frozen=True, slots=True)
class Case:
    """What has to fit into `there_is` bytes, of which `devices` have as many. `adapter` is what
    learning keeps of the network's part in each process, `text` of the encoders'; `looks` says how
    many looks a recipe takes at once, `spared` how much less a base in fewer bits takes, of those
    that can be had here, gentlest first.
    """

    recipe: Recipe
    taken: Taken
    adapter: int
    looks: Callable[[Recipe], int]
    there_is: int
    devices: int = 1
    text: int = 0
    spared: Mapping[Quantize, int] = field(default_factory=dict)

    def needed(self, recipe: Recipe | None = None) -> int:
        """Bytes of all processes that share a memory, with a margin; of a recipe whose way of
        computing a step was tried.
        """
        recipe = recipe or self.recipe
        most = max(self._learning(recipe, at_once(recipe)), self._looking(recipe))
        beside = self.taken.beside - self._spared(recipe)
        return math.ceil(max(most, beside) * self._factor(recipe))

    def largest(self, recipe: Recipe | None = None) -> int:
        """How many pictures may be computed at once, at most as many as the recipe asks for."""
        recipe = recipe or self.recipe
        room = self.there_is / self._factor(recipe) - self._learning(recipe, 0)
        each = self._kind(recipe).a_picture
        if room < each or room < 0:
            return 0
        return min(at_once(recipe), int(room // each)) if each else at_once(recipe)

    def nearest(self) -> Nearest | None:
        """Fewer pictures at once; else computed anew on the way back, in bf16, or both; else fewer
        processes; else a base in fewer bits; else a narrower adapter; else both of these.

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
            self.needed(self.recipe.model_copy(update={**change, **_LEAST}))
            for change in self._changes()
        )
        return max(0, min(smallest) - self.there_is)

    def _changes(self) -> Iterator[dict[str, Any]]:
        recipe = self.recipe
        tried = [way.change(recipe) for way in ways(recipe) if way in self.taken.learning]
        yield from tried
        for processes in range(recipe.processes - 1, 0, -1):
            yield from ({**change, "processes": processes} for change in tried)
        alone: dict[str, Any] = {"processes": 1} if recipe.processes > 1 else {}
        bits: list[dict[str, Any]] = [{"quantize": how} for how in self.spared]
        narrow = narrower(recipe)
        both = [{**fewer, **less} for less in narrow for fewer in bits]
        for less in (*bits, *narrow, *both):
            yield from ({**change, **alone, **less} for change in tried)

    def _within(self, change: dict[str, Any]) -> Nearest | None:
        recipe = self.recipe.model_copy(update=change)
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
        return self.taken.learning[way_of(recipe)]

    def _learning(self, recipe: Recipe, count: int) -> int:
        whole = self.adapter + self.text
        narrowed = whole - adapter_bytes(self.recipe, recipe, self.adapter, self.text)
        return self._kind(recipe).at(count) - narrowed - self._spared(recipe)

    def _looking(self, recipe: Recipe) -> int:
        looks = self.taken.looking * self.looks(recipe)
        return self.taken.resting + looks - self._spared(recipe)

    def _spared(self, recipe: Recipe) -> int:
        other = recipe.quantize is not self.recipe.quantize
        return self.spared[recipe.quantize] if other else 0

    def _factor(self, recipe: Recipe) -> float:
        return MARGIN * crowd_of(recipe.processes, self.devices)


def way_of(recipe: Recipe) -> Way:
    """A recipe's own way of computing a step."""
    return Way(recipe.precision, recipe.gradient_checkpointing)


def ways(recipe: Recipe) -> tuple[Way, ...]:
    """A recipe's own way, then those that take less: the one that changes no number before those
    in bf16, and of these first the one that takes no more time.
    """
    numbers = tuple(Precision) if recipe.precision is Precision.FP32 else (recipe.precision,)
    anew = (True,) if recipe.gradient_checkpointing else (False, True)
    return tuple(Way(precision, one) for precision in numbers for one in anew)


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


def options_of(change: Mapping[str, Any]) -> str:
    """Settings as they stand on a command line."""
    said = {key: str(v).lower() if isinstance(v, bool) else v for key, v in change.items()}
    return " ".join(f"--set {key}={value}" for key, value in said.items())
