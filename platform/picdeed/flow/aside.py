"""Where is a plan tried that leaves no run? In a folder in the registry's cache, removed after."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from picdeed.core.errors import BusyError
from picdeed.diffusion.latents import REPLAYS
from picdeed.diffusion.runfolder import held
from picdeed.registry.session import Registry


@contextlib.contextmanager
def aside(registry: Registry) -> Iterator[Path]:
    """An empty folder, for one replay or estimate at a time; what a killed one left is removed.

    Raises BusyError while another one goes on: they would take each other's time.
    """
    place = registry.cache / REPLAYS
    place.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(place))
        except BusyError as busy:
            raise BusyError(
                "Another replay or estimate goes on in this registry; nothing was started.",
                hint="Wait for its end.",
            ) from busy
        _empty(place)
        try:
            yield place
        finally:
            _empty(place)


def _empty(place: Path) -> None:
    for one in place.iterdir():
        if one.is_dir():
            shutil.rmtree(one)
