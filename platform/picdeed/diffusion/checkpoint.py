"""How does a run continue to the same bytes after being killed?

One safetensors file holds everything that moves: the adapter, the optimiser's moments, the step
and the exposures so far. There is no random state to keep, see draws.py. A file is complete or
absent, the newest two are kept, and no pickle is involved.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from picdeed.core.errors import UsageError
from picdeed.diffusion import optimisers
from picdeed.diffusion.lora import weights
from picdeed.diffusion.runfolder import write_bytes
from picdeed.diffusion.tensors import Tensors, read_safetensors, safetensors_bytes

_KEPT = 2


@dataclass(slots=True)
class Position:
    """How far a run is: steps done, pictures shown, seconds spent in steps by all its processes.

    `micro` is how many slots are computed at once, where memory did not hold as many as asked for.
    """

    step: int = 0
    seconds: float = 0.0
    shown: Counter[str] = field(default_factory=Counter)
    micro: int | None = None


def save(
    folder: Path, unet: Any, optimizer: torch.optim.Optimizer, at: Position, plan: str
) -> None:
    """Write the state after `at.step` steps and drop all but the newest two."""
    tensors: Tensors = {f"weight.{name}": tensor for name, tensor in weights(unet).items()}
    memory, named = optimisers.state_tensors(optimizer)
    tensors |= memory
    about = {
        "plan": plan,
        "step": at.step,
        "seconds": at.seconds,
        "shown": dict(at.shown),
        "micro": at.micro,
    }
    where = folder / "checkpoint"
    where.mkdir(exist_ok=True)
    data = safetensors_bytes(tensors, named | {"picdeed": json.dumps(about, sort_keys=True)})
    write_bytes(where / f"step-{at.step:07d}.safetensors", data)
    for old in _newest_first(where)[_KEPT:]:
        old.unlink()


def restore(folder: Path, unet: Any, optimizer: torch.optim.Optimizer, plan: str) -> Position:
    """Put the newest state of this plan into the model and optimiser; step 0 when there is none.

    A state that cannot be read, or that belongs to another plan, is passed over for the one
    before: starting earlier costs time and leads to the same bytes.
    """
    for path in _newest_first(folder / "checkpoint"):
        try:
            tensors, metadata = read_safetensors(path)
            about = json.loads(metadata.get("picdeed", "{}"))
        except (UsageError, ValueError):
            continue
        if about.get("plan") == plan and _fill(unet, optimizer, tensors, metadata):
            shown, micro = Counter(about["shown"]), about.get("micro")
            return Position(about["step"], about["seconds"], shown, micro)
    return Position()


def _newest_first(where: Path) -> list[Path]:
    return sorted(where.glob("step-*.safetensors"), reverse=True)


def _fill(
    unet: Any, optimizer: torch.optim.Optimizer, tensors: Tensors, metadata: Mapping[str, str]
) -> bool:
    own = weights(unet)
    if any(
        tensors.get(f"weight.{name}", tensor[:0]).shape != tensor.shape
        for name, tensor in own.items()
    ):
        return False
    try:
        optimisers.fill(optimizer, tensors, metadata)
    except (KeyError, ValueError):
        return False
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(tensors[f"weight.{name}"])
    return True
