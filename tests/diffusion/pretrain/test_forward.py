"""Is a picture destroyed as diffusers does it, and do the answers asked for lead back to it?"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from torch import Tensor

from picdeed.core.errors import UsageError
from picdeed.diffusion.pretrain import autoencoder, denoiser, forward, vocabulary
from picdeed.diffusion.pretrain.recipe import Noise, Recipe

SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
KINDS = [
    Noise(prediction, schedule, zero_snr=zero, min_snr=0.0)
    for prediction, schedule, zero in product(("epsilon", "v_prediction"), SCHEDULES, (False, True))
    if not (prediction == "epsilon" and zero)
]
FLOW = Noise("flow_prediction", "", zero_snr=False, min_snr=0.0)


def words(noise: Noise) -> str:
    return f"{noise.prediction}-{noise.schedule}{'-zero' if noise.zero_snr else ''}"


def some(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Clean latents and noise (count, 4, 4, 4)."""
    numbers = torch.Generator().manual_seed(seed)
    clean, e = (torch.randn(count, 4, 4, 4, generator=numbers) for _ in range(2))
    return clean, e


def at(noise: Noise, times: Tensor) -> Tensor:
    """The moments 0..1 at which the network is told `times`."""
    return (times.float() + (-0.5 if noise.prediction == forward.FLOW else 0.5)) / forward.STEPS


@pytest.mark.parametrize("noise", KINDS, ids=words)
def test_diffusion_is_that_of_diffusers(noise: Noise) -> None:
    judge = DDPMScheduler(
        num_train_timesteps=1000,
        beta_schedule=noise.schedule,
        rescale_betas_zero_snr=noise.zero_snr,
    )
    times = torch.arange(1000)
    clean, e = some(1000)
    made = forward.noised(noise, clean, e, at(noise, times))
    assert torch.equal(made.times, times)
    assert torch.allclose(made.noisy, judge.add_noise(clean, e, times), atol=1e-6)
    wanted = e if noise.prediction == "epsilon" else judge.get_velocity(clean, e, times)
    assert torch.allclose(made.target, wanted, atol=1e-6)
    left = forward.alphas(noise)
    assert (left.diff() < 0).all()
    assert left[0] > 0.99
    assert (left[-1] == 0) == noise.zero_snr
    if noise.zero_snr:
        assert torch.equal(made.noisy[-1], e[-1]), "nothing of the picture is left"
        assert torch.equal(made.target[-1], -clean[-1])


def test_flow_is_a_straight_line_from_the_picture_to_the_noise() -> None:
    clean, e = some(1000)
    shares = torch.arange(1, 1001) / 1000
    made = forward.noised(FLOW, clean, e, at(FLOW, 1000 * shares))
    across = shares[:, None, None, None]
    assert torch.allclose(made.times, 1000 * shares)
    assert torch.allclose(made.noisy, (1 - across) * clean + across * e, atol=1e-6)
    assert torch.equal(made.target, e - clean)
    assert torch.equal(made.noisy[-1], e[-1])
    assert torch.allclose(made.noisy - across * made.target, clean, atol=1e-5)


@pytest.mark.parametrize("noise", [*KINDS, FLOW], ids=words)
def test_each_moment_has_its_time_and_none_is_outside(noise: Noise) -> None:
    # the last one is what a draw just below 1 rounds to
    when = torch.cat([at(noise, torch.arange(1000) + (noise == FLOW)), torch.tensor([0.0, 1.0])])
    clean, e = some(len(when))
    times = forward.noised(noise, clean, e, when).times
    first = 1 if noise == FLOW else 0
    assert times[:1000].round().tolist() == list(range(first, first + 1000))
    assert times[1000:].tolist() == [first, first + 999]


@pytest.mark.parametrize("noise", [*KINDS, FLOW], ids=words)
def test_the_sampler_follows_right_answers_back_to_the_picture(noise: Noise, tiny: Any) -> None:
    clean, e = some(1, seed=1)
    clean = clean.repeat(1, 1, 4, 4)
    start = e.repeat(1, 1, 4, 4)
    asked: list[int] = []

    def right(noisy: Tensor, time: Tensor) -> Tensor:
        asked.append(int(time))
        return told(noise, clean, noisy, time)

    found = painted(tiny(), noise, start, right)
    assert torch.allclose(found, clean, atol=0.01)
    # From where nothing but noise is left (arXiv:2305.08891), in even steps.
    assert (len(asked), asked[0]) == (20, 999)
    assert {a - b for a, b in pairwise(asked)} <= {49, 50}
    wrong = painted(tiny(), noise, start, lambda noisy, time: -told(noise, clean, noisy, time))
    assert not torch.allclose(wrong, clean, atol=0.5)


def test_the_flow_sampler_ends_at_the_picture_when_told_picture_and_noise() -> None:
    clean, e = some(1, seed=2)
    sampler = forward.scheduler(FLOW)
    sampler.set_timesteps(20)
    found = e * sampler.init_noise_sigma
    for time in sampler.timesteps:
        found = sampler.step(e - clean, time, found).prev_sample
    # it starts at 999 of 1000, where a thousandth of the picture should be there already
    assert torch.allclose(found, clean, atol=0.01)


def told(noise: Noise, clean: Tensor, noisy: Tensor, time: Tensor) -> Tensor:
    """The answer that training teaches for these latents if `clean` lies below them."""
    if noise.prediction == forward.FLOW:
        rest = time / forward.STEPS
        signal = 1 - rest
    else:
        kept = forward.alphas(noise)[time]
        signal, rest = kept.sqrt(), (1 - kept).sqrt()
    e = (noisy - signal * clean) / rest
    made = forward.noised(noise, clean, e, at(noise, time.reshape(1)))
    assert torch.allclose(made.noisy, noisy, atol=1e-4)
    assert float(made.times) == pytest.approx(float(time))
    return made.target


def painted(
    recipe: Recipe, noise: Noise, start: Tensor, answer: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Latents that the pipeline that is shipped makes in 20 steps of a UNet that says `answer`."""
    model = denoiser.build(recipe)
    # As diffusers reads it back from the folder that is shipped.
    sampler = type(forward.scheduler(noise)).from_config(dict(forward.scheduler(noise).config))
    pipeline = StableDiffusionPipeline(
        vae=autoencoder.build(recipe),
        text_encoder=model.text,
        tokenizer=vocabulary.learn(recipe.words, 640, recipe.denoiser.tokens),
        unet=model.unet,
        scheduler=sampler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)

    model.unet.forward = lambda noisy, time, **_: (answer(noisy, time),)
    found: Tensor = pipeline(
        "a cat", num_inference_steps=20, guidance_scale=1.0, latents=start, output_type="latent"
    ).images
    return found


@pytest.mark.parametrize("gamma", [1.0, 5.0])
@pytest.mark.parametrize("noise", [*KINDS, FLOW], ids=words)
def test_min_snr_weighs_the_pictures_error_by_the_capped_ratio(noise: Noise, gamma: float) -> None:
    """arXiv:2303.09556 weighs |x0 - found|^2 by min(SNR, gamma), whatever the network says."""
    noise = Noise(noise.prediction, noise.schedule, noise.zero_snr, gamma)
    times = torch.arange(1000) + (noise.prediction == forward.FLOW)
    clean, e = some(1000)
    clean, e = clean.double(), e.double()
    made = forward.noised(noise, clean, e, at(noise, times))
    if noise.prediction == forward.FLOW:
        rest = times.double() / 1000
        signal = 1 - rest
        snr = (signal / rest) ** 2
    else:
        kept = forward.alphas(noise).double()
        signal, rest = kept.sqrt(), (1 - kept).sqrt()
        snr = kept / (1 - kept)
    off = 0.01
    signal, rest = (value[:, None, None, None] for value in (signal, rest))
    said = made.target + off
    found = {
        "epsilon": (made.noisy - rest * said) / signal,
        "v_prediction": signal * made.noisy - rest * said,
        "flow_prediction": made.noisy - rest * said,
    }[noise.prediction]
    error = (found - clean).square().mean((1, 2, 3))
    wanted = snr.clamp(max=gamma) * error
    # epsilon's last step under a cosine has a ratio of 2e-9, which the code takes for 1e-8.
    sure = (snr > 1e-8) | (noise.prediction != "epsilon")
    assert sure.sum() >= 999
    weights = made.weight.double()
    assert torch.allclose(weights[sure] * off**2, wanted[sure], rtol=2e-3, atol=1e-9)
    assert made.weight.shape == (1000,)
    assert made.weight.max() > 0.2


@pytest.mark.parametrize("noise", [*KINDS, FLOW], ids=words)
def test_without_gamma_every_error_weighs_the_same(noise: Noise) -> None:
    clean, e = some(50)
    assert forward.noised(noise, clean, e, torch.linspace(0, 1, 50)).weight.tolist() == [1.0] * 50


@pytest.mark.parametrize(
    ("prediction", "schedule", "zero"),
    [
        ("noise", "linear", False),
        ("sample", "linear", False),
        ("epsilon", "cosine", False),
        ("v_prediction", "", True),
        ("epsilon", "linear", True),
    ],
)
def test_wrong_words_are_refused(prediction: str, schedule: str, zero: bool) -> None:
    noise = Noise(prediction, schedule, zero, 0.0)
    with pytest.raises(UsageError, match=r"is none of|only noise"):
        forward.scheduler(noise)
    with pytest.raises(UsageError):
        forward.noised(noise, *some(1), torch.tensor([0.5]))
