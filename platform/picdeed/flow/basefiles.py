"""Where do a base's files lie, and what does its deed say? Shared by the stages that use a base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import IntegrityError, MissingPart
from picdeed.core.resources import bundled

if TYPE_CHECKING:
    from picdeed.registry.bases import Base
    from picdeed.registry.session import Registry

BUNDLED = "bundled:"
OWN_NAMES = frozenset({"sprig", "scratch"})
"""What picdeed calls what comes with it: the embedded base, and training from nothing."""

NO_DEED = "no deed: nobody recorded what it learned from"
RECORDED = "recorded"
"""Under this key of a base's `deed` lies what was recorded when a person added it."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a base says of itself. `sha256` is checked against its tensors whenever it is loaded."""

    name: str
    sha256: str
    license: str
    content: dict[str, Any]


def folder_of(registry: Registry, base: Base) -> Path:
    """The base's folder: one that ships with picdeed is found anew on every machine."""
    if base.path.startswith(BUNDLED):
        return bundled("models") / base.path.removeprefix(BUNDLED)
    return registry.root / base.path


def is_own(base: Base) -> bool:
    """Whether it comes with picdeed: the embedded base, and `scratch`, which has no files."""
    return not base.path or base.path.startswith(BUNDLED)


def require_folder(registry: Registry, base: Base) -> Path:
    """The base's folder; raises MissingPart when it is gone, with the command that mends it."""
    folder = folder_of(registry, base)
    if not folder.is_dir():
        raise MissingPart(
            f"The base {base.name} no longer lies in {folder}; nothing was started.",
            hint="Install picdeed again from its wheel."
            if is_own(base)
            else "picdeed models add FOLDER records where it lies now.",
        )
    return folder


def read_deed(folder: Path) -> Deed:
    """`deed.json` of a base's folder. Raises MissingPart or IntegrityError naming it."""
    path = folder / "deed.json"
    try:
        content = json.loads(path.read_bytes())
        return Deed(content["name"], content["sha256"], content["license"], content)
    except FileNotFoundError:
        raise MissingPart(f"The base in {folder} has no deed.json.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{path} cannot be read: {error!r}.") from error


def deed_of(base: Base) -> dict[str, Any] | None:
    """The deed that came with a base; None when it has none."""
    told = base.deed if isinstance(base.deed, Mapping) else {}
    return {key: value for key, value in told.items() if key != RECORDED} or None


def recorded_of(base: Base) -> dict[str, Any]:
    """What was recorded when a person added it: `license_facts`, `origin`, `notice_sha256`."""
    told = base.deed.get(RECORDED) if isinstance(base.deed, Mapping) else None
    return dict(told) if isinstance(told, Mapping) else {}
