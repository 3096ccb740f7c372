"""Muon: momentum whose matrix is made orthogonal before it moves a weight.

K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. The embedded
base's networks learn by it, and adapters that ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)
_NEWTON_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; kernels are taken as (out, in * height * width).

    The update's size is 0.2 sqrt(longest side), so that one rate serves AdamW and Muon. Of `count`
    workers with equal weights and gradients each orthogonalises its part and all get all parts.
    """

    def __init__(  # noqa: PLR0917 - what it moves, how, and in whose company
        self,
        weights: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float,
        half: bool,
        rank: int = 0,
        count: int = 1,
    ) -> None:
        super().__init__(list[Any](weights), {"lr": lr, "momentum": momentum})
        self._kind = torch.bfloat16 if half else torch.float32
        self._rank, self._count = rank, count

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Moves every weight; one without a gradient by its momentum."""
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[nn.Parameter]] = {}
            for weight in group["params"]:
                matrix = (weight.shape[0], weight[0].numel())
                shapes.setdefault(matrix, []).append(weight)
            moves = [
                torch.stack([self._move(weight, group).reshape(shape) for weight in weights])
                for shape, weights in shapes.items()
            ]
            for ((rows, columns), weights), turned in zip(
                shapes.items(), self._turned(moves), strict=True
            ):
                size = -group["lr"] * 0.2 * max(rows, columns) ** 0.5
                for weight, move in zip(weights, turned, strict=True):
                    _add(weight, move.reshape(weight.shape), size)

    def _move(self, weight: nn.Parameter, group: dict[str, Any]) -> Tensor:
        slope = weight.grad if weight.grad is not None else torch.zeros_like(weight)
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(slope, 1 - group["momentum"])
        return slope.lerp(state["momentum"], group["momentum"])

    def _turned(self, moves: Sequence[Tensor]) -> list[Tensor]:
        """Each of (n, rows, columns) orthogonalised, float32."""
        if self._count == 1:
            return [orthogonal(some.to(self._kind)).float() for some in moves]
        # Every n-th matrix of each shape is this worker's; the others' places stay 0 for the sum.
        flat = torch.zeros(sum(some.numel() for some in moves), device=moves[0].device)
        places = torch.split(flat, [some.numel() for some in moves])
        views = [place.view_as(some) for place, some in zip(places, moves, strict=True)]
        for view, some in zip(views, moves, strict=True):
            own = slice(self._rank, None, self._count)
            if len(some[own]):
                view[own] = orthogonal(some[own].to(self._kind)).float()
        dist.all_reduce(flat)
        return views


def _add(weight: Tensor, move: Tensor, size: float | Tensor) -> None:
    if isinstance(size, Tensor):  # a rate that a replayed step reads anew
        weight.addcmul_(move, size)
    else:
        weight.add_(move, alpha=size)


def orthogonal(matrices: Tensor) -> Tensor:
    """(n, rows, columns) with singular values pushed towards 1, by a quintic Newton iteration."""
    a, b, c = _QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(_NEWTON_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
