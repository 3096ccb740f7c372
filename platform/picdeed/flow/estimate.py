"""What would a fine-tune cost on this machine, and does it fit? A probe tells; nothing is trained.

The gate is asked as `train` asks it, for the pictures are read. The plan is written into a folder
in the cache that is removed after, and one process measures it; what it read stays cached for the
run.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from picdeed.core import errors
from picdeed.core.errors import PicdeedError, RunFailed, UsageError
from picdeed.core.events import Progress, silent
from picdeed.diffusion.estimated import Estimate, read_estimate
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.runfolder import read_json
from picdeed.flow import pipeline
from picdeed.flow.aside import aside
from picdeed.flow.drafted import draft_plan
from picdeed.flow.going import require_live
from picdeed.flow.train import Launch, asked_for
from picdeed.registry import subjects
from picdeed.registry.decisions import Decision
from picdeed.registry.session import Registry
from picdeed.rights.verdict import Use

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Price:
    """What the machine costs for an hour, and for the run, in whatever currency that was."""

    per_hour: float
    total: float


@dataclass(frozen=True, slots=True)
class Estimated:
    """What a fine-tune would cost. `run` is the id that it would have; `is_known` says that a run
    of these inputs is on record. `price` is None unless it was asked for, or where nothing was
    timed.
    """

    snapshot: str
    base: str
    decision: str
    run: str
    is_known: bool
    recipe: dict[str, Any]
    cost: Estimate
    price: Price | None


def estimate(
    registry: Registry,
    frozen: str,
    base: str,
    recipe: Recipe,
    probe: Launch,
    *,
    uses: Sequence[Use] = (Use.TRAIN,),
    decision: str | None = None,
    seed: int = 0,
    price_per_hour: float | None = None,
    progress: Progress = silent,
) -> Estimated:
    """gate + a probe of the plan that `train` would follow; nothing of it is recorded but what the
    gate decided.

    `probe` runs the measuring process of a folder to its end. Raises Denied or NeedsReview as the
    gate answers, UsageError and IntegrityError as `train` would, BusyError while a replay or
    another estimate goes on, RunFailed.
    """
    if price_per_hour is not None and not (math.isfinite(price_per_hour) and price_per_hour >= 0):
        raise UsageError(f"{price_per_hour} is no price of an hour; nothing was measured.")
    gated = pipeline.let_train(registry, frozen, base, uses, decision, progress=progress)
    with registry.read() as session:
        verdict = subjects.require(session, Decision, gated.decision)
        require_live(session, verdict)
        run, known = asked_for(session, verdict, recipe, seed=seed)
        plan = draft_plan(registry, session, run)
    with aside(registry) as place:
        folder = place / plan.run
        plan.write(folder)
        try:
            probe(folder, progress=progress)
        except RunFailed as failure:
            raise _as_it_was(read_json(folder / "error.json"), failure) from failure
        cost = read_estimate(folder)
    price = None
    if price_per_hour is not None and cost.seconds is not None:
        price = Price(price_per_hour, price_per_hour * cost.seconds.total / _HOUR)
    return Estimated(
        snapshot=plan.snapshot,
        base=gated.base,
        decision=plan.decision,
        run=plan.run,
        is_known=known,
        recipe=plan.recipe.model_dump(mode="json"),
        cost=cost,
        price=price,
    )


def _as_it_was(told: dict[str, Any] | None, failure: RunFailed) -> PicdeedError:
    """The error that ended the probe, by the name that it left."""
    if told is None:
        return failure
    kind = getattr(errors, str(told.get("error")), RunFailed)
    with contextlib.suppress(TypeError):
        if issubclass(kind, PicdeedError):
            made: PicdeedError = kind(str(told["message"]), hint=str(told.get("hint") or ""))
            return made
    return RunFailed(str(told["message"]), hint=str(told.get("hint") or ""))
