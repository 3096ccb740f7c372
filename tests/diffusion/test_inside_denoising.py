"""Is what is seen of the steps what the sampler did, and does looking change nothing?"""

import itertools

import numpy as np
import pytest
import torch

from picdeed.diffusion.inside.denoising import denoised, watched
from picdeed.diffusion.inside.forward import Forward
from picdeed.diffusion.inside.latents import decoded
from picdeed.diffusion.models import load_base
from picdeed.diffusion.sample import draw, generate
from picdeed.diffusion.samplers import Sampler


@pytest.fixture
def base(taught_base):
    return load_base(taught_base)


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_the_picture_is_the_one_that_is_drawn_without_looking(base, sampler, guidance):
    how = {"steps": 4, "guidance": guidance, "sampler": sampler}
    (plain,) = draw(base, ["disc 1"], [7], **how)
    seen = denoised(base, "disc 1", 7, **how)
    assert seen.picture.tobytes() == plain.tobytes()
    assert len(seen.steps) == 4
    times = [step.time for step in seen.steps]
    assert times == sorted(times, reverse=True)
    assert (seen.steps[0].signal, seen.steps[0].noise) == (0.0, 1.0)
    assert not base.network._forward_hooks


def test_it_is_the_picture_of_generate(taught_base, base):
    (told,) = generate(taught_base, None, ["disc 1"], [7], steps=4, threads=1)
    torch.set_num_threads(1)
    assert denoised(base, "disc 1", 7, steps=4).picture.tobytes() == told.tobytes()


def test_ddim_ends_at_what_was_expected_last(base):
    seen = denoised(base, "disc 1", 7, steps=4)
    last = np.asarray(seen.steps[-1].expected).astype(int)
    assert np.abs(last - np.asarray(seen.picture)).max() <= 1


def test_each_step_of_ddim_follows_from_the_one_before(base):
    forward = Forward(base)
    with watched(base.network, 2.5) as calls:
        draw(base, ["disc 1"], [7], steps=5, guidance=2.5)
    for call, after in itertools.pairwise(calls):
        clean = forward.expected(call.noisy, call.said, call.time)
        signal, rest = forward.shares(call.time)
        # v = sqrt(a) e - sqrt(1 - a) z, so the noise that it amounts to is:
        noise = signal * call.said + rest * call.noisy
        assert torch.allclose(forward.mixed(clean, noise, after.time), after.noisy, atol=1e-4)


def test_the_pipeline_decodes_as_we_do(base):
    from picdeed.diffusion.sample import _pipeline

    drawn = {}
    for kind in ("latent", "pt"):
        pipeline = _pipeline(base, Sampler.DDIM)
        drawn[kind] = pipeline(
            "disc 1", num_inference_steps=3, output_type=kind,
            generator=torch.Generator("cpu").manual_seed(1),
        ).images  # fmt: skip
    ours = np.asarray(decoded(base, drawn["latent"]))
    theirs = (drawn["pt"][0] * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(ours, theirs)


def test_a_picture_that_fails_leaves_no_hook(base):
    with pytest.raises(ZeroDivisionError), watched(base.network, 1.0):
        raise ZeroDivisionError
    assert not base.network._forward_hooks
