"""Are outputs found by file, pixels, recipe and adapter?"""

from __future__ import annotations

from picdeed.registry import outputs


def test_an_output_is_its_recipe_and_its_pixels():
    one = outputs.output_id({"seed": 1}, "ab")
    assert outputs.output_id({"seed": 1}, "ab") == one
    assert (
        len({one, outputs.output_id({"seed": 2}, "ab"), outputs.output_id({"seed": 1}, "ac")}) == 3
    )


def test_found_from_every_side(full, life):
    out = life.output.id
    with full.read() as session:
        assert outputs.by_sha(session, "0" * 64).id == out
        assert outputs.by_sha(session, "1" * 64) is None
        assert [o.id for o in outputs.by_pixels(session, "9" * 64)] == [out]
        assert [o.id for o in outputs.of_adapters(session, [life.adapter.id])] == [out]
        assert outputs.of_adapters(session, ["adp_0"]) == []
        assert [o.id for o in outputs.all_outputs(session)] == [out]
        assert outputs.all_outputs(session, "suspended") == []
        assert outputs.with_recipe(session, {"prompt": "a bird"}).id == out
        assert outputs.with_recipe(session, {"prompt": "a cat"}) is None
