"""What does a run write after a step? Its pulse, its log with the held-out loss, its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from picdeed.diffusion import checkpoint
from picdeed.diffusion.checkpoint import Position
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.runfolder import Heartbeat, Log, raise_if_asked_to_stop
from picdeed.diffusion.watch import Watch


@dataclass(frozen=True, slots=True)
class Record:
    """The pen of the process that leads a run."""

    folder: Path
    plan: RunPlan
    heart: Heartbeat
    log: Log
    watch: Watch

    def before_step(self) -> None:
        """Raises Stopped when somebody asked the run to end."""
        raise_if_asked_to_stop(self.folder)

    def after_step(
        self,
        at: Position,
        told: dict[str, Any],
        unet: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        """Write what the step came to; `told` is empty where it moved nothing."""
        recipe = self.plan.recipe
        self.heart.step = at.step
        if told:
            self.log.write(step=at.step - 1, **told, **self.watch.seen(at.step, optimizer))
        if at.step % recipe.checkpoint_every == 0 or at.step == recipe.steps:
            checkpoint.save(self.folder, unet, optimizer, at, self.plan.digest())


class Silence:
    """The pen of a process that follows: it writes nothing."""

    def before_step(self) -> None:
        """The leader asks, and ends the others with it."""

    def after_step(self, *_: object) -> None:
        """Nothing."""
