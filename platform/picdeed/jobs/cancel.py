"""How does a person end a run? The wish is a file; whoever trains ends before its next step."""

from __future__ import annotations

import time
from dataclasses import dataclass

from picdeed.diffusion.runfolder import ask_to_stop, is_running
from picdeed.flow.train import cancelled
from picdeed.jobs.launch import POLL
from picdeed.registry import subjects
from picdeed.registry.runs import Run, RunState
from picdeed.registry.session import Registry

PATIENCE = 20.0  # seconds; one step of a large base takes longer, then the state says "stopping"
WHY = "A person cancelled it."
_OVER = (RunState.SUCCEEDED, RunState.CANCELLED, RunState.FAILED)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """`state` is `cancelled`, `stopping` while its step lasts, or what had ended it before."""

    run: str
    state: str


def cancel(registry: Registry, run: str, *, patience: float = PATIENCE) -> Cancelled:
    """End a run that is queued or going on; one that is over stays as it is.

    `runs resume` goes on from its last checkpoint. Raises UnknownSubject.
    """
    with registry.read() as session:
        row = subjects.require(session, Run, run)
    if row.state in _OVER:
        return Cancelled(row.id, row.state)
    folder = registry.root / row.folder
    if folder.is_dir():
        ask_to_stop(folder, WHY)
    until = time.monotonic() + patience
    while is_running(folder):
        if time.monotonic() > until:
            return Cancelled(row.id, "stopping")
        time.sleep(POLL)
    return Cancelled(row.id, _recorded(registry, row.id))


def _recorded(registry: Registry, run: str) -> str:
    """The state that the run's own command recorded, or that we record where there is none."""
    for _ in range(8):  # its command looks every POLL seconds
        with registry.read() as session:
            state = subjects.require(session, Run, run).state
        if state in _OVER:
            return state
        time.sleep(POLL)
    cancelled(registry, run, WHY)
    return str(RunState.CANCELLED)
