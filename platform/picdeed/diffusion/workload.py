"""How much does a plan ask to be computed, in its steps and in its evidence? Counted, not timed."""

from __future__ import annotations

from dataclasses import dataclass

from picdeed.diffusion.findings import MOST_REAL
from picdeed.diffusion.forgetting import words_for
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.recipe import Keep, Recipe
from picdeed.diffusion.samples import STEPS, asked_for
from picdeed.diffusion.watch import BATCH, checkpoints, scheduled

_SIDES = 2  # with the adapter and without it


@dataclass(frozen=True, slots=True)
class Workload:
    """A look is one picture's pass through the network, without a gradient; `passes` are such of
    pictures that are drawn. `decoded` and `encoded` are pictures that the autoencoder makes and
    reads for the evidence, `said` the captions that encoders read for it: of what the base forgot,
    and, where encoders learn, of every picture each time that it is looked at.
    """

    steps: int
    looks: int
    passes: int
    decoded: int
    encoded: int
    said: int


def workload(plan: RunPlan, *, samples: bool, sides: int = 2) -> Workload:
    """What a plan comes to; `samples` says whether its folder has a place for what it draws,
    `sides` how often a step of drawing asks the base's network.
    """
    recipe = plan.recipe
    schedule = scheduled(plan)
    looks = (len(schedule.steps) + 1) * sum(map(len, schedule.looks.values()))
    looks += _last_looks(plan)
    words = len(words_for(plan))
    looks += _SIDES * words * recipe.eval_timesteps
    prompts = sum(bool(one) for one in asked_for(plan))
    rows = _SIDES + (1 + len(checkpoints(plan)) if samples else 0)
    drawn = words + rows * prompts
    compared = _SIDES * prompts + _real(plan) if prompts else 0
    return Workload(
        steps=recipe.steps,
        looks=looks,
        passes=drawn * STEPS * sides,
        decoded=drawn,
        encoded=words + compared,
        said=_SIDES * words + _read_anew(plan),
    )


def looks_at_once(plan: RunPlan, recipe: Recipe | None = None) -> int:
    """How many looks the evidence computes together; with `recipe` in place of the plan's own."""
    recipe = recipe or plan.recipe
    if plan.why_nobody() is not None:
        return 0
    watched = recipe.eval_share > 0 or recipe.keep is Keep.BEST
    return max(recipe.eval_timesteps * recipe.eval_noises, BATCH if watched else 0)


def _last_looks(plan: RunPlan) -> int:
    """The final evidence: each picture as it is, and under another's caption."""
    if plan.why_nobody() is not None:
        return 0
    recipe, measured = plan.recipe, set(plan.measured)
    captions = {one.caption.strip() for one in plan.held_out if one.picture in measured}
    kinds = 2 if len(captions) > 1 else 1
    return _SIDES * kinds * len(measured) * recipe.eval_timesteps * recipe.eval_noises


def _read_anew(plan: RunPlan) -> int:
    """Captions of held-out pictures: once a measurement, and in the end without the adapter too.
    Encoders that do not learn have said these before.
    """
    if not plan.recipe.text_rank:
        return 0
    schedule = scheduled(plan)
    measured = plan.measured if plan.why_nobody() is None else ()
    return (len(schedule.steps) + 1) * len(schedule.looks) + _SIDES * len(measured)


def _real(plan: RunPlan) -> int:
    return min(MOST_REAL, len(plan.members)) + min(MOST_REAL, len(plan.held_out))
