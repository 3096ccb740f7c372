"""Which recipe does a fine-tune follow, when a preset is named and when none is?"""

from __future__ import annotations

from collections.abc import Sequence

from picdeed.diffusion.presets import recipe_on, stands_alone
from picdeed.diffusion.recipe import Recipe, default_preset, load_recipe
from picdeed.flow.basefiles import require_folder
from picdeed.registry import subjects
from picdeed.registry.bases import Base
from picdeed.registry.session import Registry


def recipe_for(
    registry: Registry, base: str, preset: str | None = None, overrides: Sequence[str] = ()
) -> Recipe:
    """What a preset, changed by `KEY=VALUE` overrides, comes to on a base (a name or id).

    Without one it is the base's default. A goal (`style-fast`) means the preset of the base's
    family. Raises UsageError naming the presets that there are for it, UnknownSubject, MissingPart.
    """
    name = preset or default_preset(base)
    if stands_alone(name):
        return load_recipe(name, overrides)
    with registry.read() as session:
        folder = require_folder(registry, subjects.require(session, Base, base))
    return recipe_on(folder, name, overrides)
