"""Is an adapter that does nothing told to forget nothing, and one that damages told so?"""

from pathlib import Path

import pytest
import torch

from picdeed.diffusion.forgetting import WORDS, forgetting, words_for
from picdeed.diffusion.gram import grams_apart, grams_of
from picdeed.diffusion.lora import attach_recipe, weights
from picdeed.diffusion.models import load_base
from picdeed.imaging.decode import decode


@pytest.fixture
def plan(tiny_base, ink, make_plan):
    return make_plan(tiny_base, ink, steps=20, eval_share=0.5)


def test_nothing_is_forgotten_by_an_adapter_that_does_nothing(plan, tiny_base):
    base = load_base(tiny_base)
    attach_recipe(base.unet, plan.recipe, 0)
    found = forgetting(plan, base)
    assert (found.worse, found.worsened, found.prompts) == (0, 0, WORDS[:2])
    with torch.no_grad():
        for tensor in weights(base.unet).values():
            tensor.add_(0.5)
    damaged = forgetting(plan, base)
    assert damaged.base == found.base
    assert damaged.worse > 0.2
    assert damaged.worsened == 2
    assert damaged.document()["worse"] == damaged.worse


def test_words_are_none_of_the_captions_and_as_many_as_may_be_paid_for(plan):
    def words(**knobs):
        return words_for(plan.model_copy(update={"recipe": plan.recipe.model_copy(update=knobs)}))

    assert words(eval_share=10.0) == WORDS[:8]
    assert words(eval_share=0.2) == ()
    said = plan.members[0].model_copy(update={"caption": "An Apple, two boats"})
    known = plan.model_copy(update={"members": (said, *plan.members[1:])})
    assert words_for(known) == ("house", "tree")


def test_textures_of_the_same_pictures_are_equal(tiny_base, ink, colours):
    base = load_base(tiny_base)
    sets = [
        grams_of(base, [decode(Path(one.path).read_bytes()).image for one in some])
        for some in (ink[:3], ink[3:6], colours[:3])
    ]
    assert grams_apart(sets[0], sets[0]) == 0
    assert 0 < grams_apart(sets[1], sets[0]) < grams_apart(sets[2], sets[0])
    with pytest.raises(ValueError, match="at least one"):
        grams_of(base, [])
