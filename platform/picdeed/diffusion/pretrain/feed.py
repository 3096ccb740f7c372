"""Who makes a step's samples ready while the step before is computed?

Each step's samples follow from its number alone, so any process may draw them. On a CPU the worker
draws its own; a GPU is fed by as many processes as there are cores, in order, some steps ahead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

Samples = tuple[Tensor, ...]
Draw = Callable[[int], Samples]
"""The samples of a step, on the CPU."""

_AHEAD = 2  # steps of each process


@dataclass(frozen=True, slots=True)
class _Steps(Dataset[Samples]):
    draw: Draw

    def __getitem__(self, step: int) -> Samples:
        return self.draw(step)


def feed(
    draw: Draw, steps: Sequence[int], device: torch.device, processes: int | None = None
) -> Iterator[Samples]:
    """What `draw` gives for each of `steps`, in their order, on `device`.

    Of `processes` none means this one; unsaid, a CPU gets none and a GPU one a core.
    """
    if processes is None:
        processes = 0 if device.type == "cpu" else max(1, len(os.sched_getaffinity(0)) - 1)
    if not processes:
        yield from (_on(device, draw(step)) for step in steps)
        return
    ready: DataLoader[Samples] = DataLoader(
        _Steps(draw),
        sampler=steps,
        batch_size=None,
        num_workers=processes,
        prefetch_factor=_AHEAD,
        pin_memory=device.type != "cpu",
        collate_fn=_as_drawn,
        # Forked: what is drawn from is large, and theirs without a copy. They touch no GPU.
        multiprocessing_context="fork",
    )
    yield from (_on(device, samples) for samples in ready)


def _on(device: torch.device, samples: Samples) -> Samples:
    return tuple(one.to(device, non_blocking=True) for one in samples)


def _as_drawn(samples: Any) -> Any:
    return samples
