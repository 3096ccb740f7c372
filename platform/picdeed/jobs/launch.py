"""How is a run folder trained, or measured? One subprocess with a heartbeat, no queue yet."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from picdeed.core.errors import BusyError, RunFailed
from picdeed.core.events import Progress, silent
from picdeed.diffusion.runfolder import (
    NO_ROOM,
    STOPPED,
    is_running,
    raise_if_asked_to_stop,
    read_json,
)

POLL = 0.25
PROBE_STEPS = 10


def foreground(folder: Path, *, progress: Progress = silent) -> None:
    """Train in the command's own process group and wait; RunFailed says why it ended, Stopped
    that somebody asked for it.

    Raises BusyError while another living process trains the same folder.
    """
    if is_running(folder):
        raise BusyError(
            f"Run {folder.name[:12]} is being trained by another process; nothing was started.",
            hint=f"picdeed runs show {folder.name[:12]} --json",
        )
    code = _watched("picdeed.diffusion.train", folder, progress, "train", _steps(folder))
    if code == STOPPED:
        raise_if_asked_to_stop(folder)
    if code != 0:
        goes_on = f"picdeed runs resume {folder.name[:12]} goes on from its last checkpoint."
        raise RunFailed(
            f"Run {folder.name[:12]} ended without an adapter: {_why(folder, code)}",
            hint=str((read_json(folder / "error.json") or {}).get("hint") or goes_on),
            run=folder.name,
        )


def probing(folder: Path, *, progress: Progress = silent) -> None:
    """Measure what the plan in a folder costs, in the command's own process group, and wait.

    Raises RunFailed that says why nothing was measured.
    """
    code = _watched("picdeed.diffusion.estimate", folder, progress, "probe", PROBE_STEPS)
    if code < 0:
        raise RunFailed(
            f"The probe was {_why(folder, code)} A system that has no memory left does that.",
            hint="Free some memory, or --set micro_batch=1; nothing was trained.",
        )
    if code != 0:
        raise RunFailed(f"Nothing was measured: {_why(folder, code)}")


def _watched(module: str, folder: Path, progress: Progress, what: str, steps: int) -> int:
    """Run a module on a folder to its end; gives its exit status."""
    # `--parent` ends the process when this command is killed: what runs in the foreground must not
    # outlive it unseen.
    command = [sys.executable, "-m", module, str(folder), "--parent", str(os.getpid())]
    with (folder / "stderr.log").open("ab") as stderr:
        process = subprocess.Popen(command, stdout=stderr, stderr=stderr, env=_environment())
    try:
        while process.poll() is None:
            _tell(folder, progress, what, steps)
            time.sleep(POLL)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    _tell(folder, progress, what, steps)
    return process.returncode


def background(registry: Path, run: str) -> None:
    """Start one process, in a session of its own, that takes the run to its end."""
    command = [
        sys.executable, "-m", "picdeed", "runs", "resume", run, "--registry", str(registry),
    ]  # fmt: skip
    log = registry / "runs" / run / "background.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env=_environment(),
        )


def _tell(folder: Path, progress: Progress, what: str, steps: int) -> None:
    beat = read_json(folder / "heartbeat")
    if beat is not None:
        progress(what, int(beat["step"]), steps)


def _steps(folder: Path) -> int:
    plan = read_json(folder / "plan.json") or {}
    return int(plan.get("recipe", {}).get("steps", 0))


def _why(folder: Path, code: int) -> str:
    known = read_json(folder / "error.json")
    if known is not None:
        return str(known["message"])
    if code == NO_ROOM:
        return "the disk is full. What was saved before stays good: make room first."
    if code < 0:
        return f"killed by signal {-code}."
    tail = (folder / "stderr.log").read_text(errors="replace").strip().splitlines()
    return tail[-1][:300] if tail else f"exit code {code}."


def _environment() -> dict[str, str]:
    """The training process finds the same picdeed that started it."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in (root, path) if part)}
