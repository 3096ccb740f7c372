"""Is the target the one that the base was trained for?"""

import dataclasses

import pytest
import torch

from picdeed.diffusion.models import load_base
from picdeed.diffusion.objective import Objective

LATENT = torch.full((2, 4, 8, 8), 0.5)
NOISE = torch.full((2, 4, 8, 8), -2.0)
TIMES = torch.tensor([100, 999])
PROMPTS = {"prompt_embeds": torch.zeros(2, 16, 16)}


class Constant(torch.nn.Module):
    """A UNet that always answers with one number."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, noisy, *_, **__):
        return type("Answer", (), {"sample": torch.full_like(noisy, self.value)})


def objective(tiny_base, prediction, answer, gamma=None):
    base = load_base(tiny_base, torch.device("cpu"))
    return Objective(
        dataclasses.replace(
            base,
            parts={**base.parts, "unet": Constant(answer)},
            facts=dataclasses.replace(base.facts, prediction=prediction),
        ),
        gamma,
    )


@pytest.mark.parametrize(("prediction", "answer"), [("epsilon", -2.0), ("sample", 0.5)])
def test_the_right_answer_costs_nothing_and_another_one_does(tiny_base, prediction, answer):
    right = objective(tiny_base, prediction, answer).losses(LATENT, NOISE, TIMES, PROMPTS)
    wrong = objective(tiny_base, prediction, answer + 1).losses(LATENT, NOISE, TIMES, PROMPTS)
    assert right.tolist() == [0, 0]
    assert wrong.tolist() == [1, 1]


def test_velocity_at_the_noisiest_step_is_minus_the_latent(tiny_base):
    # zero terminal SNR: nothing of the picture is left, so v = -x0 (arXiv 2305.08891, eq. 4)
    losses = objective(tiny_base, "v_prediction", -0.5).losses(LATENT, NOISE, TIMES, PROMPTS)
    assert losses[1] == pytest.approx(0, abs=1e-9)
    assert losses[0] > 1


def test_min_snr_weights_are_capped_and_ones_without_gamma(tiny_base):
    times = torch.tensor([1, 500, 999])
    plain = objective(tiny_base, "v_prediction", 0.0)
    assert plain.weights(times).tolist() == [1, 1, 1]
    velocity = objective(tiny_base, "v_prediction", 0.0, gamma=5.0).weights(times)
    assert velocity[0] < 0.01, "easy steps weigh little"
    assert 0 < velocity[2] + 1e-6 < velocity[1] < 1
    epsilon = objective(tiny_base, "epsilon", 0.0, gamma=5.0).weights(times)
    assert epsilon[0] < 0.01
    assert epsilon[1] == 1
    sample = objective(tiny_base, "sample", 0.0, gamma=5.0).weights(times)
    assert sample[0] == 5
