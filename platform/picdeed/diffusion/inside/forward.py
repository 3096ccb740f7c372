"""How much of the picture and of the noise is left at a time, and what does a prediction mean?

The forward process (Ho et al. 2020, arXiv 2006.11239) mixes latents z and noise e at a time t:
`sqrt(a) z + sqrt(1 - a) e`. Along the base's own schedule a falls from almost 1 to almost 0, with
zero terminal SNR (Lin et al. 2023, arXiv 2305.08891) to 0 itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler

from picdeed.core.errors import UsageError
from picdeed.diffusion.inside.views import Floats
from picdeed.diffusion.models import Base

_KNOWN = ("epsilon", "v_prediction", "sample")
_NOTHING = 1e-4  # of the latents: an epsilon prediction says nothing about them then


class Forward:
    """The base's forward process. `DDPMScheduler` supplies the schedule only, as in training.

    Raises UsageError for a base whose network says something else than noise, v or the picture.
    """

    def __init__(self, base: Base) -> None:
        if base.facts.prediction not in _KNOWN:
            raise UsageError(
                f"{base.facts.name} predicts {base.facts.prediction!r}; how that mixes picture and "
                "noise is not known here, and nothing was drawn.",
                hint=f"Take a base that predicts one of {', '.join(_KNOWN)}.",
            )
        scheduler: Any = DDPMScheduler.from_config(dict(base.scheduler))
        self._alphas = scheduler.alphas_cumprod.double().numpy()
        self._prediction = base.facts.prediction
        self.times = len(self._alphas)

    @property
    def signal(self) -> Floats:
        """float32 [times]: the latents' share at every time."""
        return np.asarray(np.sqrt(self._alphas), np.float32)

    def shares(self, time: float) -> tuple[float, float]:
        """The latents' share and the noise's, whose squares add up to 1.

        Some samplers step between two times: there the squares are interpolated. Raises UsageError
        outside of the schedule.
        """
        if not 0 <= time <= self.times - 1:
            raise UsageError(f"Time {time} is outside 0 to {self.times - 1}; nothing was drawn.")
        kept = float(np.interp(time, np.arange(self.times), self._alphas))
        return float(np.sqrt(kept)), float(np.sqrt(1 - kept))

    def mixed(self, latents: torch.Tensor, noise: torch.Tensor, time: float) -> torch.Tensor:
        """Latents with the noise that belongs to a time; both of one shape."""
        signal, rest = self.shares(time)
        return signal * latents + rest * noise

    def expected(self, noisy: torch.Tensor, said: torch.Tensor, time: float) -> torch.Tensor:
        """The clean latents that a prediction amounts to.

        v is `sqrt(a) e - sqrt(1 - a) z` (Salimans and Ho 2022, arXiv 2202.00512).
        """
        signal, rest = self.shares(time)
        if self._prediction == "sample":
            return said
        if self._prediction == "epsilon":
            return (noisy - rest * said) / max(signal, _NOTHING)
        return signal * noisy - rest * said
