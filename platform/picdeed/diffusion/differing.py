"""Are two adapters the same tensors, and two logs the same steps? If not, where and how far apart?

An adapter's id already answers for all tensors at once (lora.py); this finds what an id cannot say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from picdeed.diffusion.curve import WATCHED
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.tensors import tensors_hash

NOT_COMPARED = frozenset({"seconds"})
"""What a log says of the machine's day and not of the run."""
_LATER = frozenset({"micro_batch", *WATCHED})
"""What logs did not always say: compared where both do."""


@dataclass(frozen=True, slots=True)
class Apart:
    """How two sets of numbers differ.

    `first` names the first tensor, by name, or is the first step that differs; None when none does.
    `largest` is the largest absolute difference, `scale` the largest absolute value of the first
    set; `largest` is None where names, types, shapes or steps differ, so that no distance is one.
    """

    compared: int
    first: str | int | None
    largest: float | None
    scale: float

    @property
    def share(self) -> float | None:
        """The largest difference as a part of the largest value; None where there is none."""
        if self.largest is None or self.largest == 0:
            return self.largest
        return self.largest / self.scale if self.scale else None


def adapters_apart(recorded: Path, rebuilt: Path) -> Apart:
    """Two adapter files, tensor by tensor: each tensor's SHA-256 over its name, type, shape and
    bytes. Raises UsageError naming a file that cannot be read.
    """
    ours, theirs = load_adapter(recorded).tensors, load_adapter(rebuilt).tensors
    names = sorted(ours.keys() | theirs.keys())
    differing = [name for name in names if _one(ours, name) != _one(theirs, name)]
    scale = max((_largest(tensor) for tensor in ours.values()), default=0.0)
    largest: float | None = 0.0
    for name in differing:
        a, b = ours.get(name), theirs.get(name)
        if a is None or b is None or (a.dtype, a.shape) != (b.dtype, b.shape):
            largest = None
            break
        largest = max(largest or 0.0, _largest(a.double() - b.double()))
    return Apart(len(names), differing[0] if differing else None, largest, scale)


def distance(recorded: Path, rebuilt: Path) -> float | None:
    """How far two adapter files lie apart, over all numbers at once: the norm of the difference as
    a part of the first one's norm. None where their names or shapes differ, or the first is zero.
    """
    ours, theirs = load_adapter(recorded).tensors, load_adapter(rebuilt).tensors
    if {name: t.shape for name, t in ours.items()} != {name: t.shape for name, t in theirs.items()}:
        return None
    moved = sum(float((ours[n].double() - theirs[n].double()).square().sum()) for n in sorted(ours))
    whole = sum(float(ours[name].double().square().sum()) for name in sorted(ours))
    return math.sqrt(moved / whole) if whole else None


def logs_apart(
    recorded: Sequence[Mapping[str, Any]], rebuilt: Sequence[Mapping[str, Any]]
) -> Apart:
    """Two logs, line by line, `seconds` aside; `largest` and `scale` are of the losses."""
    first = next(
        (
            number
            for number, (a, b) in enumerate(zip(recorded, rebuilt, strict=False))
            if not _alike(a, b)
        ),
        None if len(recorded) == len(rebuilt) else min(len(recorded), len(rebuilt)),
    )
    scale = max((abs(_loss(line)) for line in recorded), default=0.0)
    largest: float | None = None
    if [line.get("step") for line in recorded] == [line.get("step") for line in rebuilt]:
        pairs = zip(recorded, rebuilt, strict=True)
        largest = max((abs(_loss(a) - _loss(b)) for a, b in pairs), default=0.0)
    return Apart(len(recorded), first, largest, scale)


def drifts_from(
    recorded: Sequence[Mapping[str, Any]], rebuilt: Sequence[Mapping[str, Any]], share: float
) -> int | None:
    """The first line from which two losses lie further apart than this part of the recorded one.

    Rounding that training amplifies shows late; another picture, noise or weight shows at once.
    """
    for number, (a, b) in enumerate(zip(recorded, rebuilt, strict=False)):
        if abs(_loss(a) - _loss(b)) > share * abs(_loss(a)):
            return number
    return None


def _one(tensors: Mapping[str, torch.Tensor], name: str) -> str | None:
    return tensors_hash({name: tensors[name]}) if name in tensors else None


def _largest(tensor: torch.Tensor) -> float:
    return float(tensor.double().abs().max()) if tensor.numel() else 0.0


def _alike(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    left_out = NOT_COMPARED | (_LATER - (a.keys() & b.keys()))
    first, second = (
        {name: value for name, value in entry.items() if name not in left_out} for entry in (a, b)
    )
    return first == second


def _loss(entry: Mapping[str, Any]) -> float:
    value = entry.get("loss")
    return float(value) if isinstance(value, int | float) else 0.0
