"""Are places drawn from their random numbers, each like itself and like no other?"""

from __future__ import annotations

import numpy as np
import pytest

from picdeed.diffusion.pretrain import scenes
from picdeed.diffusion.pretrain.recipe import Recipe

SIDE = 64


def drawn(place: str, seed: int, side: int = SIDE) -> np.ndarray:
    return scenes.scene(place, side, np.random.default_rng(seed)).astype(int)


def test_every_place_of_the_shipped_recipe_can_be_drawn(sprig: Recipe) -> None:
    assert set(sprig.places) <= set(scenes.places())
    for place in sprig.places:
        found = scenes.scene(place, sprig.side, np.random.default_rng(0))
        assert found.shape == (128, 128, 3)
        assert found.dtype == np.uint8
        assert found.std() > 4, "no even colour"


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(KeyError, match="moon"):
        drawn("on the moon", 0)


@pytest.mark.parametrize("place", scenes.places())
def test_a_place_is_decided_by_its_numbers(place: str) -> None:
    again, other = np.random.default_rng(3), np.random.default_rng(3)
    first = scenes.scene(place, SIDE, again)
    assert np.array_equal(first, scenes.scene(place, SIDE, other))
    assert again.random() == other.random(), "and takes as many of them"
    assert not np.array_equal(first, scenes.scene(place, SIDE, other))
    views = [drawn(place, seed) for seed in range(6)]
    assert all(np.abs(a - b).mean() > 0.5 for n, a in enumerate(views) for b in views[n + 1 :]), (
        "no two alike"
    )
    assert len({tuple(view[0, 0]) for view in views}) > 3, "nor has it always the same colours"


def test_draws_of_a_place_are_nearer_to_each_other_than_to_other_places() -> None:
    looks = {place: [drawn(place, seed, 32) for seed in range(5)] for place in scenes.places()}
    for place, mine in looks.items():
        middle = {name: np.mean(views[1:], axis=0) for name, views in looks.items()}
        far = {name: np.abs(mine[0] - view).mean() for name, view in middle.items()}
        assert min(far, key=far.__getitem__) == place


def test_things_stand_where_there_is_ground() -> None:
    assert set(scenes.places()) > scenes.STANDS
    for place in scenes.STANDS:
        for seed in range(8):
            view = drawn(place, seed)
            # Between the lowest horizon (0.74 of the side, and its wave) and the bottom all is
            # ground; a sky or wall is above the highest one.
            ground, above = view[int(0.85 * SIDE) :], view[: int(0.5 * SIDE)]
            apart = np.abs(ground.mean((0, 1)) - above.mean((0, 1))).sum()
            assert apart > 30, (place, seed)


def test_night_is_dark_and_snow_is_light() -> None:
    light = {
        place: np.mean([drawn(place, seed).mean() for seed in range(4)])
        for place in scenes.places()
    }
    assert min(light, key=light.__getitem__) == "at night"
    assert light["at night"] < 90
    assert light["in the snow"] > 180
