"""In which steps is a picture guided? Only where guidance does good.

Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598) exaggerates what the words want.
In the first steps, out of static alone, it pulls every seed to the same few pictures, and in the
last ones it changes nothing (Kynkäänniemi et al. 2024, arXiv 2404.07724). The names are those of
diffusers' guiders: shares of the steps, from `start` up to and without `stop`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from picdeed.core.errors import UsageError

USUAL = 2.5
"""Of a base that says nothing about it."""
MOST = 100
_ROUNDING = 1e-9  # 0.15 of 20 steps are three, whatever floats make of it


@dataclass(frozen=True, slots=True)
class Interval:
    """Shares of the steps, 0 to 1, between which there is guidance."""

    start: float = 0.0
    stop: float = 1.0

    def require(self) -> None:
        """Raise UsageError unless 0 <= start < stop <= 1."""
        if not 0 <= self.start < self.stop <= 1:
            raise UsageError(
                f"Guidance cannot begin at {self.start} and end at {self.stop} of the steps; "
                "nothing was drawn.",
                hint="Both are shares, such as --guidance-start 0.15 --guidance-stop 0.8.",
            )

    def steps(self, count: int) -> range:
        """The steps, from 0, that are guided of so many: those that begin within it."""
        first, after = (math.ceil(share * count - _ROUNDING) for share in (self.start, self.stop))
        return range(first, after)


ALWAYS = Interval()


@contextlib.contextmanager
def guided_within(network: Any, interval: Interval, *, steps: int, pictures: int) -> Iterator[None]:
    """Let a pipeline of diffusers guide within the interval only, while it draws `pictures` once.

    With guidance it asks the network about each picture twice in one call, without the prompt and
    with it, once a step. Outside the interval the network hears the second half alone, and its
    answer stands for both: their difference, which guidance multiplies, is then exactly nothing,
    and the step costs half.
    """
    if interval == ALWAYS:
        yield
        return
    guided, asked, alone = interval.steps(steps), 0, False

    def halve(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        nonlocal asked, alone
        alone = asked not in guided and _rows((given, named)) == 2 * pictures
        asked += 1
        return _second((given, named), pictures) if alone else None

    def double(_: Any, __: Any, said: tuple[Any, ...]) -> Any:
        # Pipelines take the first part of what is said, and there is no other.
        return tuple(one.repeat(2, *[1] * (one.ndim - 1)) for one in said) if alone else None

    hooks = (
        network.register_forward_pre_hook(halve, with_kwargs=True),
        network.register_forward_hook(double),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _rows(value: Any) -> int:
    """How many rows the first tensor with more than one axis has: those of the latents."""
    return next((len(one) for one in _tensors(value) if one.ndim > 1), 0)


def _tensors(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for one in value:
            yield from _tensors(one)
    elif hasattr(value, "ndim"):
        yield value


def _second(value: Any, pictures: int) -> Any:
    """The same with each tensor of twice as many rows as pictures cut to the second half."""
    if isinstance(value, Mapping):
        return {name: _second(one, pictures) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_second(one, pictures) for one in value)
    whole = getattr(value, "ndim", 0) > 0 and len(value) == 2 * pictures
    return value[pictures:] if whole else value
