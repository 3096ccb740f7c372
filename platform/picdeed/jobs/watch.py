"""How far is each run? The recorded state beside what its folder says now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picdeed.core.errors import UsageError
from picdeed.diffusion.runfolder import is_running, read_json, read_log
from picdeed.registry import runs, subjects
from picdeed.registry.runs import Run, RunState
from picdeed.registry.session import Registry


@dataclass(frozen=True, slots=True)
class RunView:
    """One run as lists show it. `step` is the last one that its process told."""

    id: str
    state: str
    standing: str
    step: int
    steps: int
    snapshot: str
    started_at: str
    error: str | None


def all_runs(registry: Registry) -> tuple[RunView, ...]:
    """Every run, newest first."""
    with registry.read() as session:
        return tuple(_view(registry, row) for row in runs.all_runs(session))


def one_run(registry: Registry, run: str) -> RunView:
    """One run by id or unique prefix; raises UnknownSubject."""
    with registry.read() as session:
        return _view(registry, subjects.require(session, Run, run))


def log_of(registry: Registry, run: str) -> list[dict[str, Any]]:
    """The run's log so far: step, loss, learning rate, seconds."""
    return read_log(folder_of(registry, run))


def folder_of(registry: Registry, run: str) -> Path:
    """The run's folder; raises UsageError when it is gone."""
    with registry.read() as session:
        folder = registry.root / subjects.require(session, Run, run).folder
    if not folder.is_dir():
        raise UsageError(f"The folder of run {run[:12]} does not exist: {folder}.")
    return folder


def _view(registry: Registry, row: Run) -> RunView:
    folder = registry.root / row.folder
    beat = read_json(folder / "heartbeat") or {}
    step = row.steps if row.state == RunState.SUCCEEDED else int(beat.get("step", 0))
    state = row.state
    if state in (RunState.RUNNING, RunState.QUEUED) and beat and not is_running(folder):
        # Nobody was left to record it: the process was killed, or the machine went down.
        state = RunState.INTERRUPTED
    return RunView(
        row.id,
        str(state),
        row.standing,
        step,
        row.steps,
        row.snapshot_id,
        row.started_at,
        row.error,
    )
