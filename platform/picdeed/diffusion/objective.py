"""What is the model asked to predict, and how wrong is it? One loss for training and evidence."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler

from picdeed.diffusion import flows
from picdeed.diffusion.flows import FLOW
from picdeed.diffusion.models import Base


class Objective:
    """The base's own forward process and prediction target (epsilon, v, sample or a flow's).

    DDPMScheduler only supplies the noise schedule here, zero terminal SNR included; the steps
    of sampling belong to sample.py.
    """

    def __init__(self, base: Base, min_snr_gamma: float | None = None) -> None:
        self._unet = base.unet
        self._device = base.device
        self._noising: Any = DDPMScheduler.from_config(dict(base.scheduler))
        self._gamma = min_snr_gamma
        self.timesteps = int(self._noising.config.num_train_timesteps)
        self.prediction = base.facts.prediction

    def losses(
        self,
        latents: torch.Tensor,
        noise: torch.Tensor,
        timesteps: torch.Tensor,
        prompts: torch.Tensor,
    ) -> torch.Tensor:
        """Mean squared error of each row [batch]; latents and noise [batch, c, h, w]."""
        latents, noise, prompts = (x.to(self._device) for x in (latents, noise, prompts))
        timesteps = timesteps.to(self._device)
        noisy, told, target = self._exercise(latents, noise, timesteps)
        predicted = self._unet(noisy, told, encoder_hidden_states=prompts).sample
        errors: torch.Tensor = F.mse_loss(predicted.float(), target, reduction="none")
        return errors.mean(dim=(1, 2, 3))

    def weights(self, timesteps: torch.Tensor) -> torch.Tensor:
        """Min-SNR weights [batch] (Hang et al. 2023, arXiv 2303.09556), or ones without gamma."""
        if self._gamma is None:
            return torch.ones(len(timesteps), device=self._device)
        if self.prediction == FLOW:
            share = flows.shares(timesteps, self.timesteps)
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
            share = flows.shares(timesteps, self.timesteps)
            noisy, target = flows.on_the_line(latents, noise, share)
            return noisy, share * self.timesteps, target
        noisy = self._noising.add_noise(latents, noise, timesteps)
        if self.prediction == "epsilon":
            return noisy, timesteps, noise
        if self.prediction == "sample":
            return noisy, timesteps, latents
        return noisy, timesteps, self._noising.get_velocity(latents, noise, timesteps)
