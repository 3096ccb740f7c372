"""Is a tracker told every step once, and can none of them stop or change a run?

The libraries are other people's, so stand-ins take their place in `sys.modules`; one test takes
the real TensorBoard where it is installed.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from picdeed.diffusion import trackers
from picdeed.diffusion import train as trainer
from picdeed.diffusion.runfolder import STOPPED, UNTRACKED, Log, ask_to_stop, forget_stop, read_log
from picdeed.diffusion.trackers import End
from picdeed.diffusion.train import main, train

WRITER = "torch.utils.tensorboard"


class Writer:
    """What TensorBoard's writer was told, over all writers of a test."""

    def __init__(self, place: str) -> None:
        Path(place).mkdir(exist_ok=True)
        told.places.append(place)

    def add_text(self, tag: str, text: str, _: int) -> None:
        told.texts.append((tag, text))

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        told.scalars.append((step, tag, value))

    def close(self) -> None:
        told.closed += 1


class Client:
    """MLflow's client, as far as we call it."""

    def get_experiment_by_name(self, name: str):
        return SimpleNamespace(experiment_id="7") if name in told.experiments else None

    def create_experiment(self, name: str) -> str:
        told.experiments.append(name)
        return "7"

    def create_run(self, experiment: str, *, run_name: str, tags: dict[str, str]):
        told.runs.append((experiment, run_name, tags))
        return SimpleNamespace(info=SimpleNamespace(run_id=f"run-{len(told.runs)}"))

    def update_run(self, run: str, *, status: str) -> None:
        told.states.append((run, status))

    def set_terminated(self, run: str, *, status: str) -> None:
        told.states.append((run, status))

    def log_batch(self, _: str, *, metrics=(), params=()) -> None:
        told.params += [tuple(param) for param in params]
        told.metrics += [(metric[3], metric[0], metric[1]) for metric in metrics]


told = SimpleNamespace()
untold: list[str] = []


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    told.__dict__.clear()
    names = ("places", "texts", "scalars", "experiments", "runs", "states", "params", "metrics")
    told.__dict__.update({name: [] for name in names}, closed=0)
    writer, mlflow, entities = ModuleType(WRITER), ModuleType("mlflow"), ModuleType("entities")
    writer.SummaryWriter = Writer
    mlflow.MlflowClient = Client
    entities.Param = lambda key, value: (key, value)
    entities.Metric = lambda *told: told
    for name, module in ((WRITER, writer), ("mlflow", mlflow), ("mlflow.entities", entities)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(trackers, "POLL", 0.01)
    monkeypatch.setenv("PICDEED_TRACKERS", "tensorboard, MLflow,tensorboard")
    return told


def logged(folder) -> list[tuple[int, str, float]]:
    return [
        (line["step"], name, line[name]) for line in read_log(folder) for name in ("loss", "lr", "norm")
    ]  # fmt: skip


@pytest.fixture
def plain(a_run, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file's hash of the same four steps without any tracker; trained once."""
    if not untold:
        monkeypatch.delenv("PICDEED_TRACKERS")
        untold.append(train(a_run("plain", steps=4))["adapter_sha256"])
        assert not told.places
        assert not told.runs
        monkeypatch.setenv("PICDEED_TRACKERS", "tensorboard,mlflow")
    return untold[0]


def test_every_step_is_told_once_and_the_bytes_are_those_without(a_run, plain) -> None:
    folder = a_run(steps=4)
    result = train(folder)
    assert sorted(told.scalars) == sorted(told.metrics) == sorted(logged(folder))
    assert len(logged(folder)) == 12
    assert told.places == [str(folder / "tensorboard")]
    texts = dict(told.texts)
    assert (texts["run"], texts["state"], told.closed) == ("run_" + "a" * 64, "succeeded", 1)
    assert '"steps": 4' in texts["recipe"]
    assert told.runs == [("7", "run_" + "a" * 12, {"picdeed.run": "run_" + "a" * 64})]
    assert told.experiments == ["picdeed"]
    assert dict(told.params)["steps"] == "4"
    assert told.states == [("run-1", "FINISHED")]
    assert result["adapter_sha256"] == plain


def test_captions_are_not_told(a_run) -> None:
    train(a_run(steps=1))
    assert "print" not in repr(told)  # "print 3" is how the pictures are captioned


def test_a_run_that_goes_on_tells_no_step_twice_and_none_is_missing(a_run, monkeypatch) -> None:
    folder, taken = a_run(steps=20), trainer.improve

    def stopping(*given, **more):
        steps.append(1)
        if len(steps) in {5, 8}:
            ask_to_stop(folder, "Enough.")
        return taken(*given, **more)

    steps: list[int] = []
    monkeypatch.setattr(trainer, "improve", stopping)
    for expected in (5, 7, 20):  # steps 4 and 6 are taken twice
        assert main([str(folder)]) == (0 if expected == 20 else STOPPED)
        assert [step for step, *_ in told.metrics if step >= expected] == []
        forget_stop(folder)
    assert len(steps) == 22
    assert sorted(told.scalars) == sorted(told.metrics) == sorted(logged(folder))
    assert len(told.runs) == 1
    assert told.states == [
        ("run-1", "KILLED"), ("run-1", "RUNNING"), ("run-1", "KILLED"), ("run-1", "RUNNING"),
        ("run-1", "FINISHED"),
    ]  # fmt: skip
    assert [tag for tag, _ in told.texts].count("recipe") == 1


def test_who_is_asked_for_later_hears_what_came_before(a_run, monkeypatch) -> None:
    folder, taken = a_run(steps=4), trainer.improve

    def third(*given, **more):
        steps.append(1)
        if len(steps) == 3:
            ask_to_stop(folder, "Enough.")
        return taken(*given, **more)

    steps: list[int] = []
    monkeypatch.setattr(trainer, "improve", third)
    monkeypatch.setenv("PICDEED_TRACKERS", "")
    assert main([str(folder)]) == STOPPED
    assert not (folder / "trackers").exists()
    forget_stop(folder)
    monkeypatch.setenv("PICDEED_TRACKERS", "tensorboard")
    train(folder)
    assert sorted(told.scalars) == sorted(logged(folder))
    assert not told.runs


@pytest.mark.parametrize(
    "where",
    [
        ([(Writer, "__init__")], "scalars"),
        ([(Client, "log_batch")], "metrics"),
        ([(Writer, "close"), (Client, "set_terminated")], None),
    ],
    ids=["at its start", "at a step", "at its end"],
)
def test_one_that_breaks_is_said_once_and_the_others_hear_all(
    a_run, plain, monkeypatch, capsys, where
) -> None:
    parts, silent = where

    def broken(*_, **__):
        raise RuntimeError("no route to host")

    for part, method in parts:
        monkeypatch.setattr(part, method, broken)
    folder = a_run(steps=4)
    assert train(folder)["adapter_sha256"] == plain
    said = capsys.readouterr().err.splitlines()
    assert sorted(said) == sorted(
        f"Tracker {'mlflow' if part is Client else 'tensorboard'}: RuntimeError: no route to host. "
        "The run goes on without it."
        for part, _ in parts
    )
    for name in {"scalars", "metrics"} - {silent}:
        assert sorted(getattr(told, name)) == sorted(logged(folder))


def test_a_library_that_is_not_there_is_said_once(a_run, plain, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, WRITER, None)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert train(a_run(steps=4))["adapter_sha256"] == plain
    said = capsys.readouterr().err
    assert said.count("its package is not installed") == 2
    assert "Tracker tensorboard:" in said
    assert "Tracker mlflow:" in said


def test_one_that_hangs_is_left_behind(a_run, plain, monkeypatch, capsys) -> None:
    free = threading.Event()
    monkeypatch.setattr(Writer, "add_scalar", lambda *_: free.wait(60))
    monkeypatch.setattr(trackers, "PATIENCE", 0.05)
    try:
        assert train(a_run(steps=4))["adapter_sha256"] == plain
    finally:
        free.set()
        for thread in threading.enumerate():
            if thread.name.startswith("tracker-"):
                thread.join(30)
    assert "had not heard all" in capsys.readouterr().err


def test_a_name_that_nobody_knows_is_said_and_the_others_are_told(a_run, monkeypatch, capsys):
    monkeypatch.setenv("PICDEED_TRACKERS", "wandb,tensorboard")
    train(a_run(steps=1))
    assert "Tracker wandb: there is no such tracker; known are mlflow, tensorboard" in (
        capsys.readouterr().err
    )
    assert len(told.scalars) == 3


def test_a_run_that_fails_is_told_as_failed(a_run) -> None:
    assert main([str(a_run(steps=12, learning_rate=1e30))]) == 1
    assert told.states == [("run-1", "FAILED")]


def test_what_is_marked_untracked_is_told_to_nobody(a_run) -> None:
    folder = a_run(steps=1)
    (folder / UNTRACKED).touch()
    train(folder)
    assert not told.places
    assert not told.runs


def test_a_line_that_is_not_whole_or_not_a_step_is_passed_over(a_run, tmp_path) -> None:
    follower = trackers._Follower(tmp_path, trainer.read_plan(a_run(steps=1)), "tensorboard")
    (tmp_path / "log.jsonl").write_bytes(
        b'{"step": 0, "loss": 1, "note": "x"}\nnoise\n[1]\n{"loss"'
    )
    follower.start()
    follower.finish(End.INTERRUPTED)
    follower.wait()
    assert told.scalars == [(0, "loss", 1.0)]
    assert dict(told.texts)["state"] == "interrupted"


def test_a_log_that_is_put_in_its_place_while_it_is_read_is_read_anew(a_run, tmp_path) -> None:
    """What the loop does when it goes on from a checkpoint: a shorter file, then more lines."""
    follower = trackers._Follower(tmp_path, trainer.read_plan(a_run(steps=1)), "tensorboard")
    follower._tracker.start("run_1", {})
    log = Log(tmp_path, 0)
    with (tmp_path / "told").open("wb") as mark:
        for step in range(4):
            log.write(step=step, loss=1.0, note="a longer line than those to come" * 9)
        follower._forward(mark.fileno())
        log = Log(tmp_path, 2)
        for step in range(2, 6):
            log.write(step=step, loss=1.0)
        follower._forward(mark.fileno())
    assert told.scalars == [(step, "loss", 1.0) for step in range(6)]
    assert int((tmp_path / "told").read_text()) == 5


def test_the_real_tensorboard_can_be_read_again(a_run, monkeypatch, capsys) -> None:
    """Where it is not installed, that is what is said."""
    monkeypatch.delitem(sys.modules, WRITER)
    monkeypatch.setenv("PICDEED_TRACKERS", "tensorboard")
    folder = a_run(steps=3)
    train(folder)
    if importlib.util.find_spec("tensorboard") is None:
        assert "No module named 'tensorboard'; its package is not" in capsys.readouterr().err
        return
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder / "tensorboard"))
    read.Reload()
    seen = [
        (one.step, tag, one.value) for tag in ("loss", "lr", "norm") for one in read.Scalars(tag)
    ]
    assert sorted(seen) == [
        (step, tag, pytest.approx(v)) for step, tag, v in sorted(logged(folder))
    ]
