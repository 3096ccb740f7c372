"""Is a base of rectified flow trained on straight lines, and do its samplers follow them?"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler

from picdeed.core.errors import UsageError
from picdeed.diffusion import flows
from picdeed.diffusion.models import Base, check_base, load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.sample import draw
from picdeed.diffusion.samplers import Sampler

CLEAN = 0.7


@pytest.fixture
def flowing(tiny_base: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "flowing"
    shutil.copytree(tiny_base, folder)
    DPMSolverMultistepScheduler(
        prediction_type=flows.FLOW, use_flow_sigmas=True, flow_shift=1.0
    ).save_pretrained(folder / "scheduler")
    return folder


def certain(folder: Path) -> Base:
    """Its network knows that every latent is 0.7: e - x = (x_s - x) / s."""
    base = load_base(folder, torch.device("cpu"))

    def forward(noisy: torch.Tensor, time: Any, *, return_dict: bool = True, **_: Any) -> Any:
        share = torch.as_tensor(time).float().reshape(-1, 1, 1, 1) / 1000
        said = (noisy - CLEAN) / share.clamp(min=1e-6)
        return SimpleNamespace(sample=said) if return_dict else (said,)

    base.network.forward = forward
    return base


def test_the_right_answer_costs_nothing(flowing: Path) -> None:
    assert check_base(flowing).prediction == flows.FLOW
    objective = Objective(certain(flowing))
    clean, e = torch.full((3, 4, 8, 8), CLEAN), torch.randn(3, 4, 8, 8)
    times = torch.tensor([0, 500, 999])
    nothing = {"prompt_embeds": torch.zeros(3, 16, 16)}
    assert objective.losses(clean, e, times, nothing).max() < 1e-6
    assert objective.losses(clean + 0.1, e, times, nothing).min() > 1e-3


def test_its_weights_are_those_of_the_share(flowing: Path) -> None:
    objective = Objective(load_base(flowing, torch.device("cpu")), min_snr_gamma=5.0)
    # At half the way the ratio is 1, and (1 + 1)^2 = 4 turns the target's error into the picture's.
    assert objective.weights(torch.tensor([499])).tolist() == pytest.approx([0.25])
    assert objective.weights(torch.tensor([0])) < 1e-3


def test_a_shift_moves_shares_to_the_noise_as_diffusers_schedulers_do() -> None:
    times = torch.arange(1000)
    for shift in (1.0, 3.0):
        sigmas = FlowMatchEulerDiscreteScheduler(shift=shift).sigmas
        ours = flows.shifted(flows.shares(times, 1000), shift)
        assert torch.allclose(ours.flip(0), sigmas, atol=1e-6)


@pytest.mark.parametrize("sampler", [Sampler.DPM, Sampler.UNIPC])
def test_samplers_follow_the_line_to_its_end(flowing: Path, sampler: Sampler) -> None:
    base = certain(flowing)
    (image,) = draw(base, ["a"], [3], steps=10, sampler=sampler)
    with torch.no_grad():
        wanted = base.vae.decode(torch.full((1, 4, 8, 8), CLEAN)).sample[0] / 2 + 0.5
    pixels = (wanted.clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
    assert np.abs(np.asarray(image).astype(float) - pixels).max() <= 1


@pytest.mark.parametrize("sampler", [Sampler.DDIM, Sampler.EULER, Sampler.EULER_A])
def test_a_sampler_that_knows_no_flow_is_refused(flowing: Path, sampler: Sampler) -> None:
    with pytest.raises(UsageError, match="rectified flow") as told:
        draw(load_base(flowing, torch.device("cpu")), ["a"], [3], steps=2, sampler=sampler)
    assert "dpm++" in told.value.hint


def test_an_unbounded_scheduler_can_be_hashed(flowing: Path) -> None:
    """As diffusers writes DPM-Solver: "lambda_min_clipped": -Infinity, which no JSON holds."""
    path = flowing / "scheduler" / "scheduler_config.json"
    assert "-Infinity" in path.read_text()
    first = check_base(flowing).sha256
    path.write_text(path.read_text().replace("-Infinity", "-5.1"))
    assert check_base(flowing).sha256 != first
    path.write_text(path.read_text().replace("-5.1", "NaN"))
    with pytest.raises(UsageError, match="no JSON"):
        check_base(flowing)
