"""Is it known what fits, and is the setting that is proposed the nearest one that does?"""

from __future__ import annotations

import pytest

from picdeed.diffusion.fit import (
    MARGIN,
    Case,
    Learning,
    Taken,
    amount,
    at_once,
    crowd_of,
    narrower,
    share_of,
)
from picdeed.diffusion.recipe import Keep, Precision, Recipe

GIB = 1 << 30
# 4 GiB and 1 GiB a picture; in bf16 5 and a half. Evidence: 4 GiB and a quarter a look.
TAKEN = Taken(
    Learning(4 * GIB, GIB),
    bf16=Learning(5 * GIB, GIB // 2),
    resting=4 * GIB,
    looking=GIB // 4,
    beside=3 * GIB,
)
PLAIN = Recipe(batch=8, rank=8, alpha=8.0, eval_share=0.0, eval_noises=1, eval_timesteps=8)


def looks(recipe: Recipe) -> int:
    watched = recipe.eval_share > 0 or recipe.keep is Keep.BEST
    return max(recipe.eval_timesteps * recipe.eval_noises, 16 * watched)


def case(gib: float, taken: Taken = TAKEN, adapter=0, text=0, devices=1, **knobs) -> Case:
    recipe = Recipe.model_validate({**PLAIN.model_dump(mode="json"), **knobs})
    return Case(recipe, taken, adapter, looks, int(gib * MARGIN * GIB) + 9, devices, text)


def test_what_is_needed_is_the_fullest_moment_with_a_margin():
    assert case(1).needed() == pytest.approx(12 * GIB * MARGIN)
    assert case(1, micro_batch=2).needed() == pytest.approx(6 * GIB * MARGIN)
    assert case(1, micro_batch=1, eval_noises=2).needed() == pytest.approx(8 * GIB * MARGIN)
    assert case(1, processes=4).needed() == pytest.approx(4 * 6 * GIB * MARGIN)
    assert case(1, processes=4, devices=2).needed() == pytest.approx(2 * 6 * GIB * MARGIN)


def test_a_larger_batch_in_the_same_parts_needs_no_more():
    small, large = (case(1, batch=batch, micro_batch=2).needed() for batch in (4, 64))
    assert small == large
    whole = [case(1, batch=batch).needed() for batch in (2, 8, 64)]
    assert whole == sorted(set(whole)), "computed whole, it needs more"


@pytest.mark.parametrize(("gib", "count"), [(12, 8), (11.9, 7), (6, 2), (5, 1), (4.9, 0), (0, 0)])
def test_the_largest_part_that_fits(gib, count):
    assert case(gib).largest() == count


@pytest.mark.parametrize(
    ("gib", "knobs", "change"),
    [
        (9.5, {}, {"micro_batch": 5}),
        (6.0, {}, {"micro_batch": 2}),
        (6.0, {"batch": 5, "micro_batch": 3}, {"micro_batch": 2}),
        (6.0, {"micro_batch": 2, "eval_noises": 4}, {"eval_noises": 1}),
        (6.0, {"eval_share": 0.1}, {"micro_batch": 2, "eval_share": 0.0}),
        (8.0, {"eval_share": 0.1}, {"micro_batch": 4}),
        (12.0, {"processes": 2}, {"micro_batch": 2}),
        (9.9, {"processes": 2}, {"processes": 1, "micro_batch": 5}),
        (9.9, {"processes": 3}, {"processes": 1, "micro_batch": 5}),
        (12.0, {"processes": 3}, {"processes": 2, "micro_batch": 2}),
    ],
)
def test_the_nearest_setting_keeps_the_batch_and_fits(gib, knobs, change):
    asked = case(gib, **knobs)
    found = asked.nearest()
    assert found is not None
    assert found.change == change
    own = asked.recipe.model_copy(update=dict(found.change))
    assert found.needed == asked.needed(own) <= asked.there_is
    assert own.batch == asked.recipe.batch
    assert found.options.startswith("--set ")


def test_bf16_is_proposed_only_where_it_was_tried_and_parts_do_not_help():
    tight = Taken(Learning(4 * GIB, 3 * GIB), Learning(4 * GIB, GIB), 4 * GIB, 0, 0)
    found = case(6.5, tight).nearest()
    assert found is not None
    assert found.change == {"precision": "bf16", "micro_batch": 2}
    assert found.options == "--set precision=bf16 --set micro_batch=2"
    untried = Taken(tight.learning, None, 4 * GIB, 0, 0)
    assert case(6.5, untried).nearest() is None
    assert case(6.5, untried).missing() == pytest.approx(0.5 * GIB * MARGIN, abs=99)
    own = Taken(tight.learning, None, 4 * GIB, 0, 0)
    assert case(6.5, own, precision=Precision.BF16).nearest() is None


def test_a_narrower_adapter_is_the_last_resort_and_keeps_its_strength():
    taken = Taken(Learning(5 * GIB, GIB), None, 4 * GIB, 0, 0)
    found = case(4.5, taken, adapter=2 * GIB).nearest()
    assert found is not None
    assert found.change == {"rank": 2, "alpha": 2.0, "micro_batch": 1}
    root = case(4.5, taken, adapter=2 * GIB, rslora=True).nearest()
    assert root is not None
    assert root.change["alpha"] == 4.0
    per_block = case(4.5, taken, adapter=2 * GIB, ranks={"up_blocks": 4})
    assert per_block.nearest() is None
    assert case(4.5, taken, adapter=GIB // 8).nearest() is None


@pytest.mark.parametrize("rslora", [False, True])
def test_encoders_parts_narrow_along_and_keep_their_strength_too(rslora):
    taken = Taken(Learning(5 * GIB, GIB), None, 4 * GIB, 0, 0)
    asked = case(4.5, taken, adapter=GIB, text=GIB, rslora=rslora, text_rank=16)
    found = asked.nearest()
    assert found is not None
    assert (found.change["rank"], found.change["text_rank"]) == (2, 4)
    assert case(4.5, taken, adapter=GIB, text=GIB // 4, text_rank=16).nearest() is None
    own = asked.recipe.model_copy(update=dict(found.change))

    def strength(recipe):
        return recipe.text_alpha / (recipe.text_rank**0.5 if rslora else recipe.text_rank)

    assert strength(own) == pytest.approx(strength(asked.recipe))


def test_where_nothing_fits_it_says_how_much_is_missing():
    hopeless = case(2)
    assert hopeless.nearest() is None
    assert hopeless.missing() == pytest.approx(4 * GIB * MARGIN, abs=99), "2 looks are 6"
    beside = Taken(Learning(0, 1), None, 0, 0, 3 * GIB)
    assert case(2, beside).nearest() is None, "not even the pictures can be read"
    measures = case(6.0, keep=Keep.BEST, eval_share=0.1)
    assert measures.nearest() is None, "keep = best looks at sixteen at once, whatever that costs"


def test_parts_shares_and_ranks():
    recipe = Recipe(batch=10, micro_batch=4, processes=3)
    assert (share_of(recipe), at_once(recipe)) == (4, 4)
    assert at_once(Recipe(batch=2, micro_batch=4)) == 2
    assert at_once(Recipe(batch=8, processes=8)) == 1
    assert [crowd_of(5, devices) for devices in (0, 1, 2, 8)] == [5, 5, 3, 1]
    assert [one["rank"] for one in narrower(Recipe(rank=12))] == [6, 3, 1]
    assert narrower(Recipe(rank=1)) == ()
    heard = narrower(Recipe(rank=4, alpha=8.0, text_rank=9))
    assert [(one["rank"], one["alpha"], one["text_rank"]) for one in heard] == [
        (2, 4.0, 4), (1, 2.0, 2), (1, 2.0, 1),
    ]  # fmt: skip
    assert (amount(3 << 20), amount(3 << 29)) == ("3 MiB", "1.5 GiB")
