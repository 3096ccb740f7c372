"""By which sampler does a base draw when nobody names one? Its files tell; no torch in here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picdeed.diffusion.flows import FLOW
from picdeed.diffusion.presets import family_in
from picdeed.diffusion.samplers import Sampler

# Families of rectified flow know Euler's steps along its line and no other.
_OF_FAMILY: Mapping[str, Sampler] = {"sd3": Sampler.EULER, "flux": Sampler.EULER}


def suited_sampler(folder: Path) -> Sampler:
    """DDIM, unless the base in a folder learned a flow.

    Raises UsageError when it has no index or scheduler that can be read.
    """
    known = _OF_FAMILY.get(family_in(folder) or "")
    if known is not None:
        return known
    return Sampler.DPM if _predicts(folder) == FLOW else Sampler.DDIM


def _predicts(folder: Path) -> object:
    path = folder / "scheduler" / "scheduler_config.json"
    try:
        told: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # whoever loads the base says what is wrong with it
    return told.get("prediction_type") if isinstance(told, dict) else None
