"""What did the base show when it was asked? Kept in memory, so that a rerun does not draw again."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from picdeed.core.events import silent
from picdeed_ui import data

if TYPE_CHECKING:
    from collections.abc import Callable

    from picdeed.core.events import Progress
    from picdeed.flow.pipeline import Wish
    from picdeed.registry.session import Registry

KEPT = 24  # answers of up to 3 MB each


@dataclass(frozen=True, slots=True)
class Watcher:
    """Whoever is told how far it is: no part of the question, so all watchers are equal."""

    told: Progress = field(default=silent, compare=False)


def look(
    part: Callable[..., Any], base: str, wish: Wish, *more: Any, told: Progress = silent
) -> Any:
    """What a function of `flow.inside` answers about this base (an id) and wish.

    The same question is answered once. `st.cache_data` would also replay the progress bar, which
    belongs to the page that asked first.
    """
    return _answer(data.registry(), part, base, wish, more, Watcher(told))


@functools.lru_cache(maxsize=KEPT)
def _answer(  # noqa: PLR0917 - a question's parts; the cache knows positional ones only
    registry: Registry,
    part: Callable[..., Any],
    base: str,
    wish: Wish,
    more: tuple[Any, ...],
    watcher: Watcher,
) -> Any:
    return part(registry, base, wish, *more, progress=watcher.told)
