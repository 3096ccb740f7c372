"""Are a step's samples the same ones, in order, whoever draws them?"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from picdeed.diffusion.pretrain.feed import feed

CPU = torch.device("cpu")
STEPS = range(3, 20)


def drawn(step: int) -> tuple[Tensor, Tensor]:
    numbers = torch.Generator().manual_seed(step)
    return torch.tensor([step, os.getpid()]), torch.randn(4, generator=numbers)


def test_other_processes_draw_the_same_samples_in_order() -> None:
    own = list(feed(drawn, STEPS, CPU, processes=0))
    fed = list(feed(drawn, STEPS, CPU, processes=2))
    assert [int(told[0]) for told, _ in fed] == list(STEPS)
    assert all(torch.equal(one[1], two[1]) for one, two in zip(own, fed, strict=True))
    assert {int(told[1]) for told, _ in own} == {os.getpid()}
    others = {int(told[1]) for told, _ in fed}
    assert len(others) == 2
    assert os.getpid() not in others


def test_a_cpu_draws_its_own_one_step_at_a_time() -> None:
    asked: list[int] = []

    def noted(step: int) -> tuple[Tensor, Tensor]:
        asked.append(step)
        return drawn(step)

    samples = feed(noted, STEPS, CPU)
    next(samples)
    assert asked == [3]
