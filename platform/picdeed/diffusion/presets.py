"""Which presets are there for a base? One a goal for each family of bases, in its folder.

`configs/train/FAMILY/GOAL.toml`, beside the presets with names of their own (`demo`, `style`).
No torch in here: whoever names a preset that there is not is told at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from picdeed.core.errors import UsageError
from picdeed.core.resources import bundled
from picdeed.diffusion.recipe import Recipe, load_recipe, presets

PIPELINES: Mapping[str, str] = {
    "StableDiffusionPipeline": "sd",
    "StableDiffusionXLPipeline": "sdxl",
    "StableDiffusion3Pipeline": "sd3",
    "FluxPipeline": "flux",
}
"""By the class that a base's `model_index.json` names; the families themselves need torch."""


class Goal(StrEnum):
    """What an adapter is for, or what must be spared."""

    STYLE_FAST = "style-fast"
    STYLE_QUALITY = "style-quality"
    SUBJECT = "subject"
    LOW_MEMORY = "low-memory"


def goals_of(family: str) -> tuple[str, ...]:
    """The goals that a family has presets for."""
    return tuple(str(goal) for goal in Goal if path_of(family, goal).is_file())


def path_of(family: str, goal: str) -> Path:
    """Where a family's preset for a goal lies, or would."""
    return bundled("configs") / "train" / family / f"{goal}.toml"


def stands_alone(preset: str) -> bool:
    """Whether a preset is the same for every base: one that is named for itself, or a file."""
    return preset in presets() or preset.endswith(".toml") or "/" in preset


def recipe_on(folder: Path, goal: str, overrides: Sequence[str] = ()) -> Recipe:
    """What the preset for a goal comes to on the base in `folder`.

    Raises UsageError like `load_recipe`; of a goal that there is none for, with those there are.
    """
    family = family_in(folder)
    goals = goals_of(family) if family else ()
    if family is None or goal not in goals:
        of = f"bases of the family {family}" if family else f"{folder.name}, of unknown family"
        raise UsageError(
            f"There is no preset {goal!r} for {of}; nothing was started.",
            hint=f"Choose from {', '.join((*presets(), *goals))}, or name a file.",
        )
    return load_recipe(path_of(family, goal), overrides)


def family_in(folder: Path) -> str | None:
    """The name of the family of the base in a folder; None where its index does not say.

    Raises UsageError when it has no index that can be read.
    """
    path = folder / "model_index.json"
    try:
        index: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} cannot be read, so the base's family is unknown: {error}.",
            hint="picdeed models list shows which bases are there.",
        ) from error
    named = index.get("_class_name") if isinstance(index, dict) else None
    return PIPELINES.get(named) if isinstance(named, str) else None
