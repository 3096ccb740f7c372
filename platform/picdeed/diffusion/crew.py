"""How do several processes train one adapter? Each takes its share of every batch.

The first process is the run: it holds the folder, starts the others and alone writes. The others
read the same plan and the same checkpoint. Gradients are summed after every step, so that all hold
the same weights; the sum of shares is the batch's, whatever the number of processes, up to
rounding. When one of them ends, so do all: the run goes on from its last checkpoint.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from picdeed.core.errors import RunFailed
from picdeed.diffusion.draws import Slot

# A process that computes evidence keeps the others waiting; one that died is noticed at once.
_PATIENCE = dt.timedelta(hours=6)
_LOOK = 0.05  # seconds between looks at the door
_LAST_WORDS = 5.0  # seconds that a process has to end by itself


@dataclass(frozen=True, slots=True)
class Crew:
    """One of `count` processes, from 0; the first leads."""

    rank: int = 0
    count: int = 1

    def share(self, slots: Sequence[Slot]) -> Sequence[Slot]:
        """This process's slots of a step; together they are all."""
        return slots[self.rank :: self.count]

    def summed(self, loss: float, parameters: Sequence[torch.nn.Parameter]) -> float:
        """The sum of all processes' losses; their gradients' sum is left in the weights.

        Raises RunFailed when another process is gone.
        """
        if self.count == 1:
            return loss
        grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        # The loss travels in the same message, in the weights' own precision.
        flat = torch.cat([*(grad.reshape(-1) for grad in grads), grads[0].new_tensor([loss])])
        try:
            dist.all_reduce(flat)
        except RuntimeError as error:
            raise _gone() from error
        pieces = torch.split(flat[:-1], [grad.numel() for grad in grads])
        for parameter, piece in zip(parameters, pieces, strict=True):
            parameter.grad = piece.view_as(parameter).clone()
        return float(flat[-1])

    def together(self) -> None:
        """Wait until every process is here, so that the others find what the first one wrote."""
        if self.count > 1:
            try:
                dist.barrier()
            except RuntimeError as error:
                raise _gone() from error


@contextlib.contextmanager
def led(folder: Path, processes: int) -> Iterator[Crew]:
    """The first process of a run, with the others running beside it; they end with it."""
    if processes == 1:
        yield Crew()
        return
    with tempfile.TemporaryDirectory() as meeting:
        store = Path(meeting) / "store"
        others = [
            subprocess.Popen(
                [sys.executable, "-m", "picdeed.diffusion.train", str(folder),
                 "--rank", str(rank), "--store", str(store)],
            )
            for rank in range(1, processes)
        ]  # fmt: skip
        try:
            _await(others, store)
            with joined(Crew(0, processes), store) as crew:
                yield crew
        finally:
            for other in others:
                try:
                    other.wait(_LAST_WORDS)
                except subprocess.TimeoutExpired:
                    other.kill()
                    other.wait()


@contextlib.contextmanager
def joined(crew: Crew, store: Path) -> Iterator[Crew]:
    """Meet the other processes at `store`, a path that all know; part at the end."""
    _door(store, crew.rank).touch()
    # Loopback by name: gloo else looks up the host's name, which need not resolve.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(crew.rank % torch.cuda.device_count())
    try:
        dist.init_process_group(
            "nccl" if cuda else "gloo",
            init_method=f"file://{store}",
            rank=crew.rank,
            world_size=crew.count,
            timeout=_PATIENCE,
        )
    except RuntimeError as error:
        raise _gone() from error
    try:
        yield crew
    finally:
        dist.destroy_process_group()


def _await(others: Sequence[subprocess.Popen[bytes]], store: Path) -> None:
    """Wait until all others are at the door: torch would wait for hours for one that died before.

    Raises RunFailed when one of them has ended.
    """
    while not all(_door(store, rank).exists() for rank in range(1, len(others) + 1)):
        if any(other.poll() is not None for other in others):
            raise _gone()
        time.sleep(_LOOK)


def _door(store: Path, rank: int) -> Path:
    return store.with_name(f"here-{rank}")


def _gone() -> RunFailed:
    return RunFailed(
        "One of the run's processes ended; the others ended with it, and no adapter was written.",
        hint="picdeed runs resume RUN goes on from the last checkpoint.",
    )
