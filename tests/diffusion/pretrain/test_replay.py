"""Does a replayed step do what the step does?"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from picdeed.diffusion.pretrain import optimisers
from picdeed.diffusion.pretrain.replay import replayed


def test_a_cpu_computes_every_step() -> None:
    def compute(samples: tuple[Tensor, ...]) -> Tensor:
        return samples[0]

    assert replayed(compute, torch.device("cpu")) is compute


@pytest.mark.gpu
def test_a_replayed_step_trains_as_the_step_itself() -> None:
    found = []
    for record in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(32, 64), nn.SiLU(), nn.Linear(64, 32)).cuda()
        movers = optimisers.for_denoiser(model, 0.01, half=False)
        rate = torch.zeros((), device="cuda")
        for group in (group for one in movers for group in one.param_groups):
            group |= {"lr": rate, "capturable": True}

        def compute(
            samples: tuple[Tensor, ...], model: nn.Module = model, movers: list = movers
        ) -> Tensor:
            for mover in movers:
                mover.zero_grad(set_to_none=True)
            loss = (model(samples[0]) - samples[1]).square().mean()
            loss.backward()
            for mover in movers:
                mover.step()
            return loss.detach()

        step = replayed(compute, torch.device("cuda")) if record else compute
        losses = []
        for number in range(12):
            rate.fill_(0.01 / (number + 1))
            numbers = torch.Generator().manual_seed(number)
            samples = tuple(torch.randn(16, 32, generator=numbers).cuda() for _ in range(2))
            losses.append(float(step(samples)))
        found.append((losses, [weight.detach().clone() for weight in model.parameters()]))
    (plain, weights), (again, same) = found
    assert again == pytest.approx(plain, rel=1e-5)
    assert len(set(plain)) == 12
    for one, two in zip(weights, same, strict=True):
        assert torch.allclose(one, two, atol=1e-5)
