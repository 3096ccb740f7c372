"""Are the shares of picture and noise the scheduler's own, and is a prediction read rightly?"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from picdeed.core.errors import UsageError
from picdeed.diffusion.inside.forward import Forward
from picdeed.diffusion.models import load_base


@pytest.fixture
def forward(tiny_base):
    return Forward(load_base(tiny_base))


def test_shares_are_the_schedulers(tiny_base, forward):
    alphas = DDPMScheduler.from_config(dict(load_base(tiny_base).scheduler)).alphas_cumprod
    for time in (0, 1, 500, 998, 999):
        signal, noise = forward.shares(time)
        assert signal**2 == pytest.approx(float(alphas[time]), abs=1e-6)
        assert signal**2 + noise**2 == pytest.approx(1)
    assert np.allclose(forward.signal, alphas.sqrt().numpy(), atol=1e-6)
    assert forward.times == 1000


def test_nothing_of_the_picture_is_left_at_the_last_time(forward):
    assert forward.shares(999) == (0.0, 1.0)


def test_between_two_times_the_squares_are_between_theirs(forward):
    low, high = forward.shares(500)[0], forward.shares(501)[0]
    assert high < forward.shares(500.5)[0] < low


def test_mixing_is_what_the_scheduler_does(tiny_base, forward):
    scheduler = DDPMScheduler.from_config(dict(load_base(tiny_base).scheduler))
    latents, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    for time in (0, 321, 999):
        theirs = scheduler.add_noise(latents, noise, torch.tensor([time]))
        assert torch.allclose(forward.mixed(latents, noise, time), theirs, atol=1e-6)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_prediction_amounts_to_what_ddim_takes_it_for(make_base, tmp_path, prediction):
    folder = make_base(tmp_path / "one")
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("v_prediction", prediction))
    base = load_base(folder)
    scheduler = DDIMScheduler.from_config(dict(base.scheduler))
    scheduler.set_timesteps(10)
    noisy, said = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    theirs = scheduler.step(said, 499, noisy).pred_original_sample
    assert torch.allclose(Forward(base).expected(noisy, said, 499), theirs, atol=1e-5)


def test_another_prediction_is_refused(tiny_base):
    base = load_base(tiny_base)
    other = replace(base, facts=replace(base.facts, prediction="flow_prediction"))
    with pytest.raises(UsageError, match="flow_prediction"):
        Forward(other)


@pytest.mark.parametrize("time", [-1, 1000, float("nan")])
def test_a_time_outside_of_the_schedule_is_refused(forward, time):
    with pytest.raises(UsageError, match="outside 0 to 999"):
        forward.shares(time)
