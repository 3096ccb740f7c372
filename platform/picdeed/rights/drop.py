"""Which smallest set of pictures stands in the way?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Part:
    """`size` pictures that share one fate. `release`: licences an adapter may carry; None: any."""

    size: int
    passes: bool
    release: frozenset[str] | None


def smallest_drop(
    parts: Sequence[Part], base_release: frozenset[str] | None
) -> tuple[int, ...] | None:
    """The parts (their places) with the fewest pictures whose removal lets the rest pass.

    None: nothing would remain. Exact: whatever remains is released under one licence, so for
    each licence that could be that one, exactly the parts that forbid it must go; the cheapest
    choice is the answer. Of equally cheap ones the first licence by name is taken.
    """
    doomed = {place for place, part in enumerate(parts) if not part.passes}
    choices = [
        (sum(parts[place].size for place in gone), tuple(sorted(gone)))
        for name in _candidates(parts, base_release)
        for gone in [doomed | _against(name, parts)]
    ]
    cost, best = min(choices, key=lambda choice: choice[0], default=(0, None))
    return None if best is None or cost == sum(part.size for part in parts) else best


def _candidates(parts: Sequence[Part], base_release: frozenset[str] | None) -> list[str]:
    if base_release is not None:
        return sorted(base_release)
    named = {name for part in parts if part.passes for name in part.release or ()}
    return [*sorted(named), ""]  # "": a licence that nobody asks for


def _against(name: str, parts: Sequence[Part]) -> set[int]:
    return {
        place
        for place, part in enumerate(parts)
        if part.release is not None and name not in part.release
    }
