"""A plan of tiny pictures that is measured: what tests of the estimate share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from picdeed.diffusion.estimate import estimate
from picdeed.diffusion.estimated import Estimate
from picdeed.diffusion.plan import RunPlan


def asked(folder: Path, plan: RunPlan, room: int | None = None, **more: object) -> Estimate:
    """The estimate of a plan in a folder of its own, with one cache for all of them."""
    plan = plan.model_copy(update={"cache": str(folder / "cache"), **more})
    plan.write(folder / "place")
    return estimate(folder / "place", room=room)


def plan_with(plan: RunPlan, **knobs: object) -> RunPlan:
    return plan.model_copy(update={"recipe": plan.recipe.model_copy(update=knobs)})


@dataclass(frozen=True)
class First:
    """A plan of 12 pictures that was measured in a folder. Shared and never written to."""

    folder: Path
    plan: RunPlan
    told: Estimate
