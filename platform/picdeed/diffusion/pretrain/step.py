"""What does one training step move?

The weights by the gradient's mean over the workers, clipped, at the step's rate; and their moving
average. A job knows its weights, the samples of step t on worker r and their loss.

On a GPU the step is replayed (`replay`), so all that differs between steps lies in tensors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from picdeed.diffusion.pretrain.feed import Draw, Samples
from picdeed.diffusion.pretrain.recipe import Schedule
from picdeed.diffusion.pretrain.replay import replayed

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Worker:
    """Worker `rank` of `count`, computing on `device`. Worker 0 reports and stores, and ends when
    it is `until` (seconds since 1970)."""

    rank: int
    count: int
    device: torch.device = CPU
    until: float | None = None

    @property
    def late(self) -> bool:
        """Whether its time is over."""
        return self.until is not None and time.time() >= self.until


@dataclass(frozen=True, slots=True)
class Job:
    """One training. `draw` gives this worker's samples of a step, on the CPU; `loss` takes them on
    the module's device and returns their mean loss (a scalar)."""

    name: str
    module: nn.Module
    optimisers: Sequence[torch.optim.Optimizer]
    draw: Draw
    loss: Callable[..., Tensor]
    schedule: Schedule
    checkpoint_seconds: float


class Stepper:
    """A job's weights on its device, their average, and the steps that move both."""

    def __init__(self, job: Job, worker: Worker, replay: bool = True) -> None:
        job.module.to(worker.device)
        self.weights = [weight for weight in job.module.parameters() if weight.requires_grad]
        self.average = [weight.detach().clone() for weight in self.weights]
        self._job, self._worker = job, worker
        self._groups = [group for one in job.optimisers for group in one.param_groups]
        self._share = torch.zeros((), device=worker.device)
        self._rate = None if worker.device == CPU else torch.zeros((), device=worker.device)
        for group in self._groups if self._rate is not None else ():
            group["lr"] = self._rate
            group["capturable"] = True
        self._compute = replayed(self._moved, worker.device) if replay else self._moved

    def take(self, step: int, samples: Samples) -> Tensor:
        """Takes step `step` (from 0) on its samples; their loss, which may be no number."""
        plan = self._job.schedule
        rate = plan.rate * plan.factor(step)
        self._share.fill_(1 - min(plan.ema, (1 + step) / (10 + step)))
        if self._rate is not None:
            self._rate.fill_(rate)
        else:
            for group in self._groups:
                group["lr"] = rate
        return self._compute(samples)

    def _moved(self, samples: Samples) -> Tensor:
        for optimiser in self._job.optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss = self._job.loss(*samples)
        loss.backward()  # type: ignore[no-untyped-call]
        value = loss.detach()
        grads = [_gradient(weight) for weight in self.weights]
        if self._worker.count > 1:
            flat = torch.cat([grad.reshape(-1) for grad in grads] + [value.reshape(1)])
            dist.all_reduce(flat)
            flat /= self._worker.count
            place = 0
            for grad in grads:
                grad.copy_(flat[place : place + grad.numel()].view_as(grad))
                place += grad.numel()
            value = flat[-1]
        nn.utils.clip_grad_norm_(self.weights, self._job.schedule.clip, foreach=True)
        for optimiser in self._job.optimisers:
            optimiser.step()
        if self._worker.rank == 0:
            with torch.no_grad():
                shares = [self._share] * len(self.average)
                torch._foreach_lerp_(self.average, list[Tensor](self.weights), shares)
        return value


def _gradient(weight: nn.Parameter) -> Tensor:
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    return weight.grad
