"""How does a step of a small network fill a large GPU? Its kernels, recorded once and replayed.

A step here is some thousand kernels of a few microseconds each, which Python starts more slowly
than a GPU runs them. CUDA graphs start all of them at once. Everything that changes from step to
step must then lie in tensors that stay where they are: samples, rates, the average's share.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from picdeed.diffusion.pretrain.feed import Samples

Compute = Callable[[Samples], Tensor]
"""One step on samples: moves weights, gives the loss. Equal work each time."""

_EAGER = 3  # steps before the recording: libraries choose kernels, optimisers make their memory


def replayed(compute: Compute, device: torch.device) -> Compute:
    """`compute` as it is on a CPU; on a GPU its first steps, and from then on their replay.

    Every call trains: recording computes nothing.
    """
    return compute if device.type == "cpu" else _Replayed(compute)


class _Replayed:
    def __init__(self, compute: Compute) -> None:
        self._compute = compute
        self._taken = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._samples: Samples = ()
        self._loss = torch.empty(0)
        # The eager steps run beside the stream on which others wait, as recording demands.
        self._beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def __call__(self, samples: Samples) -> Tensor:
        if self._taken < _EAGER:
            self._taken += 1
            return self._eager(samples)
        graph = self._graph = self._graph or self._recorded(samples)
        for place, one in zip(self._samples, samples, strict=True):
            place.copy_(one, non_blocking=True)
        graph.replay()
        return self._loss

    def _eager(self, samples: Samples) -> Tensor:
        self._beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._beside):
            loss = self._compute(samples)
        torch.cuda.current_stream().wait_stream(self._beside)
        return loss

    def _recorded(self, samples: Samples) -> torch.cuda.CUDAGraph:
        self._samples = tuple(one.clone() for one in samples)
        graph = torch.cuda.CUDAGraph()
        # Of this thread only: another pins the next samples' memory meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._loss = self._compute(self._samples)
        return graph
