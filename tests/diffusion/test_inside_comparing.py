"""Does a comparison draw exactly what the same request draws alone?"""

import pytest

from picdeed.diffusion.inside.comparing import guided, sampled_by
from picdeed.diffusion.inside.denoising import watched
from picdeed.diffusion.models import load_base
from picdeed.diffusion.sample import draw
from picdeed.diffusion.samplers import Sampler


@pytest.fixture
def base(taught_base):
    return load_base(taught_base)


def test_each_guidance_is_the_picture_that_draw_gives(base):
    told = []
    made = guided(base, "disc 1", 7, [1, 3, 8], steps=3, progress=lambda *what: told.append(what))
    assert [one.guidance for one in made] == [1, 3, 8]
    for one in made:
        (alone,) = draw(base, ["disc 1"], [7], steps=3, guidance=one.guidance)
        assert one.picture.tobytes() == alone.tobytes()
    assert len({one.picture.tobytes() for one in made}) == 3
    assert told == [("generate", n, 3) for n in range(4)]


def test_guidance_1_is_the_prompt_alone(base):
    """The UNet is asked once a step, and never about the empty prompt."""
    sizes = []
    hook = base.network.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    (one,) = guided(base, "disc 1", 7, [1], steps=3)
    hook.remove()
    assert sizes == [1, 1, 1]
    with watched(base.network, 1.0) as calls:
        draw(base, ["disc 1"], [7], steps=3, guidance=1.0)
    # With weight 1 the formula gives the prompted answer, so a hair above 1 gives the same picture.
    with watched(base.network, 1.000001) as near:
        (beside,) = draw(base, ["disc 1"], [7], steps=3, guidance=1.000001)
    assert all(abs(a.said - b.said).max() < 1e-3 for a, b in zip(calls, near, strict=True))
    assert beside.size == one.picture.size


def test_samplers_by_steps(base):
    made = sampled_by(base, "disc 1", 7, [Sampler.DDIM, Sampler.EULER], [2, 6])
    assert [(one.sampler, one.steps) for one in made] == [
        ("ddim", 2), ("ddim", 6), ("euler", 2), ("euler", 6),
    ]  # fmt: skip
    for one in made:
        (alone,) = draw(
            base, ["disc 1"], [7], steps=one.steps, sampler=Sampler(one.sampler), guidance=2.5
        )  # fmt: skip
        assert one.picture.tobytes() == alone.tobytes()
        assert (one.apart == 0) is (one.steps == 6)
        assert one.seconds > 0
