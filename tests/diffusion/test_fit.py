"""Is it known what fits, and is the setting that is proposed the nearest one that does?"""

from __future__ import annotations

import pytest

from picdeed.diffusion.fit import (
    MARGIN,
    Basis,
    Case,
    Learning,
    Taken,
    Way,
    amount,
    at_once,
    crowd_of,
    narrower,
    options_of,
    share_of,
    way_of,
    ways,
)
from picdeed.diffusion.recipe import Keep, Precision, Quantize, Recipe, load_recipe

GIB = 1 << 30
WHOLE, ANEW, HALF, BOTH = ways(Recipe())
# 4 GiB and 1 GiB a picture; in bf16 5 and a half. Evidence: 4 GiB and a quarter a look.
TAKEN = Taken(
    {WHOLE: Learning(4 * GIB, GIB), HALF: Learning(5 * GIB, GIB // 2)},
    resting=4 * GIB,
    looking=GIB // 4,
    beside=3 * GIB,
)
PLAIN = Recipe(batch=8, rank=8, alpha=8.0, eval_share=0.0, eval_noises=1, eval_timesteps=8)


def looks(recipe: Recipe) -> int:
    watched = recipe.eval_share > 0 or recipe.keep is Keep.BEST
    return max(recipe.eval_timesteps * recipe.eval_noises, 16 * watched)


def case(gib: float, taken: Taken = TAKEN, adapter=0, text=0, **knobs) -> Case:
    more = {name: knobs.pop(name) for name in ("devices", "spared") if name in knobs}
    recipe = Recipe.model_validate({**PLAIN.model_dump(mode="json"), **knobs})
    there = int(gib * MARGIN * GIB) + 9
    return Case(recipe, taken, adapter, looks, there, text=text, **more)


def only(fixed: float, each: float, way: Way = WHOLE) -> Taken:
    """In one way alone, with 4 GiB for the evidence."""
    return Taken({way: Learning(int(fixed * GIB), int(each * GIB))}, 4 * GIB, 0, 0)


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


def test_a_recipe_s_own_way_comes_first_and_what_changes_no_number_next():
    assert WHOLE == way_of(Recipe()) == Way(Precision.FP32, anew=False)
    assert [way.change(Recipe()) for way in ways(Recipe())] == [
        {},
        {"gradient_checkpointing": True},
        {"precision": "bf16"},
        {"precision": "bf16", "gradient_checkpointing": True},
    ]
    anew = Recipe(gradient_checkpointing=True)
    assert [way.change(anew) for way in ways(anew)] == [{}, {"precision": "bf16"}]
    half = Recipe(precision=Precision.BF16)
    assert [way.change(half) for way in ways(half)] == [{}, {"gradient_checkpointing": True}]
    assert len(ways(anew.model_copy(update={"precision": Precision.BF16}))) == 1


def test_bf16_is_proposed_only_where_it_was_tried_and_parts_do_not_help():
    own, half = Learning(4 * GIB, 3 * GIB), Learning(4 * GIB, GIB)
    found = case(6.5, Taken({WHOLE: own, HALF: half}, 4 * GIB, 0, 0)).nearest()
    assert found is not None
    assert found.change == {"precision": "bf16", "micro_batch": 2}
    assert found.options == "--set precision=bf16 --set micro_batch=2"
    untried = only(4, 3)
    assert case(6.5, untried).nearest() is None
    assert case(6.5, untried).missing() == pytest.approx(0.5 * GIB * MARGIN, abs=99)
    assert case(6.5, only(4, 3, HALF), precision=Precision.BF16).nearest() is None


def test_computing_anew_is_proposed_before_bf16_and_after_smaller_parts():
    tried = {WHOLE: Learning(4 * GIB, 3 * GIB), ANEW: Learning(4 * GIB, GIB)}
    taken = Taken({**tried, HALF: Learning(4 * GIB, GIB // 4)}, 4 * GIB, 0, 0)
    found = case(6.5, taken).nearest()
    assert found is not None
    assert (found.change, found.basis) == (
        {"gradient_checkpointing": True, "micro_batch": 2}, Basis.MEASURED,
    )  # fmt: skip
    assert found.options == "--set gradient_checkpointing=true --set micro_batch=2"
    assert found.needed == pytest.approx(6 * GIB * MARGIN)
    assert load_recipe("demo", found.options.replace("--set ", "").split()).gradient_checkpointing
    assert case(7, taken).nearest().change == {"micro_batch": 1}
    crowded = case(12.5, taken, processes=2).nearest()
    assert crowded.change == {"gradient_checkpointing": True, "micro_batch": 2}
    last = Taken({**taken.learning, BOTH: Learning(3 * GIB, GIB)}, 3 * GIB, 0, 0)
    found = case(4.1, last).nearest()
    assert found is not None
    assert found.change == {
        "precision": "bf16", "gradient_checkpointing": True, "micro_batch": 1,
    }  # fmt: skip
    assert case(3.9, last).nearest() is None


def test_evidence_is_made_smaller_before_what_is_learned_changes():
    taken = Taken({WHOLE: Learning(4 * GIB, GIB), HALF: Learning(2 * GIB, 0)}, GIB, GIB // 8, 0)
    found = case(5, taken, eval_noises=6).nearest()
    assert found is not None
    assert found.change == {"eval_noises": 1, "micro_batch": 1}


SPARED = {Quantize.INT8: GIB, Quantize.NF4: 2 * GIB}


def test_fewer_bits_are_counted_after_fewer_processes_and_before_a_narrower_adapter():
    taken, kept = only(4, 3), {"adapter": 3 * GIB, "spared": SPARED}
    found = case(6.5, taken, **kept).nearest()
    assert found is not None
    assert (found.change, found.basis) == (
        {"quantize": "int8", "micro_batch": 1}, Basis.COUNTED,
    )  # fmt: skip
    assert found.needed == pytest.approx(6 * GIB * MARGIN)
    assert found.options == "--set quantize=int8 --set micro_batch=1"
    assert case(5.5, taken, **kept).nearest().change == {"quantize": "nf4", "micro_batch": 1}
    two = case(7, taken, **kept, processes=2).nearest()
    assert two.change == {"processes": 1, "micro_batch": 1}
    roomy = case(13, only(5, 2), **kept, processes=2).nearest()
    assert roomy.change == {"processes": 1, "micro_batch": 4}, "two in int8 would be 12"
    two = case(6.5, taken, **kept, processes=2).nearest()
    assert two.change == {"processes": 1, "quantize": "int8", "micro_batch": 1}
    assert case(5.5, taken, adapter=3 * GIB).nearest().change["rank"] == 4
    assert case(4.5, taken, **kept).nearest().change["rank"] == 1, "one of both is enough"
    last = case(4.2, taken, **kept).nearest()
    assert last.change == {"quantize": "nf4", "rank": 4, "alpha": 4.0, "micro_batch": 1}
    least = case(2, taken, **kept)
    assert least.nearest() is None
    assert least.missing() == pytest.approx(0.375 * GIB * MARGIN, abs=99), "7 less 2 and 7/8 of 3"
    packed = case(5.5, taken, spared={Quantize.NF4: 2 * GIB}, quantize=Quantize.INT8)
    assert packed.nearest().change == {"quantize": "nf4", "micro_batch": 1}


def test_fewer_bits_spare_evidence_and_reading_too_and_go_with_a_way_that_takes_less():
    taken = Taken({WHOLE: Learning(4 * GIB, 3 * GIB)}, 6 * GIB, GIB // 8, 7 * GIB)
    assert case(6, taken).nearest() is None
    assert case(6, taken, spared={Quantize.INT8: GIB}).nearest().change["quantize"] == "int8"
    looks_most = Taken(taken.learning, 6 * GIB, GIB // 8, 0)
    assert case(6, looks_most, spared={Quantize.INT8: GIB}).nearest() is not None
    assert case(5.9, looks_most, spared={Quantize.INT8: GIB}).nearest() is None, "8 looks are 1"
    anew = only(4, 3)
    anew = Taken({**anew.learning, ANEW: Learning(4 * GIB, GIB)}, 4 * GIB, 0, 0)
    assert case(4.2, anew, spared=SPARED).nearest().change == {
        "gradient_checkpointing": True, "quantize": "int8", "micro_batch": 1,
    }  # fmt: skip


def test_a_narrower_adapter_is_the_last_resort_and_keeps_its_strength():
    taken = only(5, 1)
    found = case(4.5, taken, adapter=2 * GIB).nearest()
    assert found is not None
    assert (found.change, found.basis) == (
        {"rank": 2, "alpha": 2.0, "micro_batch": 1}, Basis.COUNTED,
    )  # fmt: skip
    root = case(4.5, taken, adapter=2 * GIB, rslora=True).nearest()
    assert root is not None
    assert root.change["alpha"] == 4.0
    per_block = case(4.5, taken, adapter=2 * GIB, ranks={"up_blocks": 4})
    assert per_block.nearest() is None
    assert case(4.5, taken, adapter=GIB // 8).nearest() is None


@pytest.mark.parametrize("rslora", [False, True])
def test_encoders_parts_narrow_along_and_keep_their_strength_too(rslora):
    taken = only(5, 1)
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
    beside = Taken({WHOLE: Learning(0, 1)}, 0, 0, 3 * GIB)
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
    assert options_of({"eval_share": 0.0, "keep": Keep.BEST}) == (
        "--set eval_share=0.0 --set keep=best"
    )
    assert (amount(3 << 20), amount(3 << 29)) == ("3 MiB", "1.5 GiB")
