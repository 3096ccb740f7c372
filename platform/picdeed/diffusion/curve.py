"""How did the held-out loss move while a run learned, which step was best, was it too many?

Read from the run's log, so that whoever has the log can draw the curve. No torch in here.

held_out        mean loss over the held-out pictures, in the row of the step it was measured after
held_out_base   the base's own on the very same exercises: what step 0 came to
held_out_each   each picture's, by id; differences of one picture need no guess at their spread
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

WATCHED = ("held_out", "held_out_base", "held_out_each")
# A rise counts from this share of the lowest loss: random adapters move it by half of that.
LEAST_RISE = 0.01
# One measurement may be an accident of its step.
FEWEST_RISEN = 2
# Student's t, one side, 95 %, by degrees of freedom (from 1); beyond the table the last is kept,
# which is a little strict.
_STUDENT = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782,
            1.771, 1.761, 1.753)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured after so many steps; `each` is one loss a picture, in a fixed order."""

    step: int
    loss: float
    each: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OverTrained:
    """The loss was lowest after `best` steps; from `since` on it was higher at every measurement,
    at the end by `rise`, a share of the lowest.
    """

    best: int
    since: int
    rise: float


@dataclass(frozen=True, slots=True)
class Curve:
    """`points` in the order of their steps, at least one; `base` is the loss before step 1."""

    base: float
    points: tuple[Point, ...]

    @property
    def best(self) -> Point:
        """The lowest; of equal ones the earliest."""
        return min(self.points, key=lambda point: point.loss)

    @property
    def over_trained(self) -> OverTrained | None:
        """Whether the loss rose for good after its minimum; None while that cannot be said."""
        best, risen = self.best, list[Point]()
        for point in reversed(self.points):
            if point.step <= best.step or not _higher(point, best):
                break
            risen.append(point)
        if len(risen) < FEWEST_RISEN:
            return None
        return OverTrained(best.step, risen[-1].step, risen[0].loss / best.loss - 1)

    def document(self) -> dict[str, Any]:
        """JSON values: `base`, `points`, `best` (a step), `pictures`, `over_trained`."""
        over = self.over_trained
        return {
            "base": self.base,
            "points": [{"step": one.step, "loss": one.loss} for one in self.points],
            "best": self.best.step,
            "pictures": len(self.points[0].each),
            "over_trained": asdict(over) if over else None,
        }


def curve_of(log: Iterable[Mapping[str, Any]]) -> Curve | None:
    """The curve in a log, None before its first measurement.

    Rows that measured other pictures than the last one did are left out: they do not compare.
    """
    rows = [row for row in log if all(name in row for name in WATCHED)]
    if not rows:
        return None
    rows = [row for row in rows if len(row["held_out_each"]) == len(rows[-1]["held_out_each"])]
    points = [
        Point(int(row["step"]) + 1, float(row["held_out"]), tuple(row["held_out_each"]))
        for row in rows
    ]
    return Curve(float(rows[-1]["held_out_base"]), tuple(points))


def _higher(point: Point, best: Point) -> bool:
    """Whether a loss is higher than the best one beyond what chance makes of these pictures."""
    apart = [now - then for now, then in zip(point.each, best.each, strict=True)]
    rise = fmean(apart)
    return rise >= LEAST_RISE * best.loss and rise > _chance(apart)


def _chance(apart: Sequence[float]) -> float:
    """What the mean of such differences exceeds in one of twenty cases where there is none."""
    if len(apart) < 2:
        return math.inf
    quantile = _STUDENT[min(len(apart) - 1, len(_STUDENT)) - 1]
    return quantile * stdev(apart) / math.sqrt(len(apart))
