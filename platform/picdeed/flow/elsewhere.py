"""How does a run leave this registry and come back? Composes stages through the pipeline.

gate + train's plan + bundle  ->  (another machine: away.py)  ->  brought + gate + bringing
"""

from __future__ import annotations

from pathlib import Path

from picdeed.core.errors import Denied, NeedsReview
from picdeed.core.events import Progress, silent
from picdeed.diffusion.recipe import Recipe
from picdeed.flow import pipeline
from picdeed.flow.bringing import Imported, bring_home
from picdeed.flow.brought import brought
from picdeed.flow.bundle import Bundled, bundle
from picdeed.flow.decided import require_open
from picdeed.flow.going import require_live
from picdeed.flow.train import rebind
from picdeed.registry import subjects
from picdeed.registry.decisions import Decision
from picdeed.registry.runs import Run, RunState, Standing
from picdeed.registry.session import Registry


def bundle_run(
    registry: Registry,
    frozen: str,
    base: str,
    recipe: Recipe,
    decision: str,
    *,
    seed: int = 0,
    to: Path | None = None,
    progress: Progress = silent,
) -> Bundled:
    """gate + train + bundle: the run is prepared as `train` prepares it, and packed.

    Raises Denied or NeedsReview like `train`: `decision` must still be what the gate says.
    """
    queued = pipeline.fine_tune(
        registry, frozen, base, recipe, None, decision=decision, seed=seed, progress=progress
    )
    with registry.read() as session:
        asked = subjects.require(session, Decision, decision).id
    rebind(registry, queued.run, asked)  # a run that was prepared under an older one
    return bundle(registry, queued.run, pipeline.identity_of(registry), to)


def import_run(registry: Registry, path: Path, *, progress: Progress = silent) -> Imported:
    """brought + gate + bringing: a run that was trained elsewhere is checked and recorded.

    Where the decision that it was trained under holds no more, the gate of today is asked, and
    Denied or NeedsReview raised as it answers. A run that a revocation reached comes in all the
    same, and stands as that left it.
    """
    with brought(registry, path) as found:
        with registry.read() as session:
            row = subjects.require(session, Run, found.plan.run)
        if row.state != RunState.SUCCEEDED and row.standing == Standing.GOOD:
            _require_rights(registry, found.plan.decision, progress)
        return bring_home(registry, found)


def _require_rights(registry: Registry, decision: str, progress: Progress) -> None:
    """The rule of a run that comes to its end here; then, as `runs resume` does, today's gate."""
    with registry.read() as session:
        old = subjects.require(session, Decision, decision)
        try:
            require_live(session, old)
        except (Denied, NeedsReview):
            pass
        else:
            return
    require_open(pipeline.judge_today(registry, decision, progress=progress))
