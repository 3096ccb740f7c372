"""Where do the files lie that ship with picdeed? The wheel's copy first, the checkout second."""

from __future__ import annotations

from pathlib import Path

from picdeed.core.errors import MissingPart

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled(name: str) -> Path:
    """The folder or file `name` (`configs`, `migrations`, `dashboard`, `models`).

    In a wheel they lie in `picdeed/_bundled/`; in a checkout in the project's root. A checkout
    is asked first so that an editable install never reads a stale copy.
    """
    root = _PACKAGE.parent.parent
    places = [_PACKAGE / "_bundled" / name]
    if (root / "pyproject.toml").is_file() and _PACKAGE.parent.name == "platform":
        places.insert(0, root / name)
    for place in places:
        if place.exists():
            return place
    raise MissingPart(
        f"picdeed's own {name!r} is not installed.", hint="Install picdeed again from its wheel."
    )
