"""Which smallest set of pictures stands in the way?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Part:
    """Pictures that share one fate. `release`: licences an adapter of them may carry; None: any."""

    pictures: tuple[str, ...]
    passes: bool
    release: frozenset[str] | None


def smallest_drop(
    parts: Sequence[Part], base_release: frozenset[str] | None
) -> tuple[str, ...] | None:
    """The fewest pictures, sorted, whose removal lets the rest pass; None: nothing would remain.

    Exact: whatever remains is released under one licence, so for each licence that could be
    that one, exactly the parts that forbid it must go; the cheapest choice is the answer.
    """
    standing = [part for part in parts if part.passes]
    doomed = [picture for part in parts if not part.passes for picture in part.pictures]
    choices = [
        sorted([*doomed, *_against(name, standing)]) for name in _candidates(standing, base_release)
    ]
    best = min(choices, key=lambda drop: (len(drop), drop), default=None)
    everything = sum(len(part.pictures) for part in parts)
    return None if best is None or len(best) == everything else tuple(best)


def _candidates(parts: Sequence[Part], base_release: frozenset[str] | None) -> list[str]:
    if base_release is not None:
        return sorted(base_release)
    named = {name for part in parts if part.release is not None for name in part.release}
    return [*sorted(named), ""]  # "": a licence that nobody asks for


def _against(name: str, parts: Sequence[Part]) -> list[str]:
    return [
        picture
        for part in parts
        if part.release is not None and name not in part.release
        for picture in part.pictures
    ]
