"""Can a machine hold a run at all? By arithmetic, before a weight is read.

Counted is what no batch is too small for: the base's weights in fp32, or those of its network in
fewer bits, and the adapter with its gradients and what its optimiser remembers. What a picture adds
is measured by `picdeed train --estimate`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from picdeed.core.errors import RunFailed, UsageError
from picdeed.diffusion.devices import pick_device
from picdeed.diffusion.families.known import family_of, parts_in
from picdeed.diffusion.fit import adapter_bytes, amount, crowd_of, narrower, options_of
from picdeed.diffusion.lora import TEXT_TARGETS
from picdeed.diffusion.modelfiles import part_shapes, read_json
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.quantised import bytes_of, is_packed, packages, why_not
from picdeed.diffusion.recipe import Optimizer, Quantize, Recipe

_FP32 = 4
_LEARNT = 8  # a weight and its gradient, both fp32
# A packed layer's weight made whole takes so many times its fp32 bytes for a moment: measured with
# bitsandbytes 0.50.2 on a CPU, 2.0 times from 8 bits, 1.0 (in bf16 1.5) from 4.
_UNPACKING = 2
# Beside each weight an optimiser keeps so many bytes at least.
_REMEMBERED: Mapping[Optimizer, int] = {
    Optimizer.ADAMW: 8,
    Optimizer.MUON: 4,
    Optimizer.ADAFACTOR: 0,  # a row and a column of each matrix
    Optimizer.PRODIGY: 16,
    Optimizer.SCHEDULE_FREE: 8,
    Optimizer.ADAMW_8BIT: 2,
}


@dataclass(frozen=True, slots=True)
class Least:
    """Bytes that one process takes at least: the base's weights, and all that learning keeps of the
    adapter's parts, the network's and the encoders'. `smaller` is what the weights would take in
    fewer bits, gentlest first, and `widest` the largest of those that are packed, whole.
    """

    weights: int
    network: int
    text: int
    smaller: Mapping[Quantize, int] = field(default_factory=dict)
    widest: int = 0

    @property
    def adapter(self) -> int:
        """Of both parts."""
        return self.network + self.text

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.adapter

    @property
    def smallest(self) -> int:
        """All of it, with the weights in as few bits as can be."""
        return min([self.weights, *self.smaller.values()]) + self.adapter

    @property
    def spared(self) -> Mapping[Quantize, int]:
        """How much less a run takes in fewer bits while it computes, where it is less: one layer is
        whole then, beside what unpacking it takes.
        """
        found = {how: self.weights - size for how, size in self.smaller.items()}
        whole = _UNPACKING * self.widest
        return {how: size - whole for how, size in found.items() if size > whole}


def least_of(folder: Path, recipe: Recipe) -> Least:
    """What a recipe takes at least on the base in `folder`.

    Raises UsageError when its files cannot be read.
    """
    index = read_json(folder / "model_index.json", "base")
    family = family_of(index, folder / "model_index.json")
    parts = {
        name: part_shapes(folder / name, part.stem, "base")
        for name, part in family.parts.items()
        if name in parts_in(index, family)
    }
    whole = {
        how: sum(
            bytes_of(tensor, shape, how if name == family.network else Quantize.NONE)
            for name, shapes in parts.items()
            for tensor, shape in shapes.items()
        )
        for how in Quantize
    }
    weights = whole[recipe.quantize]
    smaller = {how: size for how, size in whole.items() if size < weights and not recipe.dora}
    widest = max(
        (
            math.prod(shape) * _FP32
            for name, shape in parts[family.network].items()
            if is_packed(name, shape)
        ),
        default=0,
    )
    own, text = adapter_weights(parts[family.network], recipe), 0
    if recipe.text_rank:
        said = {"rank": recipe.text_rank, "ranks": {}, "targets": TEXT_TARGETS}
        of_text = recipe.model_copy(update=said)
        text = sum(adapter_weights(parts[name], of_text) for name in family.text)
    each = _LEARNT + _REMEMBERED[recipe.optimizer]
    return Least(weights, own * each, text * each, smaller, widest)


def adapter_weights(shapes: Mapping[str, tuple[int, ...]], recipe: Recipe) -> int:
    """How many weights a recipe's adapter has on a network of these tensors."""
    ends = tuple(f".{target}" for target in recipe.targets)
    count = 0
    for name, shape in shapes.items():
        layer, _, kind = name.rpartition(".")
        if kind == "weight" and len(shape) > 1 and f".{layer}".endswith(ends):
            out, taken = shape[0], math.prod(shape[1:])
            count += recipe.rank_at(layer) * (out + taken) + recipe.dora * out
    return count


def require_room(plan: RunPlan, there_is: int, devices: int = 1) -> None:
    """Raises RunFailed where a run cannot fit whatever its batch, with what would.

    A base whose files cannot be read passes: who loads it says what is wrong with it.
    """
    recipe = plan.recipe
    try:
        least = least_of(Path(plan.base), recipe)
    except UsageError:
        return
    needed = least.total * crowd_of(recipe.processes, devices)
    if needed <= there_is:
        return
    many = f" in each of {recipe.processes} processes" if recipe.processes > 1 else ""
    bits = "in fp32" if recipe.quantize is Quantize.NONE else f"with {recipe.quantize}"
    raise RunFailed(
        f"The run takes {amount(needed)} at least (the base's weights {bits}, the adapter and its "
        f"optimiser{many}), and there is {amount(there_is)}. Nothing was loaded or trained.",
        hint=_instead(recipe, least, there_is, devices),
    )


def nearest_room(
    recipe: Recipe,
    least: Least,
    there_is: int,
    devices: int = 1,
    at_hand: Collection[Quantize] = (),
) -> dict[str, Any] | None:
    """Fewer processes, else a base in those fewer bits that are `at_hand`, else a narrower adapter,
    else what a library is missing for, so that what a run takes at least is there; None where
    nothing of it is enough.
    """
    for processes in range(recipe.processes - 1, 0, -1):
        if least.total * crowd_of(processes, devices) <= there_is:
            return {"processes": processes}
    alone = {"processes": 1} if recipe.processes > 1 else {}
    bits = [how for how, size in least.smaller.items() if size + least.adapter <= there_is]
    for how in bits:
        if how in at_hand:
            return {**alone, "quantize": how}
    for narrow in narrower(recipe):
        left = adapter_bytes(recipe, recipe.model_copy(update=narrow), least.network, least.text)
        if least.weights + left <= there_is:
            return {**alone, **narrow}
    return {**alone, "quantize": bits[0]} if bits else None


def _instead(recipe: Recipe, least: Least, there_is: int, devices: int) -> str:
    device = pick_device()
    at_hand = [how for how in least.smaller if why_not(how, device) is None]
    change = nearest_room(recipe, least, there_is, devices, at_hand)
    if change is None:
        missing = amount(least.smallest - there_is)
        return f"No setting makes it fit: {missing} are missing. Take a smaller base."
    options = options_of(change)
    if needed := packages(change.get("quantize", Quantize.NONE)):
        options += f" (with the package {', '.join(needed)})"
    return f"Nearest is {options}; picdeed train --estimate says whether the rest fits too."
