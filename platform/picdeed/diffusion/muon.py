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
            shapes: dict[tuple[int, int], list[int]] = {}
            weights: list[Tensor] = group["params"]
            for place, weight in enumerate(weights):
                shapes.setdefault((weight.shape[0], weight[0].numel()), []).append(place)
            moved = self._moved(group)
            moves = [
                torch.stack([moved[place].reshape(shape) for place in places])
                for shape, places in shapes.items()
            ]
            for (shape, places), turned in zip(shapes.items(), self._turned(moves), strict=True):
                size = -group["lr"] * 0.2 * max(shape) ** 0.5
                some = [weights[place] for place in places]
                shares = [
                    one.reshape(weight.shape) for one, weight in zip(turned, some, strict=True)
                ]
                if isinstance(size, Tensor):  # a rate that a replayed step reads anew
                    torch._foreach_mul_(shares, size)
                    torch._foreach_add_(some, shares)
                else:
                    torch._foreach_add_(some, shares, alpha=size)

    def _moved(self, group: dict[str, Any]) -> Sequence[Tensor]:
        """Where each weight's gradient and its momentum point to."""
        weights = group["params"]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum"] = torch.zeros_like(weight)
        slopes = [one.grad if one.grad is not None else torch.zeros_like(one) for one in weights]
        kept = [self.state[weight]["momentum"] for weight in weights]
        torch._foreach_lerp_(kept, slopes, 1 - group["momentum"])
        return torch._foreach_lerp(slopes, kept, group["momentum"])  # noqa: SLF001 - as optim does

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


def orthogonal(matrices: Tensor) -> Tensor:
    """(n, rows, columns) with singular values pushed towards 1, by a quintic Newton iteration."""
    a, b, c = _QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(_NEWTON_STEPS):
        gram = x @ x.mT
        # a x + (b gram + c gram gram) x, the sums inside the products: half the rounding in bf16.
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
