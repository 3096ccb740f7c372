"""How does a base draw when nobody says? Its files tell; no torch in here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picdeed.core.errors import UsageError
from picdeed.diffusion.flows import FLOW
from picdeed.diffusion.guidance import ALWAYS, MOST, USUAL, Interval
from picdeed.diffusion.presets import family_in
from picdeed.diffusion.samplers import Sampler

# Families of rectified flow know Euler's steps along its line and no other.
_OF_FAMILY: Mapping[str, Sampler] = {"sd3": Sampler.EULER, "flux": Sampler.EULER}
SAMPLING = "sampling"
"""Where a deed says how its base draws best: `guidance`, `guidance_start`, `guidance_stop`."""


@dataclass(frozen=True, slots=True)
class Suited:
    """What suits a base."""

    sampler: Sampler
    guidance: float = USUAL
    interval: Interval = ALWAYS


def suited(folder: Path) -> Suited:
    """By DDIM, unless the base in a folder learned a flow; guided as its deed says.

    Raises UsageError when it has no index that can be read, or when its deed asks for what cannot
    be done.
    """
    guidance, interval = guidance_of(folder)
    return Suited(_sampler(folder), guidance, interval)


def _sampler(folder: Path) -> Sampler:
    known = _OF_FAMILY.get(family_in(folder) or "")
    if known is not None:
        return known
    scheduler = _read(folder / "scheduler" / "scheduler_config.json")
    return Sampler.DPM if scheduler.get("prediction_type") == FLOW else Sampler.DDIM


def guidance_of(folder: Path) -> tuple[float, Interval]:
    """Guidance and its interval, as a base's deed says, else the usual. Raises UsageError."""
    told = _read(folder / "deed.json").get(SAMPLING, {})
    try:
        return read_sampling(told)
    except UsageError as error:
        raise UsageError(
            f"{folder / 'deed.json'}: {error.message}",
            hint="Mend its `sampling`, or leave it out.",
        ) from error


def read_sampling(told: Any) -> tuple[float, Interval]:
    """Guidance and its interval, of what a deed or a recipe says. Raises UsageError on another key
    or a number that cannot be."""
    known = {"guidance": USUAL, "guidance_start": ALWAYS.start, "guidance_stop": ALWAYS.stop}
    fits = (
        isinstance(told, Mapping)
        and told.keys() <= known.keys()
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in told.values())
    )
    if not fits or not 0 <= (told := known | dict(told))["guidance"] <= MOST:
        raise UsageError(
            f"{told!r} is no way to draw: guidance is 0 to {MOST}, start and stop 0 to 1."
        )
    interval = Interval(float(told["guidance_start"]), float(told["guidance_stop"]))
    interval.require()
    return float(told["guidance"]), interval


def _read(path: Path) -> Mapping[str, Any]:
    """Nothing where it is missing or odd: whoever loads the base says what is wrong with it."""
    try:
        told: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
