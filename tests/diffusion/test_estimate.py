"""Does the probe say what a run costs, keep what it read, and leave nothing else?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from estimating import First, asked, plan_with

from picdeed.core.errors import RunFailed
from picdeed.diffusion.estimate import (
    Question,
    evidence_of,
    main,
    step_of,
)
from picdeed.diffusion.estimated import FILE, Fitting, read_estimate
from picdeed.diffusion.filling import Filling
from picdeed.diffusion.fit import MARGIN, Basis, Way
from picdeed.diffusion.models import check_base
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.presets import recipe_on
from picdeed.diffusion.probe import TIMED, Probe, Step
from picdeed.diffusion.recipe import Precision
from picdeed.diffusion.room import Least, least_of
from picdeed.diffusion.runfolder import held
from picdeed.diffusion.train import train
from picdeed.diffusion.workload import Workload
from picdeed.testing import tiny_model


def test_it_says_time_and_memory_and_leaves_only_what_it_read(first: First) -> None:
    told, plan, folder = first.told, first.plan, first.folder
    assert (told.steps, told.batch, told.at_once, told.device) == (3, 2, 2, "cpu")
    assert (told.pictures, told.held_out) == (len(plan.members), len(plan.held_out))
    assert told.to_encode == told.to_embed == 12 - 4
    assert {path.name for path in (folder / "place").iterdir()} == {
        "plan.json", "lock", "heartbeat", FILE,
    }  # fmt: skip
    assert len(list((folder / "cache" / "latents").iterdir())) == 4

    seconds, memory = told.seconds, told.memory
    assert seconds is not None
    assert seconds.timed == TIMED
    assert seconds.steps == pytest.approx(3 * seconds.a_step)
    assert min(seconds.starting, seconds.caching, seconds.evidence, seconds.a_step_cpu) > 0
    assert seconds.total >= seconds.steps + seconds.evidence
    assert told.fits
    assert told.nearest is told.missing is None
    assert memory.least < memory.fixed < memory.needed < memory.there_is
    fullest = max(
        memory.fixed + 2 * memory.a_picture, memory.resting + 16 * memory.a_look, memory.beside
    )
    assert memory.needed == pytest.approx(MARGIN * fullest, rel=1e-6)


def test_what_was_read_is_what_the_run_would_have_read(first: First, tmp_path: Path) -> None:
    first.plan.model_copy(update={"cache": str(tmp_path / "cache")}).write(tmp_path / "run")
    train(tmp_path / "run")
    mine = first.folder / "cache"
    files = [path.relative_to(mine) for path in mine.rglob("*.safetensors")]
    assert len(files) == 4 + 5  # pictures, and captions with the empty one
    for name in files:
        assert (mine / name).read_bytes() == (tmp_path / "cache" / name).read_bytes()


def test_an_estimate_survives_its_file(first: First, tmp_path: Path) -> None:
    assert read_estimate(first.folder / "place") == first.told
    bare = replace(
        first.told, seconds=None, nearest=Fitting({"rank": 2}, 5, Basis.LEAST, None), missing=7
    )
    bare.write(tmp_path)
    assert read_estimate(tmp_path) == bare
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(RunFailed):
        read_estimate(tmp_path)


def test_a_preset_is_measured_on_a_base_of_its_family(
    plan_on_ink: Callable[..., RunPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where a step takes longer than there is patience for, fewer are made."""
    monkeypatch.setattr("picdeed.diffusion.probe.PATIENCE", 0.0)
    folder = tiny_model(tmp_path / "base", family="flux")
    recipe = recipe_on(folder, "low-memory")
    plan, base = plan_on_ink(tmp_path / "blobs"), check_base(folder).sha256
    told = asked(tmp_path, plan, recipe=recipe, base=str(folder), base_sha256=base)
    assert told.fits
    assert (told.at_once, told.batch) == (1, 4)
    assert told.steps == recipe.steps
    assert told.seconds is not None
    assert told.seconds.timed == 2
    assert told.memory.a_look is not None


@pytest.mark.usefixtures("without_library")
def test_what_encoders_read_and_the_base_draws_is_in_the_numbers(
    plan_on_ink: Callable[..., RunPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("picdeed.diffusion.prior.STEPS", 2)
    folder = tiny_model(tmp_path / "base", family="sd3")
    knobs = {"text_rank": 2, "prior": ("a disc",), "prior_pictures": 5, "targets": ("to_q",)}
    plan = plan_on_ink(tmp_path / "blobs", **knobs, batch=2, steps=3, samples=1)
    plan = plan.model_copy(update={"base": str(folder), "base_sha256": check_base(folder).sha256})
    hopeless = asked(tmp_path, plan, room=least_of(folder, plan.recipe).total - 1)
    assert (hopeless.to_encode, hopeless.to_embed, hopeless.to_draw) == (12, 0, 5)
    assert hopeless.nearest is not None
    assert hopeless.nearest.change == {"rank": 2, "alpha": 2.0, "text_rank": 1}
    told = asked(tmp_path, plan)
    assert (told.to_encode, told.to_embed, told.to_draw, told.at_once) == (8, 0, 3, 2)
    again = asked(tmp_path, plan)
    assert (again.to_encode, again.to_draw) == (4, 1), "what was read and drawn stays"
    assert told.seconds is not None


def test_each_part_of_the_evidence_has_its_price() -> None:
    load = Workload(steps=1, looks=2, passes=3, decoded=4, encoded=5, said=6)
    found = Probe(None, None, look=1.0, decoding=10.0, saying=1000.0)
    filling = Filling((), (), 0, 0, 0, 0, a_crop=100.0, a_caption=0.0, a_drawing=9e9, most=0)
    assert evidence_of(load, found, filling) == 5 + 40 + 500 + 6000


def test_a_step_is_as_long_as_its_rows(first: First) -> None:
    """Six of them, of which two were timed one by one, and once the weights are moved."""
    plan = plan_with(first.plan, batch=3, micro_batch=1, prior=("a disc",))
    asked_for = Question(plan, torch.device("cuda"), 0, 1, Least(0, 0, 0))
    step = Step(
        Way(Precision.FP32, anew=False),
        1,
        2,
        7,
        computing=2.0,
        moving=0.5,
        cpu_computing=4.0,
        cpu_moving=1.0,
    )
    assert step_of(asked_for, step) == (6.5, 13.0)
    two = plan_with(plan, processes=2)
    assert step_of(replace(asked_for, plan=two), step) == (3.5, 14.0)


@pytest.mark.usefixtures("without_library")
def test_a_run_that_does_not_fit_is_told_the_nearest_that_does(
    first: First, tmp_path: Path
) -> None:
    memory = first.told.memory
    hopeless = asked(tmp_path, first.plan, room=memory.least - 1)
    assert (hopeless.fits, hopeless.seconds, hopeless.memory.needed) == (False, None, None)
    assert hopeless.nearest is not None
    assert hopeless.nearest.change == {"rank": 2, "alpha": 2.0}, "as strong as it was"
    assert hopeless.nearest.needed < memory.least
    assert (hopeless.nearest.basis, hopeless.nearest.seconds) == (Basis.LEAST, None)
    assert "bitsandbytes" in (hopeless.untried or ""), "in fewer bits the adapter were as wide"
    assert not (tmp_path / "cache").exists(), "nothing was loaded or read"
    smallest = least_of(Path(first.plan.base), first.plan.recipe).smallest
    assert asked(tmp_path, first.plan, room=1000).missing == smallest - 1000
    shutil.copytree(first.folder / "cache", tmp_path / "cache")
    assert memory.fixed is not None
    tight = asked(tmp_path, first.plan, room=memory.fixed // 2)
    assert tight.to_encode == tight.to_embed == 4, "those that are there are not read again"
    assert not tight.fits
    assert tight.seconds is not None
    assert tight.nearest is None
    assert tight.missing is not None
    assert tight.missing > memory.fixed // 4, "so much that Python and torch alone take"


@pytest.mark.parametrize(
    ("knobs", "named"),
    [({"targets": ("add_q_proj",)}, "add_q_proj"), ({"optimizer": "prodigy"}, "prodigyopt")],
)
def test_what_a_run_would_be_refused_for_ends_the_probe(knobs, named, plan_on_ink, tmp_path):
    plan_on_ink(tmp_path / "blobs", **knobs).write(tmp_path / "place")
    assert main([str(tmp_path / "place")]) == 1
    told = json.loads((tmp_path / "place" / "error.json").read_text())
    assert told["error"] == "UsageError"
    assert named in told["message"]
    with pytest.raises(RunFailed, match="no estimate"):
        read_estimate(tmp_path / "place")


def test_a_best_checkpoint_that_nobody_can_judge_is_refused_at_once(
    plan_on_ink: Callable[..., RunPlan], tmp_path: Path
) -> None:
    plan = plan_on_ink(tmp_path / "blobs", keep="best")
    nobody = plan.model_copy(update={"held_out": (), "members": plan.members[:3]})
    with pytest.raises(RunFailed, match="keep = 'best'"):
        asked(tmp_path, nobody)
    assert not (tmp_path / "cache").exists()


def test_two_probes_of_one_folder_are_one_too_many(plan_on_ink, tmp_path, capsys):
    plan_on_ink(tmp_path / "blobs").write(tmp_path / "place")
    with held(tmp_path / "place"):
        assert main([str(tmp_path / "place")]) == 1
    assert "BusyError" in capsys.readouterr().err
    assert not (tmp_path / "place" / "error.json").exists()
