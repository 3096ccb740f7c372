"""How is a picture destroyed, and what has the network to say about it? Forward process and target.

Diffusion (Ho et al., 2020): x_t = sqrt(a_t) x + sqrt(1 - a_t) e with a schedule a; the network says
the noise e or the velocity v = sqrt(a_t) e - sqrt(1 - a_t) x (arXiv:2202.00512). Rectified flow
goes straight from one to the other (`flows`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from picdeed.core.errors import UsageError
from picdeed.diffusion import flows
from picdeed.diffusion.flows import FLOW
from picdeed.diffusion.pretrain.recipe import Noise

STEPS = 1000
_PREDICTIONS = ("epsilon", "v_prediction", FLOW)
_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")


@dataclass(frozen=True, slots=True)
class Noised:
    """Of n latents: what the network gets (`noisy`, `times` as it is told them), what it has to
    say, and the weight float32[n] of each square error."""

    noisy: Tensor
    times: Tensor
    target: Tensor
    weight: Tensor


def noised(noise: Noise, clean: Tensor, e: Tensor, when: Tensor) -> Noised:
    """Latents (n, c, h, w) and standard normal `e` at `when`, float32[n] of 0 (clean) to 1."""
    if noise.prediction == FLOW:
        share = flows.shares((when * STEPS).floor(), STEPS)
        noisy, target = flows.on_the_line(clean, e, share)
        weight = (
            flows.min_snr_weight(share, noise.min_snr) if noise.min_snr else torch.ones_like(share)
        )
        return Noised(noisy, share * STEPS, target, weight)
    times = (when * STEPS).long().clamp(max=STEPS - 1)
    kept = _alphas_on(noise, clean.device)[times]
    signal, rest = kept.sqrt()[:, None, None, None], (1 - kept).sqrt()[:, None, None, None]
    target = e if noise.prediction == "epsilon" else signal * e - rest * clean
    weight = _weight(noise, kept / (1 - kept).clamp(min=1e-8))
    return Noised(signal * clean + rest * e, times, target, weight)


def alphas(noise: Noise) -> Tensor:
    """float32[1000]: how much of the picture's variance is left at each time."""
    found: Tensor = scheduler(noise).alphas_cumprod
    return found


@cache
def _alphas_on(noise: Noise, device: torch.device) -> Tensor:
    # Once a device: a step that is replayed there (`replay`) may not copy from the CPU.
    return alphas(noise).to(device)


def scheduler(noise: Noise) -> Any:
    """The sampler that belongs to it, which StableDiffusionPipeline takes.

    Raises UsageError for unknown words, and for noise told where nothing but noise is left.
    """
    if noise.prediction not in _PREDICTIONS:
        raise UsageError(f"{noise.prediction!r} is none of {', '.join(_PREDICTIONS)}.")
    if noise.prediction == FLOW:
        # FlowMatchEulerDiscreteScheduler has no init_noise_sigma, which the pipeline asks for.
        return DPMSolverMultistepScheduler(
            num_train_timesteps=STEPS,
            prediction_type=FLOW,
            use_flow_sigmas=True,
            flow_shift=1.0,
            solver_order=2,
        )
    if noise.schedule not in _SCHEDULES:
        raise UsageError(f"{noise.schedule!r} is none of {', '.join(_SCHEDULES)}.")
    if noise.prediction == "epsilon" and noise.zero_snr:
        raise UsageError("epsilon with zero_snr asks for a picture where there is only noise.")
    return DDIMScheduler(
        num_train_timesteps=STEPS,
        beta_schedule=noise.schedule,
        prediction_type=noise.prediction,
        timestep_spacing="trailing",
        rescale_betas_zero_snr=noise.zero_snr,
        clip_sample=False,
        steps_offset=1,
    )


def _weight(noise: Noise, snr: Tensor) -> Tensor:
    """Min-SNR-gamma (arXiv:2303.09556), told for each target; ones where gamma is 0."""
    if not noise.min_snr:
        return torch.ones_like(snr)
    capped = snr.clamp(max=noise.min_snr)
    if noise.prediction == "epsilon":
        return capped / snr.clamp(min=1e-8)
    return capped / (snr + 1)
