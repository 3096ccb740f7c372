"""How does a run tell the outside how it fares, and survive being killed at any instant?

plan.json       what will be trained, written before the start (plan.py)
NOTICES.txt     who is to be named; plan.json fixes its hash
lock            held while a process trains here; the kernel frees it however that process dies
heartbeat       JSON {pid, step, at}, rewritten every two seconds
log.jsonl       one JSON object a line
untracked       no tracker is told of this folder (trackers.py): a replay is nobody's news
checkpoint/     the newest two states, one safetensors file each (checkpoint.py)
adapter.safetensors, result.json     the end; result.json is written last
stop.json       {why, revocation}: the trainer ends before its next step (exit status STOPPED)
error.json      the end that went wrong, or that was asked for
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from picdeed.core.errors import BusyError, RunFailed

HEARTBEAT_SECONDS = 2.0
STOPPED = 20  # the trainer's exit status when it was asked to stop
NO_ROOM = 21  # and when the disk took nothing more, its own words about that perhaps included
LOG = "log.jsonl"
UNTRACKED = "untracked"
_STOP = "stop.json"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Stopped(RunFailed):
    """A fine-tune that ended because somebody asked it to. `revocation` is why, when one is."""


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a kill, sees all of it or none.

    Raises OSError where it cannot be written, on a full disk say; what was there before stays, and
    the half that was written takes no room.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno is not None and error.filename is None:
            error.filename = str(path)  # a write does not know where it goes
        raise


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object so that a reader, or a kill, sees all of it or none."""
    write_bytes(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file, or None when there is no such file or it holds something else."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def leave_error(folder: Path, error: BaseException) -> int:
    """Write `error.json` and a line on standard error, as far as the disk still takes them; gives
    the exit status to end with.
    """
    status = STOPPED if isinstance(error, Stopped) else 1
    message, hint = str(error) or type(error).__name__, getattr(error, "hint", "")
    if isinstance(error, OSError) and error.errno in _FULL:
        status = NO_ROOM
        where = f" to write {error.filename}" if error.filename else ""
        message = (
            f"There was no room{where} ({error.strerror}). No adapter was written; what was saved "
            "before stays good."
        )
        hint = "Make room, then picdeed runs resume RUN goes on from it."
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{type(error).__name__}: {message}\n")
        sys.stderr.flush()
    if folder.is_dir():
        said = {"error": type(error).__name__, "message": message, "hint": hint}
        with contextlib.suppress(OSError):
            write_json(folder / "error.json", said)
    return status


def is_running(folder: Path) -> bool:
    """Whether a live process trains in this folder now. Needs no heartbeat and no pid."""
    try:
        with held(folder):
            return False
    except (BusyError, FileNotFoundError):
        return folder.is_dir()


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder; raises BusyError when another process does."""
    with (folder / "lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"A process already trains in {folder}. Nothing was changed.",
                hint="picdeed runs list shows how far it is.",
            ) from error
        yield


def ask_to_stop(folder: Path, why: str, revocation: str | None = None) -> None:
    """Ask whoever trains in this folder to end before the next step; the last word counts."""
    write_json(folder / _STOP, {"why": why, "revocation": revocation})


def forget_stop(folder: Path) -> None:
    """Let the next trainer begin; nothing to forget is no error."""
    (folder / _STOP).unlink(missing_ok=True)


def raise_if_asked_to_stop(folder: Path) -> None:
    """Raises Stopped when somebody asked. Called before every step, so it costs one lookup."""
    if not (folder / _STOP).exists():
        return
    asked = read_json(folder / _STOP) or {}
    raise Stopped(
        str(asked.get("why") or "Somebody asked it to stop."),
        revocation=asked.get("revocation"),
        run=folder.name,
    )


class Heartbeat:
    """Rewrites `heartbeat` from a thread of its own: one step of a large base takes minutes.

    With `parent`, the process ends as soon as that process is no longer its parent: a run in
    the foreground does not outlive its command.
    """

    def __init__(self, folder: Path, parent: int | None = None) -> None:
        self.step = 0
        self._folder = folder
        self._parent = parent
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")

    def __enter__(self) -> Self:
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._write()

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            if self._parent is not None and os.getppid() != self._parent:
                os._exit(130)
            self._write()

    def _write(self) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        told = {"pid": os.getpid(), "step": self.step, "at": now}
        with contextlib.suppress(OSError):  # a full disk: what the run itself writes will say so
            write_json(self._folder / "heartbeat", told)


class Log:
    """`log.jsonl`: what happened, one JSON object a line, flushed line by line.

    Opening it at a step drops what an interrupted process logged from that step on, so that a
    resumed run holds every step once; a line that a kill cut off is dropped too.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / LOG
        kept = [line for line in read_log(folder) if line.get("step", 0) < step]
        write_bytes(self._path, b"".join(_line(entry) for entry in kept))
        self._started = time.monotonic()

    def write(self, **entry: Any) -> None:
        """Append one entry; `seconds` since this process began is added."""
        seconds = round(time.monotonic() - self._started, 3)
        with self._path.open("ab") as stream:
            stream.write(_line({**entry, "seconds": seconds}))


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The entries of `log.jsonl`, without a last line that was cut off."""
    try:
        lines = (folder / LOG).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        with contextlib.suppress(ValueError):
            entries.append(json.loads(line))
    return [entry for entry in entries if isinstance(entry, dict)]


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True).encode() + b"\n"
