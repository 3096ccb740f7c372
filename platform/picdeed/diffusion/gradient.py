"""Which way does one step's loss fall? The gradient of a batch, in parts that fit the memory.

The parts' losses are added as shares of the whole batch, so that their number changes rounding
and nothing else: every slot's latent, noise and timestep come from its own seed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import torch

from picdeed.core.errors import RunFailed
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.recipe import Precision

Losses = Callable[[Sequence[Slot]], torch.Tensor]
"""The weighted losses [n] of n slots whose latents have one shape, differentiable."""
Shape = Callable[[Slot], Hashable]
"""Of a slot's latent."""
_NO_ROOM = ("can't allocate memory", "not enough memory", "out of memory")


def descend(
    slots: Sequence[Slot],
    losses: Losses,
    optimizer: torch.optim.Optimizer,
    *,
    whole: int,
    most: int,
    shape: Shape = lambda _: None,
) -> tuple[float, int]:
    """Leave the gradient of the slots' loss, over a batch of `whole`, in the weights.

    That loss (their sum over `whole`), and how many slots were computed at once: `most`, or halves
    of it when memory ran out and the batch began anew. Slots that were taken out of a batch leave
    the others' weight as it was. Raises RunFailed when a single slot is too large.
    """
    while True:
        optimizer.zero_grad(set_to_none=True)
        try:
            total = _in_parts(_parts(slots, shape, most), losses, whole)
        except (RuntimeError, MemoryError) as error:
            if not no_room(error):
                raise
            if most == 1:
                raise RunFailed(
                    "One picture at a time needs more memory than there is; no adapter was "
                    "written.",
                    hint="Give the machine more memory or free some, --set precision=bf16, or "
                    "--set gradient_checkpointing=true.",
                ) from error
        else:
            _fill(optimizer)
            return total, most
        # Outside of the handler: while it runs, the error holds the failed step's tensors.
        most = (min(most, len(slots)) + 1) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def computing(device: torch.device, precision: Precision) -> torch.autocast:
    """In which numbers the base computes meanwhile; weights and gradients stay as they are."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision is Precision.BF16)


@contextlib.contextmanager
def recomputing(network: Any, *, on: bool) -> Iterator[None]:
    """With `on` the network keeps only what enters its blocks and computes the rest once more on
    the way back (Chen et al. 2016, arXiv 1604.06174): less memory for one more pass forward.

    The very same operations give the very same gradients. Where no gradient is asked for, in
    evidence and in drawing, diffusers' blocks do nothing of it; after this nothing is left.
    """
    if not on:
        yield
        return
    # Its own way of doing so goes without re-entrance: the adapter alone needs gradients, and the
    # blocks' inputs do not say so.
    network.enable_gradient_checkpointing()
    try:
        yield
    finally:
        network.disable_gradient_checkpointing()


def _parts(slots: Sequence[Slot], shape: Shape, most: int) -> Iterator[Sequence[Slot]]:
    """At most so many of one shape, in the order in which shapes first stand in the step."""
    alike: dict[Hashable, list[Slot]] = {}
    for slot in slots:
        alike.setdefault(shape(slot), []).append(slot)
    for some in alike.values():
        yield from (some[at : at + most] for at in range(0, len(some), most))


def _in_parts(parts: Iterable[Sequence[Slot]], losses: Losses, whole: int) -> float:
    shares = []
    for slots in parts:
        found = losses(slots)
        # The mean of a whole batch rounds as it always did: replays of earlier runs stay exact.
        part = found.mean() if len(found) == whole else found.sum() / whole
        part.backward()  # type: ignore[no-untyped-call]
        shares.append(part.detach())
    # Read once all parts are computed: each reading waits for the device.
    return float(sum(one.item() for one in shares))


def _fill(optimizer: torch.optim.Optimizer) -> None:
    """What no loss of this step went through, such as an encoder when all captions were dropped,
    has the gradient zero and not none: with the batch in one part, in many or shared among
    processes, the optimiser then does the same.
    """
    for group in optimizer.param_groups:
        for weight in group["params"]:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)


def no_room(error: BaseException) -> bool:
    """Whether an error says that memory ran out; torch has no class of its own for it on a CPU."""
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        text in said for text in _NO_ROOM
    )
