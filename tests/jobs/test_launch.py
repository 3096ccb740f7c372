from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from picdeed.core.errors import RunFailed
from picdeed.diffusion.recipe import load_recipe
from picdeed.diffusion.runfolder import is_running
from picdeed.flow import pipeline
from picdeed.jobs import launch, watch
from picdeed.registry.session import Registry
from picdeed.testing import tiny_pictures, tiny_registry

ROOT = Path(__file__).parents[2]
QUICK = ("batch=2", "rank=2", "warmup_steps=0", "eval_noises=1")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    place = tmp_path_factory.mktemp("jobs")
    registry = tiny_registry(place / "registry")
    pipeline.register(registry, tiny_pictures(place / "pictures", 6), "drawings")
    return registry


def prepare(registry: Registry, *changes: str) -> str:
    """A run that is recorded and not started."""
    snapshot = pipeline.freeze(registry, "drawings").snapshot
    recipe = load_recipe("demo", [*QUICK, *changes])
    return pipeline.fine_tune(registry, snapshot, "sprig", recipe, None).run


def until(condition, seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


def test_a_killed_run_goes_on_from_its_checkpoint(registry: Registry) -> None:
    run = prepare(registry, "steps=80", "learning_rate=1e-4")  # 8 steps a checkpoint
    folder = registry.root / "runs" / run
    command = [sys.executable, "-m", "picdeed", "runs", "resume", run, "--registry",
               str(registry.root)]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    until(lambda: watch.one_run(registry, run).step >= 18)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: not is_running(folder))  # the trainer does not outlive its command
    assert watch.one_run(registry, run).state == "interrupted"

    done = pipeline.resume(registry, run, launch.foreground)
    assert (done.run, done.state) == (run, "succeeded")
    assert done.resumed_from >= 16
    again = pipeline.resume(registry, run, launch.foreground)
    assert again.adapter == done.adapter
    steps = [row["step"] for row in watch.log_of(registry, run) if "loss" in row]
    assert steps == list(range(80))


def test_a_background_run_ends_by_itself(registry: Registry) -> None:
    run = prepare(registry, "steps=2", "learning_rate=2e-4")
    launch.background(registry.root, run)
    until(lambda: watch.one_run(registry, run).state == "succeeded")
    view = watch.one_run(registry, run)
    assert (view.step, view.steps, view.error) == (2, 2, None)


def test_why_a_run_failed_reaches_the_user(registry: Registry) -> None:
    run = prepare(registry, "steps=2", "learning_rate=3e-4")
    with registry.read() as session:
        from picdeed.registry import snapshots, subjects
        from picdeed.registry.runs import Run

        row = subjects.require(session, Run, run)
        member = snapshots.members(session, row.snapshot_id)[0].picture_id
    blob = registry.blobs.path(member.removeprefix("img_"))
    good = blob.read_bytes()
    try:
        blob.chmod(0o644)
        blob.write_bytes(b"rotten")
        cache = registry.cache / "latents"
        if cache.exists():
            import shutil

            shutil.rmtree(cache)
        with pytest.raises(RunFailed) as failed:
            pipeline.resume(registry, run, launch.foreground)
    finally:
        blob.write_bytes(good)
    assert failed.value.run == run
    assert member[:12] in failed.value.message or "rotten" not in failed.value.message
    assert watch.one_run(registry, run).state == "failed"
    error = json.loads((registry.root / "runs" / run / "error.json").read_text())
    assert error["message"]
