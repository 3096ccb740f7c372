"""Does every family have a preset for every goal that its bases can follow, and is it found?"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from picdeed.core.errors import UsageError
from picdeed.core.resources import bundled
from picdeed.diffusion.families.known import FAMILIES
from picdeed.diffusion.fit import at_once
from picdeed.diffusion.lora import attach_recipe
from picdeed.diffusion.models import load_base
from picdeed.diffusion.presets import (
    PIPELINES,
    Goal,
    family_in,
    goals_of,
    path_of,
    recipe_on,
    stands_alone,
)
from picdeed.diffusion.recipe import load_recipe
from picdeed.testing import tiny_model

BY_NAME = {family.name: family for family in FAMILIES}
EVERY = [(family, goal) for family in BY_NAME for goal in Goal]
UNCOMMENTED = {"final_rate", "schedule", "warmup_steps"}  # where a neighbour's comment says it


def test_the_pipelines_of_the_families_are_known_without_torch():
    assert {name: family.name for family in FAMILIES for name in family.pipelines} == PIPELINES


@pytest.mark.parametrize(("family", "goal"), EVERY)
def test_every_preset_loads_for_its_family_and_says_what_each_knob_does(family, goal):
    recipe = load_recipe(path_of(family, goal))
    BY_NAME[family].require_targets(recipe.targets, "base")
    lines = path_of(family, goal).read_text().splitlines()
    assert lines[0] == f"# picdeed train SNAPSHOT --base NAME --preset {goal}"
    assert "nobody has measured" in " ".join(line.strip("# ") for line in lines)
    assert max(map(len, lines)) <= 100
    knobs = tomllib.loads("\n".join(lines))
    bare = {
        name
        for name in knobs
        for line in lines
        if line.startswith((f"{name} =", f"[{name}]")) and "#" not in line
    }
    assert bare <= UNCOMMENTED
    assert {"rank", "alpha", "targets", "steps", "batch", "learning_rate", "hold_out"} <= set(knobs)


@pytest.mark.parametrize("family", BY_NAME)
def test_a_base_of_the_family_takes_each_of_its_presets(family, tmp_path):
    folder = tiny_model(tmp_path / "base", family=family)
    base = load_base(folder)
    assert family_in(folder) == family
    assert goals_of(family) == tuple(Goal)
    for goal in Goal:
        recipe = recipe_on(folder, goal)
        assert recipe == load_recipe(path_of(family, goal))
        if recipe.ranks or goal is Goal.STYLE_QUALITY:  # the most layers, or some by name
            assert attach_recipe(base.unet, recipe, seed=0)
            base.unet.delete_adapters("picdeed")


def test_goals_differ_in_what_they_are_for():
    for family in BY_NAME:
        fast, quality, subject, low = (load_recipe(path_of(family, goal)) for goal in Goal)
        assert fast.steps < quality.steps
        assert len(quality.targets) > len(fast.targets)
        assert at_once(low) == 1
        assert low.batch == fast.batch
        assert low.rank <= fast.rank
        assert not subject.flip, "a mirrored face is another one"
        assert subject.keep == "last", "three pictures hold nobody out"


def test_an_override_changes_a_preset_of_a_family(tmp_path):
    folder = index(tmp_path, "FluxPipeline")
    assert recipe_on(folder, "subject", ["steps=7"]).steps == 7
    with pytest.raises(UsageError, match="stepps"):
        recipe_on(folder, "subject", ["stepps=7"])


def index(folder: Path, named: object) -> Path:
    (folder / "model_index.json").write_text(json.dumps({"_class_name": named}))
    return folder


@pytest.mark.parametrize(
    ("named", "of"),
    [("FluxPipeline", "family flux"), ("KandinskyPipeline", "unknown"), (["x"], "unknown")],
)
def test_an_unknown_goal_is_refused_with_those_there_are(named, of, tmp_path):
    folder = index(tmp_path, named)
    for goal in ("style", "no-such", "style-fast")[: 2 if of == "family flux" else 3]:
        with pytest.raises(UsageError, match=of) as caught:
            recipe_on(folder, goal)
        assert "demo, style" in caught.value.hint
        assert ("low-memory" in caught.value.hint) is (of == "family flux")


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_base_without_a_readable_index_is_refused_or_of_no_family(text, tmp_path):
    if text is not None:
        (tmp_path / "model_index.json").write_text(text)
    with pytest.raises(UsageError):
        recipe_on(tmp_path, "style-fast")


def test_presets_with_names_of_their_own_and_files_ask_for_no_base():
    assert stands_alone("demo")
    assert stands_alone("style")
    assert stands_alone("mine.toml")
    assert stands_alone("./mine")
    assert not stands_alone("style-fast")
    assert not stands_alone("no-such")


def test_no_folder_lies_there_that_no_family_has():
    folders = {path.name for path in (bundled("configs") / "train").iterdir() if path.is_dir()}
    assert folders == set(BY_NAME)
