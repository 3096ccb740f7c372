"""Are bad knobs refused before anything starts, and do presets say what they do?"""

import pytest

from picdeed.core.errors import UsageError
from picdeed.core.ids import hash_json
from picdeed.core.resources import bundled
from picdeed.diffusion.recipe import (
    Balance,
    LrSchedule,
    Recipe,
    default_preset,
    load_recipe,
    presets,
    recipe_from,
)


@pytest.mark.parametrize("name", presets())
def test_every_preset_loads_and_opens_with_the_command_that_runs_it(name):
    recipe = load_recipe(name)
    first = (bundled("configs") / "train" / f"{name}.toml").read_text().splitlines()[0]
    assert recipe.steps > 0
    assert first.startswith("# picdeed train ")
    assert f"--preset {name}" in first


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["keep=best", "hold_out=0.0"], "held out"),
        (["optimizer=schedule-free", "ema=0.9"], "averages"),
        (["processes=9", "batch=8"], "9 processes"),
        (['prior=["a cat", "a cat"]'], "twice"),
        (["prior_weight=0.5"], "prior names no prompt"),
        (["prior_pictures=4"], "prior names no prompt"),
        (["optimizer=prodigy", "rate_ratio=4"], "one rate"),
        (["text_rate=0.5"], "text_rank = 0"),
        (["text_rank=4", "dora=true"], "magnitudes"),
    ],
)
def test_knobs_that_contradict_each_other_are_refused(overrides, named):
    with pytest.raises(UsageError, match=named):
        load_recipe("demo", overrides)


@pytest.mark.parametrize("base", ["sprig", "anything-else"])
def test_every_base_has_a_default_preset(base):
    assert default_preset(base) in presets()


def test_an_override_changes_its_knob_only():
    plain, changed = load_recipe("demo"), load_recipe("demo", ["learning-rate=1e-4", "flip=false"])
    assert changed.learning_rate == 1e-4
    assert changed == plain.model_copy(update={"learning_rate": 1e-4, "flip": False})


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("lerning_rate=1e-4", "learning_rate"),
        ("steps", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("steps=many", "steps"),
        ("steps=-1", "steps"),
        ("learning_rate=nan", "learning_rate"),
        ("rank=1.5", "rank"),
        ('targets=["to_q", "everything"]', "everything"),
        ("targets=[]", "targets"),
        ("balance=licence", "balance"),
        ("eval_timesteps=4", "eval_timesteps"),
        ("gradient_checkpointing=perhaps", "gradient_checkpointing"),
        ("crops=0", "crops"),
        ("crops=17", "crops"),
        ("crops=2.5", "crops"),
        ("crops=many", "crops"),
        ("prior=cat", "prior"),
        ('prior=[" "]', "prior"),
        ("prior_pictures=0", "prior_pictures"),
        ("prior_weight=0", "prior_weight"),
    ],
)
def test_a_bad_override_is_refused_by_name(override, named):
    with pytest.raises(UsageError) as caught:
        load_recipe("demo", [override])
    assert named in caught.value.message + caught.value.hint


def test_a_preset_that_is_not_there_is_refused_with_the_choices(tmp_path):
    with pytest.raises(UsageError) as caught:
        load_recipe("no-such")
    assert "demo" in caught.value.hint
    with pytest.raises(UsageError):
        load_recipe(tmp_path / "none.toml")


def test_a_preset_file_that_is_no_toml_or_holds_an_unknown_key_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("steps = ")
    with pytest.raises(UsageError, match="cannot be read"):
        load_recipe(path)
    path.write_text("stepps = 5")
    with pytest.raises(UsageError, match="stepps"):
        load_recipe(path)
    path.write_text("steps = 5")
    assert load_recipe(str(path)).steps == 5


def test_a_recipe_survives_its_json_form():
    recipe = load_recipe("demo")
    assert recipe_from(recipe.model_dump(mode="json")) == recipe


def test_runs_from_before_there_was_a_balance_keep_their_recipes_digest():
    known = {
        "demo": "b41509a8bac6b6b838bac4a3e7ed5573d4dbb4dc5f5177fdf4081371dc05b7e7",
        "style": "c59774ebc4e98ee953236b79907d6e30492ec0097eaeb85d8180b00a3121e7d8",
    }
    for name, digest in known.items():
        assert load_recipe(name).balance is Balance.CLUSTER
        assert hash_json(load_recipe(name).model_dump(mode="json")) == digest
        each = load_recipe(name, ["balance=picture"])
        assert recipe_from(each.model_dump(mode="json")) == each
        assert hash_json(each.model_dump(mode="json")) != digest


def test_the_rate_rises_to_its_peak_and_ends_near_its_floor():
    recipe = Recipe(steps=100, warmup_steps=10, learning_rate=1.0, final_rate=0.1)
    rates = [recipe.rate(step) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert max(rates) == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.1 <= rates[-1] < 0.11
    flat = recipe.model_copy(update={"schedule": LrSchedule.CONSTANT})
    assert flat.rate(99) == 1.0


@pytest.mark.parametrize("steps", [0, 1, 9, 10, 99, 200])
def test_checkpoints_come_at_least_every_tenth_of_the_steps(steps):
    assert Recipe(steps=steps).checkpoint_every <= max(1, steps / 10)
