"""Which crawlers gather pictures for training? A dated list that ships as data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import IntegrityError

if TYPE_CHECKING:
    from pathlib import Path

OWN = "picdeed"
"""The name under which picdeed itself asks for pages."""


@dataclass(frozen=True, slots=True)
class Agents:
    """Product tokens as they stand in robots.txt, picdeed's own first. `version` is a date."""

    names: tuple[str, ...]
    version: str


def load_agents(configs: Path) -> Agents:
    """`signals/agents.toml` in the folder of configurations. Raises IntegrityError."""
    path = configs / "signals" / "agents.toml"
    try:
        read: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        version = str(read["version"])
        names = [str(agent["name"]) for agent in read["agent"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{path} cannot be read: {error}. Nothing was changed.",
            hint="Install picdeed again, or bring the file back.",
        ) from error
    return Agents(tuple(dict.fromkeys([OWN, *names])), version)
