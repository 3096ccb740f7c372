"""What makes the steps of a run cheaper on this device, and is put away for everything else?

Where a CUDA device computes in bf16, autocast rounds every frozen weight anew in every step and
holds what it made until the way back. Here they are rounded once: the very same numbers enter the
same products, some thousand kernels fewer a step. What is kept in fp32, norms among it, stays so.

With `compile` = blocks torch writes kernels of its own for the blocks that a network repeats
(Ansel et al. 2024, ASPLOS, doi 10.1145/3620665.3640366): other rounding, hence a knob. Only a
step's way goes through them: evidence, samples and files know of neither, nor do names of weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from picdeed.core.errors import UsageError
from picdeed.diffusion.recipe import Compile, Precision, Recipe

if TYPE_CHECKING:
    from picdeed.diffusion.models import Base

BACKEND = "inductor"
"""Torch's compiler; "eager" and "aot_eager" write no kernels and need none."""
_ROWS = ("transformer_blocks", "single_transformer_blocks")
_ROUNDED = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)


def require(recipe: Recipe, device: torch.device) -> None:
    """Raise UsageError where torch cannot compile here: it is tried, on a line of arithmetic."""
    if recipe.compile is Compile.OFF:
        return
    some = torch.linspace(-1, 1, 64, device=device, requires_grad=True)
    try:
        torch.compile(_trial, backend=BACKEND)(some).backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, ImportError, OSError) as error:
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
        raise UsageError(
            f"compile = {recipe.compile} cannot be done on this {device.type}: {said}; nothing "
            "was trained.",
            hint="Install a C++ compiler (on CUDA also Triton), or --set compile=off.",
        ) from error


def packages(recipe: Recipe, device: torch.device) -> tuple[str, ...]:
    """What pip has to have installed for it, beside what picdeed brings."""
    compiled = recipe.compile is not Compile.OFF and device.type == "cuda"
    return ("triton",) if compiled else ()


class Quick:
    """The cheaper ways of one base's network, its adapter on it; in use inside of `step` alone.

    `rounds` says whether frozen weights are rounded once: on CUDA, unless it is told otherwise.
    """

    def __init__(self, base: Base, recipe: Recipe, *, rounds: bool | None = None) -> None:
        self._network = base.network
        # DoRA takes its magnitudes from the weights themselves.
        self._rounds = (
            base.device.type == "cuda" if rounds is None else rounds
        ) and not recipe.dora
        self._halves: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
        self._compiled: list[tuple[Any, Any]] = []
        if recipe.compile is Compile.BLOCKS:
            # One shape a network's level: kernels for just these, unless there are many.
            dynamic = None if recipe.buckets else False
            self._compiled = [
                (block, torch.compile(block.forward, backend=BACKEND, dynamic=dynamic))
                for block in blocks_of(self._network)
            ]

    @contextlib.contextmanager
    def step(self, precision: Precision) -> Iterator[None]:
        """Forward and back go the cheaper way; after it the network is as it was."""
        with contextlib.ExitStack() as after:
            if self._rounds and precision is Precision.BF16:
                after.enter_context(self._rounded())
            for block, compiled in self._compiled:
                block.forward = compiled
                after.callback(delattr, block, "forward")
            yield

    def rest(self) -> None:
        """Give back the memory of what the next step makes again."""
        self._halves = []

    @contextlib.contextmanager
    def _rounded(self) -> Iterator[None]:
        layers = [one for one in self._network.modules() if isinstance(one, BaseTunerLayer)]
        if not self._halves:
            self._halves = [(one, one.data.bfloat16()) for one in _frozen(self._network)]
        wholes = [one.data for one, _ in self._halves]
        casting = [one.cast_input_dtype_enabled for one in layers]
        for weight, half in self._halves:
            weight.data = half
        for layer in layers:
            layer.cast_input_dtype_enabled = False  # to fp32, which autocast would cast back
        try:
            yield
        finally:
            for (weight, _), whole in zip(self._halves, wholes, strict=True):
                weight.data = whole
            for layer, before in zip(layers, casting, strict=True):
                layer.cast_input_dtype_enabled = before


def blocks_of(network: Any) -> list[Any]:
    """The blocks that a UNet or a transformer repeats, in its order."""
    return [
        block
        for name, row in network.named_modules()
        if name.rpartition(".")[2] in _ROWS and isinstance(row, torch.nn.ModuleList)
        for block in row
    ]


def _frozen(network: Any) -> Iterator[torch.nn.Parameter]:
    """What autocast rounds in every step: fp32 weights of products that do not learn."""
    for layer in network.modules():
        if type(layer) in _ROUNDED:
            for weight in layer.parameters(recurse=False):
                if not weight.requires_grad and weight.dtype == torch.float32:
                    yield weight


def _trial(some: torch.Tensor) -> torch.Tensor:
    return (some.sin() * 2).sum()
