"""What do a step, a look and a drawn picture take here, in seconds and in bytes? Ten steps tell.

Two steps with one picture and one with two say how memory grows; seven as a run would make them
say how long one takes. Where steps are slow, fewer are made. Where not one picture fits, other ways
of computing a step are tried so, until one does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch

from picdeed.core.errors import RunFailed
from picdeed.diffusion import optimisers
from picdeed.diffusion.cache import embed
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.evidence import levels, looked
from picdeed.diffusion.fit import Case, Learning, Taken, Way, ways
from picdeed.diffusion.gradient import descend, no_room, recomputing
from picdeed.diffusion.memory import forget_peak, in_use, peak
from picdeed.diffusion.models import Base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.quick import Quick
from picdeed.diffusion.ready import Ready, slots_losses
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.samples import draw_quickly
from picdeed.diffusion.standins import Rows, stood_in
from picdeed.diffusion.train import improve
from picdeed.diffusion.watch import STEP_COST
from picdeed.diffusion.workload import Workload, looks_at_once
from picdeed.diffusion.worn import attach_recipe, trained

STEPS, TIMED = 10, 7
_FEWEST = 2
PATIENCE = 120.0  # seconds that the timed steps, and after them the looks, may take
_DRAWN = 2  # steps of the picture that is drawn; some samplers know no single one
_FEW_LOOKS = 2


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds of a step, medians of `timed`: to compute `rows` pictures, `count` at once in this
    `way`, there and back, and to move the weights.
    """

    way: Way
    count: int
    rows: int
    timed: int
    computing: float
    moving: float
    cpu_computing: float
    cpu_moving: float


@dataclass(frozen=True, slots=True)
class Probe:
    """`taken` and `step` are None where not even one picture at a time can be computed. `look` is
    the seconds of one look, `decoding` those of one picture that the autoencoder makes, `saying`
    those of a caption that encoders read, with their part of the adapter.
    """

    taken: Taken | None
    step: Step | None
    look: float
    decoding: float
    saying: float


def probe(
    plan: RunPlan,
    ready: Ready,
    load: Workload,
    case: Callable[[Taken], Case],
    told: Callable[[int], None],
) -> Probe:
    """Attach the adapter and measure; `case` says what has to fit into which memory, `told` is
    told how many steps are done. The base is of no use afterwards.

    Raises RunFailed when the loss is not finite.
    """
    room = case(Taken({}, 0, 0, 0)).there_is
    learner = _Learner(plan, ready, room, told)
    learning, way, count = _tried(learner, plan.recipe, case)
    if way is None:
        return Probe(None, None, 0.0, 0.0, 0.0)
    step = learner.timed(max(1, count), way)
    if step.count > 2:
        learning[way] = _line(learner.alone[way], step.count, peak(ready.base.device))
    saying = _say(ready.base) if load.said else 0.0
    looks = load.looks or load.passes
    look, resting, looking = _look(plan, ready, step) if looks else (0.0, 0, 0)
    decoding, beside = _decode(ready, look) if load.decoded else (0.0, 0)
    return Probe(Taken(learning, resting, looking, beside), step, look, decoding, saying)


def _tried(
    learner: _Learner, recipe: Recipe, case: Callable[[Taken], Case]
) -> tuple[dict[Way, Learning], Way | None, int]:
    """How memory grows in a recipe's own way and, as long as not one picture fits, in those that
    take less; in which a step is to be timed, and with how many pictures at once.

    That is the first one that fits (0 pictures: none does), else the first one that can be computed
    at all; None: not one picture can be, in no way.
    """
    found: dict[Way, Learning] = {}
    for way in ways(recipe):
        learning = learner.grows(way)
        if learning is None:
            continue
        found[way] = learning
        so = recipe.model_copy(update=way.change(recipe))
        count = case(Taken({way: learning}, 0, 0, 0)).largest(so)
        if count:
            return found, way, count
    return found, next(iter(found), None), 0


class _Learner:
    """Makes steps on the few pictures that are there, in place of those that a step would show."""

    def __init__(self, plan: RunPlan, ready: Ready, room: int, told: Callable[[int], None]) -> None:
        self._plan, self._room, self._told = plan, room, told
        self._ready = stood_in(ready, plan)
        self._device = ready.base.device
        self._objective = Objective(ready.base, plan.recipe.min_snr_gamma)
        self._parameters = attach_recipe(ready.base, plan.recipe, plan.seed)
        self._optimizer = optimisers.build(plan.recipe, trained(ready.base))
        optimisers.settled(self._optimizer, training=True)
        self._cheaper = Quick(ready.base, plan.recipe)
        self._rows = Rows(plan, self._ready, self._objective.timesteps)
        self._done = 0
        self.alone: dict[Way, int] = {}

    def grows(self, way: Way) -> Learning | None:
        """How memory grows with the pictures computed at once; None when one is too many.

        The very first step makes what the optimiser remembers, so the one after it is measured.
        """
        if not self._done and self._step(self._rows.fullest(0, 1), 1, way) is None:
            return None
        alone, pair = (self._fullest(count, way) for count in (1, 2))
        if alone is None:
            return None
        self.alone[way] = alone
        # Where two were too many, one more takes all that is left.
        return _line(alone, 2, max(alone, self._room) if pair is None else pair)

    def timed(self, count: int, way: Way) -> Step:
        """A step's median times; with half as many pictures at once where memory runs out now.

        The most memory in use meanwhile is the device's peak after it.
        """
        forget_peak(self._device)
        begun, made = time.monotonic(), list[tuple[float, float, float, float]]()
        rows = []
        while len(made) < TIMED:
            rows = self._rows.of_a_step(self._done, count)
            one = self._step(rows, count, way)
            if one is None and count > 1:
                return self.timed(count // 2, way)
            if one is None:
                raise RunFailed("Memory ran out while it was measured; nothing was trained.")
            made.append(one)
            if len(made) >= _FEWEST and time.monotonic() - begun > PATIENCE:
                break
        self._told(STEPS)
        self._cheaper.rest()  # what follows is no step
        columns = (median(column) for column in zip(*made, strict=True))
        return Step(way, count, len(rows), len(made), *columns)

    def _step(
        self, rows: Sequence[Slot], count: int, way: Way
    ) -> tuple[float, float, float, float] | None:
        """Seconds and CPU-seconds of computing and of moving; None when memory ran out.

        In the order that `Step` has them.
        """
        losses = partial(slots_losses, self._objective, self._ready, way.precision)
        shape = self._ready.shape
        rate = self._plan.recipe.rate(self._done)
        begun = _clocks(self._device)
        try:
            recomputes = recomputing(self._ready.base.network, on=way.anew)
            with recomputes, self._cheaper.step(way.precision):
                loss, computed = descend(
                    rows, losses, self._optimizer, whole=len(rows), most=count, shape=shape
                )
        except RunFailed:  # what it says is that one picture was too many
            return None
        if computed < count:
            return None
        between = _clocks(self._device)
        clip = self._plan.recipe.clip_norm
        improve(loss, self._parameters, self._optimizer, rate=rate, clip=clip)
        ended = _clocks(self._device)
        self._done += 1
        self._told(min(self._done, STEPS))
        return (
            between[0] - begun[0],
            ended[0] - between[0],
            between[1] - begun[1],
            ended[1] - between[1],
        )

    def _fullest(self, count: int, way: Way) -> int | None:
        rows = self._rows.fullest(self._done, count)
        forget_peak(self._device)
        return None if self._step(rows, count, way) is None else peak(self._device)


def _line(alone: int, count: int, most: int) -> Learning:
    """Through what one picture took and what `count` at once took."""
    each = max(0, most - alone) // (count - 1)
    return Learning(alone - each, each)


def _say(base: Base) -> float:
    """Seconds of a caption; of the second one, as the first may warm up."""
    seconds = 0.0
    for caption in ("a", "a picture"):
        begun = _clocks(base.device)
        embed(base, caption)
        seconds = _clocks(base.device)[0] - begun[0]
    return seconds


def _look(plan: RunPlan, ready: Ready, step: Step) -> tuple[float, int, int]:
    """Seconds of a look, bytes at rest, and bytes that each look at once adds."""
    device = ready.base.device
    looks = max(looks_at_once(plan), plan.recipe.eval_timesteps)
    guess = looks * _as_a_look(step)
    count = looks if guess <= PATIENCE else _FEW_LOOKS
    name = next(iter(ready.moments))
    prompts = {name: ready.prompts[name]}  # what encoders take for it is counted apart
    at = levels(ready.base, plan.recipe.eval_timesteps)
    forget_peak(device)
    resting, begun = in_use(device), _clocks(device)
    exercise: Mapping[str, range] = {name: range(count)}
    try:
        looked(ready.base, ready.moments, prompts, at, exercise)
    except (RuntimeError, MemoryError) as error:
        if not no_room(error):
            raise
        return _as_a_look(step), resting, peak(device)
    seconds = _clocks(device)[0] - begun[0]
    return seconds / count, resting, max(0, peak(device) - resting) // count


def _as_a_look(step: Step) -> float:
    """Seconds of a look, by those of a step: once more forward where it recomputes."""
    return step.computing / step.rows / (STEP_COST + step.way.anew)


def _decode(ready: Ready, look: float) -> tuple[float, int]:
    """Seconds that the autoencoder needs for a picture beside its looks, and bytes at the most."""
    base = ready.base
    forget_peak(base.device)
    begun = _clocks(base.device)
    with torch.no_grad():
        draw_quickly(base, ["picture"], [0], steps=_DRAWN)
    seconds = _clocks(base.device)[0] - begun[0]
    return max(0.0, seconds - _DRAWN * base.family.sides * look), peak(base.device)


def _clocks(device: torch.device) -> tuple[float, float]:
    """Seconds by the wall and of this process on the CPU, once the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter(), time.process_time()
