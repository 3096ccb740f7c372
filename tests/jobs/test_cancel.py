"""Does a run end at its next step when it is cancelled or revoked, and is nothing good recorded?"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from picdeed.core.errors import Denied, RunFailed, UnknownSubject
from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.revoke import Ground
from picdeed.jobs import launch, watch
from picdeed.jobs.cancel import cancel
from picdeed.registry import runs, snapshots, subjects
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, open_registry
from picdeed.testing import tiny_pictures, tiny_registry

ROOT = Path(__file__).parents[2]
QUICK = ("batch=2", "rank=2", "warmup_steps=0", "eval_noises=1")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = tiny_registry(tmp_path / "registry")
    pipeline.register(registry, tiny_pictures(tmp_path / "pictures", 6), "drawings")
    return registry


def prepare(registry: Registry, *changes: str) -> str:
    snapshot = pipeline.freeze(registry, "drawings").snapshot
    return pipeline.fine_tune(
        registry, snapshot, "sprig", load_recipe("demo", [*QUICK, *changes]), None
    ).run


def member(registry: Registry, run: str) -> str:
    with registry.read() as session:
        row = subjects.require(session, Run, run)
        return snapshots.members(session, row.snapshot_id)[0].picture_id


def adapters(registry: Registry) -> list[str]:
    with registry.read() as session:
        return [row.id for row in runs.all_adapters(session)]


def until(condition, seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)


def meanwhile(registry: Registry, run: str, work) -> threading.Thread:
    """Do `work` from elsewhere once the run has taken a few steps."""

    def wait() -> None:
        until(lambda: watch.one_run(registry, run).step >= 3)
        work()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_revocation_stops_a_run_that_goes_on(registry: Registry) -> None:
    run = prepare(registry, "steps=100000")
    target, found = member(registry, run), []

    def revoke() -> None:
        other = open_registry(registry.root)
        found.append(pipeline.withdraw(other, target, Ground.OPT_OUT))

    thread = meanwhile(registry, run, revoke)
    with pytest.raises(Denied, match="was stopped") as refused:
        pipeline.resume(registry, run, launch.foreground)
    thread.join()
    assert refused.value.revocation == found[0].revocation
    assert refused.value.run == run
    shown = pipeline.show(registry, run)
    assert (shown.state, shown.adapter) == ("cancelled", None)
    assert "opt-out" in shown.error
    assert adapters(registry) == []
    with pytest.raises(Denied):  # and it does not begin again
        pipeline.resume(registry, run, launch.foreground)
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok


def test_a_cancelled_run_goes_on_where_it_was(registry: Registry) -> None:
    run = prepare(registry, "steps=60")  # 6 steps a checkpoint
    command = [sys.executable, "-m", "picdeed", "runs", "resume", run, "--registry",
               str(registry.root), "--json"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    until(lambda: watch.one_run(registry, run).step >= 13)
    assert cancel(registry, run[:16]).state == "cancelled"
    assert process.wait() == 1
    assert watch.one_run(registry, run).state == "cancelled"
    assert cancel(registry, run).state == "cancelled"
    done = pipeline.resume(registry, run, launch.foreground)
    assert done.state == "succeeded"
    assert done.resumed_from >= 12
    assert cancel(registry, run).state == "succeeded"


def test_a_run_that_never_began_is_cancelled_at_once(registry: Registry) -> None:
    run = prepare(registry, "steps=2")
    assert cancel(registry, run).state == "cancelled"
    assert pipeline.show(registry, run).error == "A person cancelled it."
    with pytest.raises(UnknownSubject):
        cancel(registry, "run_ffff")


def test_an_adapter_that_is_ready_too_late_is_not_recorded(registry: Registry) -> None:
    """The last step was taken, the revocation came before the success was recorded."""
    run = prepare(registry, "steps=2")
    target = member(registry, run)

    def then_revoked(folder: Path, **more) -> None:
        launch.foreground(folder, **more)
        pipeline.withdraw(registry, target, Ground.TAKEDOWN)

    with pytest.raises(Denied, match="was not recorded") as refused:
        pipeline.resume(registry, run, then_revoked)
    assert refused.value.revocation is not None
    assert adapters(registry) == []
    assert pipeline.show(registry, run).state == "cancelled"


def test_a_revoked_base_trains_nothing(registry: Registry) -> None:
    run = prepare(registry, "steps=2")
    done = pipeline.withdraw(registry, "sprig", Ground.TAKEDOWN)
    with pytest.raises(Denied) as refused:
        pipeline.resume(registry, run, launch.foreground)
    assert refused.value.revocation == done.revocation
    with pytest.raises(Denied, match="Base") as refused:
        prepare(registry, "steps=3")
    assert refused.value.revocation == done.revocation


def test_a_run_that_fails_is_not_called_cancelled(registry: Registry) -> None:
    run = prepare(registry, "steps=4", "learning_rate=1e30", "clip_norm=1e30")
    with pytest.raises(RunFailed, match="finite"):
        pipeline.resume(registry, run, launch.foreground)
    assert pipeline.show(registry, run).state == "failed"
