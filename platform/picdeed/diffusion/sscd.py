"""How does SSCD, a network trained to find copies, make a vector of a picture?

E. Pizzi and others, "A Self-Supervised Descriptor for Image Copy Detection", CVPR 2022: a ResNet
with bottlenecks, generalised mean pooling of its last map, one linear layer. Its weights are
published as pickles with torchvision's names; saved as safetensors under the same names they are
read here. torchvision itself is not needed: the layers are few.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F

from picdeed.diffusion.tensors import Tensors

MODEL_TYPE = "sscd"
_PREFIXES = ("model.", "backbone.")
_BLOCK = re.compile(r"^layer([1-4])\.(\d+)\.conv1\.weight$")
_LEAST = 1e-6  # below it the authors' pooling takes no power
_STAGES = 4


class Sscd(torch.nn.Module):
    """float32[n, 3, h, w] to float32[n, d], not yet of length one.

    `config` may say `pool`, the power of the pooling: 3 in all published weights. Raises ValueError
    naming a weight that is missing or of a shape that does not fit.
    """

    def __init__(self, config: Mapping[str, Any], tensors: Tensors) -> None:
        super().__init__()
        self.pool = float(config.get("pool", 3.0))
        if not 1.0 <= self.pool <= 16.0:
            raise ValueError(f"pool {self.pool} is no power from 1 to 16")
        named = {_bare(name): tensor.float() for name, tensor in tensors.items()}
        counted: dict[int, int] = {}
        for name in named:
            if found := _BLOCK.match(name):
                stage, at = int(found[1]), int(found[2])
                counted[stage] = max(counted.get(stage, 0), at + 1)
        self.depths = [counted.get(stage, 0) for stage in range(1, _STAGES + 1)]
        if not all(self.depths):
            raise ValueError("no ResNet with bottlenecks under torchvision's names.")
        for name, tensor in named.items():
            if tensor.is_floating_point() and not name.endswith("num_batches_tracked"):
                weight = torch.nn.Parameter(tensor, requires_grad=False)
                self.register_parameter(name.replace(".", "-"), weight)
        self(torch.zeros(1, 3, 64, 64))  # a weight that is missing is named here

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """As torchvision's ResNet goes, with the stride in the middle of a bottleneck."""
        seen = F.relu(self._normed("bn1", self._turned("conv1", pixels, 2)))
        seen = F.max_pool2d(seen, 3, 2, 1)
        for stage, depth in enumerate(self.depths, 1):
            for at in range(depth):
                seen = self._block(f"layer{stage}.{at}", seen, 2 if stage > 1 and at == 0 else 1)
        pooled = seen.flatten(2).clamp(min=_LEAST).pow(self.pool).mean(2).pow(1 / self.pool)
        return F.linear(pooled, self._weight("fc.weight"), self._weight("fc.bias"))

    def _block(self, name: str, seen: torch.Tensor, stride: int) -> torch.Tensor:
        inner = F.relu(self._normed(f"{name}.bn1", self._turned(f"{name}.conv1", seen, 1)))
        inner = F.relu(self._normed(f"{name}.bn2", self._turned(f"{name}.conv2", inner, stride)))
        inner = self._normed(f"{name}.bn3", self._turned(f"{name}.conv3", inner, 1))
        if self._has(f"{name}.downsample.0.weight"):
            seen = self._turned(f"{name}.downsample.0", seen, stride)
            seen = self._normed(f"{name}.downsample.1", seen)
        return F.relu(inner + seen)

    def _turned(self, name: str, seen: torch.Tensor, stride: int) -> torch.Tensor:
        weight = self._weight(f"{name}.weight")
        return F.conv2d(seen, weight, None, stride, weight.shape[-1] // 2)

    def _normed(self, name: str, seen: torch.Tensor) -> torch.Tensor:
        mean, spread = (self._weight(f"{name}.{one}") for one in ("running_mean", "running_var"))
        weight, bias = (self._weight(f"{name}.{one}") for one in ("weight", "bias"))
        return F.batch_norm(seen, mean, spread, weight, bias)

    def _has(self, name: str) -> bool:
        return name.replace(".", "-") in self._parameters

    def _weight(self, name: str) -> torch.Tensor:
        found = self._parameters.get(name.replace(".", "-"))
        if found is None:
            raise ValueError(f"the weight {name} is missing.")
        return found


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
