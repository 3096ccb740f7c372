"""Where a run does not fit, is the setting that does measured, and said how surely?"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from estimating import First, asked, plan_with

from picdeed.diffusion.devices import repeatable
from picdeed.diffusion.estimate import Question, Timed, weighed
from picdeed.diffusion.estimated import Estimate, read_estimate
from picdeed.diffusion.filling import Filling
from picdeed.diffusion.fit import MARGIN, Basis, Case, Learning, Taken, Way, ways
from picdeed.diffusion.memory import there_is
from picdeed.diffusion.models import load_base
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.probe import Probe, Step, probe
from picdeed.diffusion.ready import made_ready, slots_losses
from picdeed.diffusion.recipe import Precision, Quantize, Recipe
from picdeed.diffusion.room import Least, least_of
from picdeed.diffusion.workload import Workload
from picdeed.diffusion.worn import take_off


def int8_vectorwise_quant(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
    most = rows.float().abs().amax(1)
    return (rows.float() / most[:, None] * 127).round().to(torch.int8), most, None


def int8_vectorwise_dequant(numbers: torch.Tensor, most: torch.Tensor) -> torch.Tensor:
    return numbers * most[:, None] / 127


def quantize_4bit(row: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
    return row, None


def dequantize_4bit(row: torch.Tensor, _: None) -> torch.Tensor:
    return torch.zeros_like(row)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that packs 8 bits and loses all in 4, whether or not a real one is installed."""
    stand_in = ModuleType("bitsandbytes.functional")
    both = (quantize_4bit, dequantize_4bit)
    for function in (int8_vectorwise_quant, int8_vectorwise_dequant, *both):
        setattr(stand_in, function.__name__, function)
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)


@pytest.fixture
def runs_out(monkeypatch: pytest.MonkeyPatch) -> dict[Way, int]:
    """Of each way of computing a step how many pictures at once memory holds, to be set: a GPU says
    when it is too many; a system whose own memory runs out ends the process instead.
    """
    most = dict.fromkeys(ways(Recipe()), 0)

    def losses(objective: Any, ready: Any, precision: Precision, slots: Any) -> torch.Tensor:
        way = Way(precision, anew=ready.base.network.is_gradient_checkpointing)
        if len(slots) > most[way]:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        # bf16 takes long to begin
        return slots_losses(objective, ready, Precision.FP32, slots)

    monkeypatch.setattr("picdeed.diffusion.probe.slots_losses", losses)
    return most


def test_where_memory_runs_out_smaller_parts_are_tried_then_ways_that_take_less(
    first: First, runs_out: dict[Way, int]
) -> None:
    plan, base = first.plan, load_base(Path(first.plan.base))
    ready = made_ready(base, plan, plan.members[:1], first.folder / "cache")
    least = least_of(Path(plan.base), plan.recipe)
    question = Question(plan, base.device, there_is(base.device), 1, least)
    load = Workload(steps=1, looks=0, passes=0, decoded=0, encoded=0, said=0)

    def measured(case: Any) -> Probe:
        with repeatable(1):
            one = probe(plan, ready, load, case, lambda _: None)
        take_off(base)
        return one

    def found() -> tuple[int, Any]:
        one = measured(question.case)
        if one.taken is None or one.step is None:
            return 0, None
        nearest = question.case(one.taken).nearest()
        assert len(one.taken.learning) == 1, "what one way is known to do no other is tried for"
        assert one.step.way in one.taken.learning
        return one.step.count, nearest.change if nearest else None

    whole, anew, half, both = ways(plan.recipe)
    runs_out.update({whole: 1, anew: 2, half: 2, both: 2})
    assert found() == (1, {"micro_batch": 1})

    def small(
        taken: Taken,
    ) -> Case:  # too small for the recipe's own way, though it can be computed
        return replace(question.case(taken), there_is=0 if whole in taken.learning else 1 << 40)

    tight = measured(small)
    assert tight.taken is not None
    assert tight.step is not None
    assert set(tight.taken.learning) == {whole, anew}
    assert (tight.step.way, tight.step.count) == (anew, 2), "it is timed as it will be proposed"
    runs_out[whole] = 0
    assert found() == (2, {"gradient_checkpointing": True})
    runs_out[anew] = 0
    assert found() == (2, {"precision": "bf16"})
    runs_out[half] = 0
    assert found() == (2, {"precision": "bf16", "gradient_checkpointing": True})
    runs_out[both] = 0
    assert found() == (0, None)


def test_what_computing_anew_costs_is_timed_with_it(
    first: First, tmp_path: Path, runs_out: dict[Way, int]
) -> None:
    shutil.copytree(first.folder / "cache", tmp_path / "cache")
    runs_out[ways(Recipe())[1]] = 1
    told = asked(tmp_path, first.plan)
    assert (told.fits, told.at_once, told.memory.needed, told.memory.fixed) == (
        False,
        1,
        None,
        None,
    )
    change = {"gradient_checkpointing": True, "micro_batch": 1}
    assert told.nearest is not None
    assert (told.nearest.change, told.nearest.basis) == (change, Basis.MEASURED)
    assert told.timed_with == {"gradient_checkpointing": True}
    assert told.seconds is not None
    assert told.nearest.seconds == told.seconds.total
    assert told.untried is None
    assert read_estimate(tmp_path / "place") == told


def test_where_not_one_picture_was_computed_only_arithmetic_is_left(
    first: First, tmp_path: Path, runs_out: dict[Way, int], library: None
) -> None:
    shutil.copytree(first.folder / "cache", tmp_path / "cache")
    told = asked(tmp_path, plan_with(first.plan, batch=3))
    assert (told.fits, told.seconds, told.missing) == (False, None, None)
    assert told.nearest is not None
    change = {"gradient_checkpointing": True, "micro_batch": 1, "quantize": "int8"}
    assert (told.nearest.change, told.nearest.basis) == (change, Basis.LEAST)
    smaller = least_of(Path(first.plan.base), first.plan.recipe).smaller[Quantize.INT8]
    assert smaller < told.nearest.needed < told.memory.least


@pytest.mark.usefixtures("without_library")
def test_where_no_library_packs_it_nothing_is_left_but_the_reason(
    first: First, tmp_path: Path, runs_out: dict[Way, int]
) -> None:
    shutil.copytree(first.folder / "cache", tmp_path / "cache")
    told = asked(tmp_path, first.plan)
    assert (told.nearest, told.missing) == (None, None)
    assert "the package bitsandbytes" in (told.untried or "")


GIB = 1 << 30
LEAST = Least(3 * GIB, GIB, 0, {Quantize.INT8: 2 * GIB, Quantize.NF4: GIB}, widest=GIB // 8)


def weighed_in(gib: float, plan: RunPlan, *more: Way, looking: int = 0) -> Estimate:
    """Of 6 GiB, 2 of them for each picture, in the recipe's own way and in others; evidence: 4, and
    a step of a second, anew of two.
    """
    one, two = (Learning(4 * GIB, each * GIB) for each in (2, 1))
    way = ways(plan.recipe)[0]
    taken = Taken({way: one, **dict.fromkeys(more, two)}, GIB if looking else 4 * GIB, looking, 0)
    step = Step(more[0] if more else way, 1, 1, 7, 1.0 + bool(more), 0.0, 1.0, 0.0)
    found = Probe(taken, step, look=0.5, decoding=0.0, saying=0.0)
    filling = Filling((), (), 0, 0, 0, 0, a_crop=0.0, a_caption=0.0, a_drawing=0.0, most=0)
    timed = Timed(4.0, 2, found, step, filling)
    there = int(gib * MARGIN * GIB) + 9
    return weighed(Question(plan, torch.device("cpu"), there, 1, LEAST), taken, timed)


def test_fewer_bits_are_reckoned_with_where_a_library_packs_them(
    first: First, library: None
) -> None:
    plan = plan_with(first.plan, batch=1, eval_share=0.0)
    told = weighed_in(5.5, plan)
    assert told.nearest is not None
    assert (told.nearest.change, told.nearest.basis) == ({"quantize": "int8"}, Basis.COUNTED)
    assert told.nearest.needed == pytest.approx(5.25 * GIB * MARGIN), "1 less, and one layer whole"
    assert (told.nearest.seconds, told.untried) == (None, None), "nobody timed it"
    assert weighed_in(6, plan).fits
    hopeless = weighed_in(3, plan)
    assert hopeless.nearest is None
    assert hopeless.missing == pytest.approx(1.5 * GIB * MARGIN, abs=99), "6 less 3/4 and 3/4"
    assert "Kept in nf4" in (hopeless.untried or ""), "what cannot be had is not counted"


@pytest.mark.usefixtures("without_library")
def test_without_a_library_it_says_why_fewer_bits_were_not_reckoned_with(first: First) -> None:
    told = weighed_in(5.5, plan_with(first.plan, batch=1, eval_share=0.0))
    assert told.nearest is not None
    assert told.nearest.change == {"rank": 2, "alpha": 2.0}
    assert (told.nearest.basis, told.nearest.seconds) == (Basis.COUNTED, told.seconds.total)
    assert "bitsandbytes" in (told.untried or "")


@pytest.mark.usefixtures("without_library")
def test_a_proposal_is_priced_with_its_own_evidence_where_its_way_was_timed(first: First) -> None:
    plan = plan_with(first.plan, batch=1, eval_share=0.0, eval_noises=2, steps=3)
    anew = ways(plan.recipe)[1]
    told = weighed_in(5, plan, anew)
    assert told.nearest is not None
    assert told.nearest.change == {"gradient_checkpointing": True}
    assert told.untried is None, "no library was asked for"
    assert told.seconds is not None
    assert (told.seconds.steps, told.nearest.seconds) == (6.0, told.seconds.total)
    fewer = weighed_in(6, plan_with(plan, eval_noises=9), looking=GIB // 8)
    assert fewer.nearest is not None
    assert fewer.nearest.change["eval_noises"] == 1
    assert fewer.nearest.seconds is not None
    assert fewer.seconds is not None
    assert fewer.nearest.seconds < fewer.seconds.total, "fewer looks take less time"
    alone = weighed_in(6, plan_with(plan, processes=2, batch=2), anew)
    assert alone.nearest is not None
    assert alone.nearest.change == {"processes": 1, "micro_batch": 1}
    assert alone.nearest.seconds is None, "another number of processes was not timed"
