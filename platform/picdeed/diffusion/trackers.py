"""Who else is told how a run fares? TensorBoard and MLflow, when `PICDEED_TRACKERS` names them.

A tracker reads `log.jsonl` behind the loop, in a thread of its own: the loop waits for none. One
that is missing, breaks or hangs is said on standard error, once, and the run goes on to the same
bytes. It is told numbers, the run's id and its recipe; never a picture or a caption.

trackers/NAME.told    the last step that was handed over, written before it is: a resumed run hands
                      over what is missing, and no step twice
trackers/mlflow.run   the id under which MLflow knows the run
tensorboard/          event files, for `tensorboard --logdir REGISTRY/runs`
untracked             no tracker is told of this folder (runfolder.py)
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from picdeed.core.settings import Settings
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.runfolder import LOG, UNTRACKED, Stopped

POLL = 1.0  # seconds between two looks at the log
PATIENCE = 30.0  # seconds that the end of a run waits for a tracker to hear all of it
_PLACE = "trackers"
_NOT_NUMBERS = frozenset({"step", "seconds"})


class End(StrEnum):
    """How a run ended, as a tracker is told."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Tracker(Protocol):
    """Somebody who is told. Any error ends the telling and nothing else."""

    def start(self, run: str, recipe: Mapping[str, Any]) -> None:
        """A run (its whole id) begins, or goes on."""

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """What one step (from 0) came to: `loss`, `lr`, `norm`."""

    def end(self, state: End) -> None:
        """The run's process ends. A killed one calls nothing."""


class TensorBoard:
    """Event files in the run's folder, by torch's own writer; needs the package `tensorboard`."""

    def __init__(self, folder: Path) -> None:
        self._place = folder / "tensorboard"
        self._writer: Any = None

    def start(self, run: str, recipe: Mapping[str, Any]) -> None:
        """Open the writer; the recipe is told once, as a text."""
        first = not self._place.is_dir()
        self._writer = import_module("torch.utils.tensorboard").SummaryWriter(str(self._place))
        if first:
            self._writer.add_text("run", run, 0)
            self._writer.add_text("recipe", _indented(recipe), 0)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """One scalar a number."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def end(self, state: End) -> None:
        """Write what is still in memory."""
        self._writer.add_text("state", str(state), 0)
        self._writer.close()


class MLflow:
    """A run of MLflow's where `MLFLOW_TRACKING_URI` says; needs `mlflow` or `mlflow-skinny`.

    The experiment is `MLFLOW_EXPERIMENT_NAME`, else `picdeed`. MLflow's own telemetry stays off
    unless the user turned it on: picdeed sends nothing that nobody asked for.
    """

    def __init__(self, folder: Path) -> None:
        self._known_as = folder / _PLACE / "mlflow.run"
        self._entities: Any = None
        self._client: Any = None
        self._run = ""

    def start(self, run: str, recipe: Mapping[str, Any]) -> None:
        """Make the run and tell its recipe, or go on with the one that was made before."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        self._client = import_module("mlflow").MlflowClient()
        self._entities = import_module("mlflow.entities")
        if self._known_as.is_file():
            self._run = self._known_as.read_text(encoding="utf-8").strip()
            self._client.update_run(self._run, status="RUNNING")
            return
        tags = {"picdeed.run": run}
        made = self._client.create_run(self._experiment(), run_name=run[:16], tags=tags)
        self._run = made.info.run_id
        self._known_as.write_text(self._run, encoding="utf-8")
        params = [self._entities.Param(name, str(value)) for name, value in recipe.items()]
        self._client.log_batch(self._run, params=params)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """All numbers of a step in one request."""
        now = int(time.time() * 1000)
        metric = self._entities.Metric
        told = [metric(name, value, now, step) for name, value in numbers.items()]
        self._client.log_batch(self._run, metrics=told)

    def end(self, state: End) -> None:
        """Close the run under MLflow's word for it."""
        words = {End.SUCCEEDED: "FINISHED", End.FAILED: "FAILED"}
        self._client.set_terminated(self._run, status=words.get(state, "KILLED"))

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "picdeed"
        known = self._client.get_experiment_by_name(name)
        return str(known.experiment_id if known else self._client.create_experiment(name))


KNOWN: Mapping[str, Callable[[Path], Tracker]] = {"tensorboard": TensorBoard, "mlflow": MLflow}


@contextlib.contextmanager
def tracked(folder: Path, plan: RunPlan) -> Iterator[None]:
    """While a run trains, hand its log to the trackers that the user asked for."""
    followers = [_Follower(folder, plan, name) for name in _asked(folder)]
    for follower in followers:
        follower.start()
    state = End.FAILED
    try:
        yield
        state = End.SUCCEEDED
    except Stopped:
        state = End.CANCELLED
        raise
    except KeyboardInterrupt:
        state = End.INTERRUPTED
        raise
    finally:
        for follower in followers:
            follower.finish(state)
        for follower in followers:
            follower.wait()


def _asked(folder: Path) -> list[str]:
    """The trackers to tell, each once; a name that nobody knows is said and passed over."""
    if (folder / UNTRACKED).exists():
        return []
    words = (Settings().trackers or "").lower().split(",")
    named = list(dict.fromkeys(word.strip() for word in words if word.strip()))
    for name in named:
        if name not in KNOWN:
            _say(name, f"there is no such tracker; known are {', '.join(sorted(KNOWN))}")
    return [name for name in named if name in KNOWN]


class _Follower:
    """Reads the log behind the loop, from a thread of its own, and tells one tracker."""

    def __init__(self, folder: Path, plan: RunPlan, name: str) -> None:
        self._thread = threading.Thread(target=self._listen, daemon=True, name=f"tracker-{name}")
        self._tracker = KNOWN[name](folder)
        self._name = name
        self._run = plan.run
        self._recipe = plan.recipe.model_dump(mode="json")
        self._log = folder / LOG
        self._told_file = folder / _PLACE / f"{name}.told"
        self._state = End.FAILED
        self._over = threading.Event()
        self._file, self._at = 0, 0  # the log's inode, and how far it was read
        self._told = -1

    def start(self) -> None:
        """Begin to read; gives back at once."""
        self._thread.start()

    def finish(self, state: End) -> None:
        """Let it read to the end of the log and then say how the run ended."""
        self._state = state
        self._over.set()

    def wait(self) -> None:
        """Wait until it has, but not for ever."""
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            _say(self._name, f"it had not heard all {PATIENCE:g} s after the run was over")

    def _listen(self) -> None:
        try:
            self._follow()
        except ImportError as error:
            _say(self._name, f"{error}; its package is not installed")
        except Exception as error:  # noqa: BLE001 - a foreign library may raise anything
            _say(self._name, f"{type(error).__name__}: {error}")

    def _follow(self) -> None:
        self._told_file.parent.mkdir(exist_ok=True)
        self._told = _number_in(self._told_file)
        self._tracker.start(self._run, self._recipe)
        with self._told_file.open("ab"):  # made when missing
            pass
        with self._told_file.open("r+b", buffering=0) as told:
            while not self._over.wait(POLL):
                self._forward(told.fileno())
            self._forward(told.fileno())
        self._tracker.end(self._state)

    def _forward(self, told: int) -> None:
        """Hand over the steps that are new in the log."""
        for entry in self._new_entries():
            step = entry.get("step")
            if not isinstance(step, int) or step <= self._told:
                continue
            # Before and not after: a kill in between loses a step there instead of doubling it.
            os.pwrite(told, b"%020d" % step, 0)
            self._told = step
            self._tracker.log(step, _numbers(entry))

    def _new_entries(self) -> Iterator[Mapping[str, Any]]:
        try:
            stream = self._log.open("rb")
        except FileNotFoundError:
            return
        with stream:
            # The loop puts another file in its place when it goes on from a checkpoint.
            inode = os.fstat(stream.fileno()).st_ino
            if inode != self._file:
                self._file, self._at = inode, 0
            stream.seek(self._at)
            for line in stream:
                if not line.endswith(b"\n"):
                    return  # the rest is being written
                self._at += len(line)
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if isinstance(entry, dict):
                        yield entry


def _numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in entry.items()
        if name not in _NOT_NUMBERS and isinstance(value, int | float)
    }


def _number_in(path: Path) -> int:
    """The last step that was handed over; -1 before the first."""
    try:
        return int(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return -1


def _indented(recipe: Mapping[str, Any]) -> str:
    """JSON as Markdown shows code."""
    text = json.dumps(recipe, indent=1, sort_keys=True)
    return "".join(f"    {line}\n" for line in text.splitlines())


def _say(name: str, why: str) -> None:
    sys.stderr.write(f"Tracker {name}: {why}. The run goes on without it.\n")
