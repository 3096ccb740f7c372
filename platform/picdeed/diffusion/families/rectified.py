"""What do the families of rectified flow have in common? Their schedule, its shift, one sampler.

A larger picture needs more noise to be as destroyed, so a share s of noise is moved to
`k s / (1 + (k - 1) s)` (Esser et al. 2024, arXiv 2403.03206, section 5.3.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler

from picdeed.diffusion.families.family import Config
from picdeed.diffusion.flows import FLOW
from picdeed.diffusion.samplers import Sampler

SCHEDULER = "FlowMatchEulerDiscreteScheduler"


def predicts(_: Config) -> str:
    """Noise minus picture: there is nothing to choose, and no scheduler's config names it."""
    return FLOW


def samplers(_: str) -> Mapping[Sampler, Any]:
    """Euler's steps along the line; the other samplers know no such schedule."""
    return {Sampler.EULER: FlowMatchEulerDiscreteScheduler}


def shift(scheduler: Config, tokens: int, *, highest: float) -> float:
    """How far shares are moved: fixed, or by the picture's number of tokens as pipelines draw.

    `highest` is the family's own default at the largest size, where the config says none.
    """
    if not scheduler.get("use_dynamic_shifting", False):
        return float(scheduler.get("shift", 1.0))
    few, many = scheduler.get("base_image_seq_len", 256), scheduler.get("max_image_seq_len", 4096)
    low, high = scheduler.get("base_shift", 0.5), scheduler.get("max_shift", highest)
    by = (high - low) / (many - few) * (tokens - few) + low
    return float(
        by if scheduler.get("time_shift_type", "exponential") == "linear" else math.exp(by)
    )
