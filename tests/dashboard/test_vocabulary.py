from __future__ import annotations

from picdeed.diffusion.samplers import Sampler
from picdeed.diffusion.suited import Suited
from picdeed.flow.inside import Vocabulary
from picdeed_ui.parts.vocabulary import instances


def taught(
    things: tuple[str, ...], tints: tuple[str, ...] = (), places: tuple[str, ...] = ()
) -> Vocabulary:
    return Vocabulary(
        "base_1", "sprig", "0", 1, "epsilon", 1000, things, tints, tints, places,
        Suited(Sampler.DDIM),
    )  # fmt: skip


def test_instances_come_from_all_over_the_list() -> None:
    things = tuple(f"thing{number}" for number in range(9))
    found = instances(taught(things, ("red", "blue"), ("at night", "on grass")))
    assert found == [
        "thing0 at night",
        "blue thing2",
        "thing4 on grass",
        "blue thing6 on a red background",
    ]


def test_a_base_that_knows_little_has_few() -> None:
    assert instances(taught(("cat",))) == ["cat"]
    assert instances(taught(())) == []
