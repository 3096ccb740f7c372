"""Does a goal mean the preset of the base's family, and does everything else mean what it did?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from picdeed.core.errors import MissingPart, UnknownSubject, UsageError
from picdeed.diffusion.presets import Goal, path_of
from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.models import add_model
from picdeed.flow.recipes import recipe_for
from picdeed.registry.session import Registry
from picdeed.testing import tiny_model


def test_a_base_without_a_preset_named_gets_what_it_always_got(registry: Registry) -> None:
    assert recipe_for(registry, "sprig") == load_recipe("demo")
    assert recipe_for(registry, "no-such-base") == load_recipe("style"), "the gate will say so"
    assert recipe_for(registry, "sprig", "style", ["steps=3"]) == load_recipe("style", ["steps=3"])


def test_a_goal_is_the_preset_of_the_base_s_family(registry: Registry, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "flowing", family="flux")
    base = add_model(registry, pipeline.rules(), folder, name="flowing").model.id
    for goal in Goal:
        own = load_recipe(path_of("flux", goal))
        assert recipe_for(registry, "flowing", goal) == recipe_for(registry, base[:12], goal) == own
    assert recipe_for(registry, "sprig", "subject") == load_recipe(path_of("sd", Goal.SUBJECT))
    changed = recipe_for(registry, "flowing", "low-memory", ["rank=2"])
    assert (changed.rank, changed.micro_batch) == (2, 1)
    shutil.rmtree(folder)
    with pytest.raises(MissingPart):
        recipe_for(registry, "flowing", "subject")


def test_what_is_not_there_is_refused(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no preset 'fast' for bases of the family sd") as caught:
        recipe_for(registry, "sprig", "fast")
    assert all(goal in caught.value.hint for goal in (*Goal, "demo", "style"))
    with pytest.raises(UnknownSubject):
        recipe_for(registry, "nobody", "style-fast")
    with pytest.raises(UsageError, match="no preset file"):
        recipe_for(registry, "nobody", str(tmp_path / "mine.toml"))
