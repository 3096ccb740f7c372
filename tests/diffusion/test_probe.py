"""Are the steps that a probe measures those that the run will make? Counted, not timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook
from transformers import CLIPTextModel

from picdeed.diffusion import prior, probe, train
from picdeed.diffusion.estimate import estimate
from picdeed.diffusion.estimated import Estimate
from picdeed.diffusion.filling import PICTURES
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.ready import slots_losses

STEPS = 10
DISCS = {"prior": ("a disc", "a ring"), "prior_pictures": 2}
TEXT = {"text_rank": 2, "caption_dropout": 0.3}
ANEW = {"gradient_checkpointing": True}


@dataclass
class Part:
    """What was computed at once: pictures, captions read for them, and bytes kept for the way
    back."""

    rows: int = 0
    captions: int = 0
    kept: int = 0


@dataclass
class Steps:
    """Of each step its parts, as `slots_losses` and `improve` of a module are called."""

    made: list[list[Part]] = field(default_factory=list)
    open: list[Part] = field(default_factory=list)

    def watch(self, module: Any, patch: pytest.MonkeyPatch) -> None:
        improve = module.improve

        def losses(*given: Any) -> torch.Tensor:
            part = Part(rows=len(given[-1]))
            self.open.append(part)

            def read(encoder: Any, _: Any, said: Any) -> None:
                if type(encoder) is CLIPTextModel:
                    part.captions += len(said[0])

            def pack(tensor: torch.Tensor) -> torch.Tensor:
                part.kept += tensor.nbytes
                return tensor

            handle = register_module_forward_hook(read)
            try:
                with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                    return slots_losses(*given)
            finally:
                handle.remove()

        def improved(*given: Any, **more: Any) -> float:
            self.made.append(self.open)
            self.open = []
            return improve(*given, **more)

        patch.setattr(module, "slots_losses", losses)
        patch.setattr(module, "improve", improved)


@dataclass(frozen=True)
class Both:
    """The steps that were probed and those that were run, with what the probe said."""

    told: Estimate
    probed: list[list[Part]]
    run: list[list[Part]]


@pytest.fixture(scope="module")
def both(
    plan_on_ink: Callable[..., RunPlan], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Both]:
    """An estimate and a run of the same plan; what was asked before is not done again."""
    folder, known = tmp_path_factory.mktemp("both"), dict[str, Both]()

    def make(**knobs: Any) -> Both:
        name = f"number-{len(known)}"
        common = {"steps": STEPS, "batch": 5, "eval_share": 0.0, "hold_out": 0.0}
        plan = plan_on_ink(folder / "blobs", **common | knobs)
        plan = plan.model_copy(update={"cache": str(folder / "cache")})
        if plan.digest() not in known:
            probed, run = Steps(), Steps()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(prior, "STEPS", 2)
                probed.watch(probe, patch)
                run.watch(train, patch)
                plan.write(folder / name / "asked")
                told = estimate(folder / name / "asked")
                plan.write(folder / name / "run")
                train.train(folder / name / "run")
            known[plan.digest()] = Both(told, probed.made, run.made)
        return known[plan.digest()]

    return make


@pytest.mark.parametrize("knobs", [{}, TEXT, ANEW, {**TEXT, **DISCS}])
def test_a_timed_step_is_the_run_s_own(both: Callable[..., Both], knobs: dict[str, Any]) -> None:
    """Three steps go before them: one that makes the optimiser's memory, one and two pictures."""
    found = both(**knobs)
    assert found.told.at_once == 5
    assert found.probed[3:] == found.run[3:]
    parts = found.run[-1]
    assert [part.rows for part in parts] == [5] * (2 if "prior" in knobs else 1)
    assert (parts[0].captions > 0) == ("text_rank" in knobs)
    seconds = found.told.seconds
    assert seconds is not None
    assert seconds.steps == pytest.approx(STEPS * seconds.a_step)


def test_more_captions_are_read_than_pictures_are_in_the_cache(both: Callable[..., Both]) -> None:
    assert max(step[0].captions for step in both(**TEXT).probed) == 5 > PICTURES


def test_each_knob_moves_what_is_kept_for_the_way_back(both: Callable[..., Both]) -> None:
    plain, text, anew = (
        max(part.kept for step in both(**knobs).probed for part in step)
        for knobs in ({}, TEXT, ANEW)
    )
    assert anew < plain / 2 < plain < text


def test_of_a_batch_in_parts_as_many_of_either_kind_are_timed(both: Callable[..., Both]) -> None:
    """So that a step is as many times that as it has rows."""
    found = both(**DISCS, **ANEW, text_rank=2, micro_batch=2, steps=4)
    assert [part.rows for part in found.run[-1]] == [2] * 5
    assert [part.rows for part in found.probed[-1]] == [2] * 2
    theirs = [step[1].captions for step in found.probed[3:]]
    assert set(theirs) <= {1, 2}, "two prompts there are"
    most = [max(part.kept for step in some for part in step) for some in (found.probed, found.run)]
    assert most[0] == most[1]
