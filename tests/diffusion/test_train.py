"""Does a run end with the same bytes however often it was killed, and never with a bad adapter?"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from picdeed.core.errors import BusyError, IntegrityError, RunFailed
from picdeed.diffusion import train as trainer
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.plan import read_plan
from picdeed.diffusion.runfolder import (
    STOPPED,
    ask_to_stop,
    forget_stop,
    held,
    read_json,
    read_log,
)
from picdeed.diffusion.train import improve, main, slots_for, train


def adapter_bytes(folder):
    return (folder / "adapter.safetensors").read_bytes()


def subprocess_for(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "picdeed.diffusion.train", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_run_is_repeated_to_the_same_bytes_and_its_seed_matters(a_run):
    results = [train(a_run(name, seed=seed)) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    ids = [result["adapter_id"] for result in results]
    assert ids[0] == ids[1] != ids[2]
    assert results[0]["adapter_sha256"] == results[1]["adapter_sha256"]


def test_killed_at_any_step_and_started_again_it_ends_with_the_same_bytes(a_run):
    whole = a_run("whole", steps=60)
    train(whole)
    folder = a_run("killed", steps=60)
    stop_at = random.Random(os.getpid()).randrange(7, 55)
    process = subprocess_for(folder)
    while len(read_log(folder)) < stop_at:
        assert process.poll() is None, process.stdout.read().decode()
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert not (folder / "result.json").exists()
    assert len(read_log(folder)) < 60
    process = subprocess_for(folder)
    assert process.wait() == 0, process.stdout.read().decode()
    result = read_json(folder / "result.json")
    assert result["resumed_from"] >= stop_at - 6
    assert adapter_bytes(folder) == adapter_bytes(whole)
    assert [entry["step"] for entry in read_log(folder)] == list(range(60))
    assert result["exposure"] == read_json(whole / "result.json")["exposure"]
    assert result["loss"] == read_json(whole / "result.json")["loss"]


@pytest.mark.parametrize("lost", ["result.json", "adapter.safetensors"])
def test_a_kill_between_the_last_step_and_the_result_is_mended(a_run, lost):
    folder = a_run(steps=4)
    before = train(folder), adapter_bytes(folder)
    (folder / lost).unlink()
    (folder / "result.json").unlink(missing_ok=True)
    after = train(folder)
    assert after["resumed_from"] == 4
    assert (after["adapter_id"], adapter_bytes(folder)) == (before[0]["adapter_id"], before[1])


def test_a_finished_run_is_returned_and_not_repeated(a_run):
    folder = a_run(steps=2)
    first = train(folder)
    stamp = (folder / "adapter.safetensors").stat().st_mtime_ns
    assert train(folder) == first
    assert (folder / "adapter.safetensors").stat().st_mtime_ns == stamp


def test_a_finished_run_with_another_adapter_file_is_not_believed(a_run):
    folder = a_run(steps=2)
    train(folder)
    other = a_run("other", steps=3)
    train(other)
    (folder / "adapter.safetensors").write_bytes(adapter_bytes(other))
    with pytest.raises(IntegrityError):
        train(folder)


def test_exposures_are_counted_and_held_out_pictures_are_never_shown(a_run):
    folder = a_run(steps=13, batch=3)
    plan, result = read_plan(folder), train(folder)
    assert sum(result["exposure"].values()) == 13 * 3
    shown = Counter(slot.picture for step in range(13) for slot in slots_for(plan, step, 1000))
    assert Counter(result["exposure"]) == shown
    assert len(result["held_out"]) == 2
    assert not set(result["held_out"]) & set(result["exposure"])


def test_the_result_says_what_the_run_was(a_run):
    folder = a_run(steps=3)
    result = train(folder)
    assert result == read_json(folder / "result.json")
    assert (result["steps"], result["batch"], result["threads"]) == (3, 4, 1)
    assert result["steps_per_second"] > 0
    assert result["loss_reason"] is None
    assert result["loss"]["base"] > 0
    read = load_adapter(folder / "adapter.safetensors")
    assert (read.id, read.sha256) == (result["adapter_id"], result["adapter_sha256"])
    assert read.base_sha256 == read_plan(folder).base_sha256
    assert read_json(folder / "heartbeat")["step"] == 3


def test_with_too_few_pictures_to_hold_out_the_loss_is_null_with_a_reason(
    tiny_base, ink, make_plan, tmp_path
):
    make_plan(tiny_base, ink[:3], steps=2).write(tmp_path / "run")
    result = train(tmp_path / "run")
    assert result["loss"] is None
    assert "Fewer than 2" in result["loss_reason"]


def test_copies_are_shown_as_one_picture_and_counted_so(tiny_base, ink, make_plan, tmp_path):
    knobs = {"steps": 9, "batch": 4, "hold_out": 0.1}
    plain = make_plan(tiny_base, ink, **knobs)
    copies = (tuple(trainee.picture for trainee in plain.members[:3]),)
    results = {}
    for balance in ("cluster", "picture"):
        folder = tmp_path / balance
        told = {"kin": copies, "copies": copies, "balance": balance}
        make_plan(tiny_base, ink, **told, **knobs).write(folder)
        results[balance] = train(folder)
    one, each = results["cluster"], results["picture"]
    assert one["held_out"] == each["held_out"] == [t.picture for t in plain.held_out]
    assert sum(one["exposure"].values()) == sum(each["exposure"].values()) == 36
    together = sum(one["exposure"][name] for name in copies[0])
    assert together in (4, 5)  # 36 over 8 different pictures
    assert all(count in (3, 4) for count in each["exposure"].values())
    assert (one["distinct_pictures"], one["effective_pictures"]) == (8, 8.0)
    assert (each["distinct_pictures"], each["effective_pictures"]) == (8, 6.25)
    assert one["kin_groups"] == each["kin_groups"] == 1
    assert one["adapter_id"] != each["adapter_id"]


def test_of_held_out_copies_one_is_measured(tiny_base, ink, make_plan, tmp_path):
    plan = make_plan(tiny_base, ink, steps=1)
    copy, *others = plan.members
    copies = (tuple(sorted((copy.picture, plan.held_out[0].picture))),)
    sides = {"members": tuple(others), "held_out": (*plan.held_out, copy)}
    plan.model_copy(update={**sides, "kin": copies, "copies": copies}).write(tmp_path / "run")
    result = train(tmp_path / "run")
    assert len(result["held_out"]) == 3
    assert result["loss"]["pictures"] == 2


def test_nothing_but_copies_trains_and_says_why_there_is_no_loss(
    tiny_base, ink, make_plan, tmp_path
):
    copies = (tuple(sorted(t.picture for t in ink)),)
    make_plan(tiny_base, ink, kin=copies, copies=copies, steps=3).write(tmp_path / "run")
    result = train(tmp_path / "run")
    assert (result["loss"], result["held_out"], result["steps"]) == (None, [], 3)
    assert "of 12 pictures 12 are, or may be, 1 picture" in result["loss_reason"]
    assert (result["distinct_pictures"], result["effective_pictures"]) == (1, 1.0)
    assert sorted(result["exposure"].values()) == [1] * 12


def test_pictures_without_caption_train_without_one_and_are_counted(
    tiny_base, ink, make_plan, tmp_path
):
    bare = [trainee.model_copy(update={"caption": " "}) for trainee in ink]
    make_plan(tiny_base, bare, steps=2).write(tmp_path / "run")
    assert train(tmp_path / "run")["without_caption"] == 10


def test_zero_steps_end_with_an_adapter_that_does_nothing(a_run):
    result = train(a_run(steps=0))
    assert result["loss"]["ratio"] == 1
    assert not result["loss"]["learned"]
    assert result["steps_per_second"] == 0


def test_a_loss_that_explodes_fails_the_run_and_leaves_no_adapter(a_run, capsys):
    folder = a_run(steps=12, learning_rate=1e30)
    assert main([str(folder)]) == 1
    error = json.loads((folder / "error.json").read_text())
    assert error["error"] == "RunFailed"
    assert "learning_rate" in error["hint"]
    assert "RunFailed" in capsys.readouterr().err
    assert not (folder / "adapter.safetensors").exists()
    assert not (folder / "result.json").exists()


def test_clipping_bounds_the_gradient_that_the_optimiser_sees():
    parameter = torch.nn.Parameter(torch.zeros(4))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    (parameter * 1000).sum().backward()
    norm = improve(0.0, [parameter], optimizer, rate=1.0, clip=0.5)
    assert norm == 2000
    assert parameter.detach().norm().item() == pytest.approx(0.5, rel=1e-4)


def test_every_step_clips(a_run, tmp_path):
    tight, loose = a_run("tight", steps=1, clip_norm=1e-12), a_run("loose", steps=1)
    assert train(tight)["adapter_id"] != train(loose)["adapter_id"]
    assert read_log(tight)[0]["norm"] == read_log(loose)[0]["norm"] > 1e-12


@pytest.mark.parametrize(
    ("loss", "slope"), [(1.0, float("nan")), (1.0, float("inf")), (float("nan"), 1.0)]
)
def test_a_bad_loss_or_gradient_changes_no_weight(loss, slope):
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), slope)
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    with pytest.raises(RunFailed):
        improve(loss, [parameter], optimizer, rate=1.0, clip=1.0)
    assert parameter.tolist() == [1, 1]


def test_a_folder_in_use_is_left_alone(a_run):
    folder = a_run(steps=1)
    with held(folder):
        with pytest.raises(BusyError):
            train(folder)
        assert main([str(folder)]) == 1
    assert not (folder / "error.json").exists()


def test_another_base_or_picture_than_planned_is_refused(a_run, tmp_path):
    folder = a_run(steps=1)
    plan = read_plan(folder)
    plan.model_copy(update={"base_sha256": "0" * 64}).write(folder)
    with pytest.raises(IntegrityError, match="base"):
        train(folder)
    plan.write(folder)
    Path(plan.members[0].path).write_bytes(b"other")
    assert main([str(folder)]) == 1
    assert read_json(folder / "error.json")["error"] == "IntegrityError"


def test_an_error_is_forgotten_when_the_run_succeeds_after_all(a_run):
    folder = a_run(steps=1)
    (folder / "error.json").write_text("{}")
    train(folder)
    assert not (folder / "error.json").exists()


def test_a_moved_run_continues_from_where_it_was(a_run, tmp_path):
    whole, folder = a_run("whole", steps=6), a_run("part", steps=6)
    train(whole)
    plan = read_plan(folder)
    train(folder)
    for name in ("result.json", "adapter.safetensors", "checkpoint/step-0000006.safetensors"):
        (folder / name).unlink()
    blobs = (tmp_path / "blobs").rename(tmp_path / "elsewhere")
    here = [t.model_copy(update={"path": str(blobs / Path(t.path).name)}) for t in plan.members]
    plan.model_copy(update={"members": tuple(here)}).write(folder)
    assert train(folder)["resumed_from"] == 5
    assert adapter_bytes(folder) == adapter_bytes(whole)


@pytest.mark.gpu
def test_the_same_code_trains_on_cuda(a_run):
    result = train(a_run(steps=5))
    assert result["device"] == "cuda"
    assert result["loss"]["adapter"] > 0


def test_a_trainer_that_is_asked_to_stop_ends_before_its_next_step(a_run, monkeypatch):
    folder = a_run("asked", steps=6)
    taken = trainer.improve  # really taken: only watched

    def third(*given, **more):
        if third.steps == 2:
            ask_to_stop(folder, "Taken back.", "rev_1")
        third.steps += 1
        return taken(*given, **more)

    third.steps = 0
    monkeypatch.setattr(trainer, "improve", third)
    assert trainer.main([str(folder)]) == STOPPED
    assert third.steps == 3
    assert not (folder / "adapter.safetensors").exists()
    assert not (folder / "result.json").exists()
    error = read_json(folder / "error.json")
    assert (error["error"], error["message"]) == ("Stopped", "Taken back.")
    # Nobody took the wish back: not one more step.
    assert (trainer.main([str(folder)]), third.steps) == (STOPPED, 3)

    forget_stop(folder)
    assert trainer.main([str(folder)]) == 0
    again = a_run("whole", steps=6)
    assert trainer.main([str(again)]) == 0
    whole, parts = (f / "adapter.safetensors" for f in (again, folder))
    assert whole.read_bytes() == parts.read_bytes()


def test_what_a_kill_left_beside_a_finished_run_is_removed(a_finished_run, tmp_path):
    folder = Path(shutil.copytree(a_finished_run, tmp_path / "run"))
    (folder / ".heartbeat.part").write_text("{")
    train(folder)
    assert not list(folder.rglob(".*.part"))
