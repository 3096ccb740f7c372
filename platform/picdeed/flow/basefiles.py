"""Where do a base's files lie, and what does its deed say? Shared by the stages that use a base."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import IntegrityError, MissingPart
from picdeed.core.resources import bundled

if TYPE_CHECKING:
    from picdeed.registry.bases import Base
    from picdeed.registry.session import Registry

BUNDLED = "bundled:"


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
