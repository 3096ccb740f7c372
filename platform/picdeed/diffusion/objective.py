"""What is the model asked to predict, and how wrong is it? One loss for training and evidence."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler

from picdeed.diffusion import flows
from picdeed.diffusion.devices import moved
from picdeed.diffusion.flows import FLOW
from picdeed.diffusion.models import Base
from picdeed.diffusion.prompts import Prompt


class Objective:
    """The base's own forward process and prediction target (epsilon, v, sample or a flow's).

    DDPMScheduler only supplies the noise schedule here, zero terminal SNR included; the steps
    of sampling belong to sample.py.
    """

    def __init__(self, base: Base, min_snr_gamma: float | None = None) -> None:
        self._base = base
        self._device = base.device
        self._noising: Any = DDPMScheduler.from_config(dict(base.scheduler))
        self._gamma = min_snr_gamma
        self.timesteps = int(self._noising.config.num_train_timesteps)
        self._shift = base.family.shift(base)
        self.prediction = base.facts.prediction

    def losses(
        self,
        latents: torch.Tensor,
        noise: torch.Tensor,
        timesteps: torch.Tensor,
        prompts: Prompt,
        masks: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Mean squared error of each row [batch]; latents and noise [batch, c, h, w].

        With masks [batch, 1, h, w] in 0..1 the mean is weighted by them.
        """
        latents, noise, timesteps = (moved(x, self._device) for x in (latents, noise, timesteps))
        prompts = {name: moved(tensor, self._device) for name, tensor in prompts.items()}
        noisy, told, target = self._exercise(latents, noise, timesteps)
        predicted = self._base.family.predict(self._base, noisy, told, prompts)
        errors: torch.Tensor = F.mse_loss(predicted.float(), target, reduction="none")
        if masks is None:
            return errors.mean(dim=(1, 2, 3))
        weight = moved(masks, self._device).expand_as(errors)
        return (errors * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)).clamp(min=1e-6)

    def weights(self, timesteps: torch.Tensor) -> torch.Tensor:
        """Min-SNR weights [batch] (Hang et al. 2023, arXiv 2303.09556), or ones without gamma."""
        if self._gamma is None:
            return torch.ones(len(timesteps), device=self._device)
        if self.prediction == FLOW:
            share = self._shares(timesteps)
            return flows.min_snr_weight(share, self._gamma).to(self._device)
        kept: torch.Tensor = self._noising.alphas_cumprod[timesteps.cpu()]
        snr = kept / (1 - kept).clamp(min=1e-8)
        capped = snr.clamp(max=self._gamma)
        if self.prediction == "v_prediction":
            capped = capped / (snr + 1)
        elif self.prediction == "epsilon":
            capped = capped / snr.clamp(min=1e-8)
        return capped.to(self._device)

    def _exercise(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What the network gets, the times that it is told, and what it has to say."""
        if self.prediction == FLOW:
            share = self._shares(timesteps)
            noisy, target = flows.on_the_line(latents, noise, share)
            return noisy, share * self.timesteps, target
        noisy = self._noising.add_noise(latents, noise, timesteps)
        if self.prediction == "epsilon":
            return noisy, timesteps, noise
        if self.prediction == "sample":
            return noisy, timesteps, latents
        return noisy, timesteps, self._noising.get_velocity(latents, noise, timesteps)

    def _shares(self, timesteps: torch.Tensor) -> torch.Tensor:
        return flows.shifted(flows.shares(timesteps, self.timesteps), self._shift)
