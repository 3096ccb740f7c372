"""Does a run's plan give the run's adapter again? Trained once more from its first step, compared.

No checkpoint and no cached latent of the run is used, so that these are proven with it. Training is
training: the gate is asked as `runs resume` asks it. Nothing that comes out is recorded.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from picdeed.core.errors import Denied, IntegrityError, RunFailed, UsageError
from picdeed.core.events import Progress, silent
from picdeed.core.ids import sha256_file
from picdeed.diffusion.plan import NOTICES, RunPlan
from picdeed.diffusion.runfolder import LOG, UNTRACKED, Stopped, ask_to_stop, read_json
from picdeed.flow import pipeline
from picdeed.flow.aside import aside
from picdeed.flow.decided import require_open
from picdeed.flow.going import require_live
from picdeed.flow.replanned import replanned
from picdeed.flow.replayed import Replayed, compared
from picdeed.flow.train import Launch
from picdeed.registry import revocations, subjects
from picdeed.registry.decisions import Decision
from picdeed.registry.runs import Adapter, Run, RunState, Standing
from picdeed.registry.session import Registry

KEPT = ("adapter.safetensors", "result.json", LOG)


def replay(
    registry: Registry,
    run: str,
    launch: Launch,
    *,
    keep: Path | None = None,
    progress: Progress = silent,
) -> Replayed:
    """Train a finished run once more, in a folder that is removed after, and compare.

    `keep` is a new folder to leave the rebuilt adapter in. Raises Denied or NeedsReview as the gate
    answers today, or when something was revoked while it trained; UsageError on a run that has no
    result; IntegrityError when plan or adapter are not what was recorded; RunFailed.
    """
    started = time.monotonic()
    with registry.read() as session:
        row = subjects.require(session, Run, run)
    if row.state != RunState.SUCCEEDED:
        raise UsageError(
            f"Run {row.id[:12]} is {row.state}: there is no adapter to compare with yet.",
            hint=f"picdeed runs resume {row.id[:12]}",
            run=row.id,
        )
    _require_free(registry, keep)
    decision = _gated(registry, row, progress)
    recorded = _recorded_adapter(registry, row)
    plan = replanned(registry, row)
    with aside(registry) as place:
        folder = place / row.id
        plan.write(folder)
        (folder / UNTRACKED).touch()
        _train(registry, row, folder, launch, progress)
        _require_rights(registry, row.id, decision)
        done = compared(registry, row, plan, folder, recorded)
        if keep is not None:
            _leave(registry, plan, folder, keep)
            done = replace(done, kept=keep.absolute())
    return replace(done, seconds=round(time.monotonic() - started, 3))


def _require_free(registry: Registry, keep: Path | None) -> None:
    """What is kept lies outside the registry, where nothing of it is taken for recorded."""
    if keep is None:
        return
    if keep.resolve().is_relative_to(registry.root.resolve()):
        raise UsageError(
            f"{keep} lies in the registry, and nothing of a replay is recorded; nothing was "
            "trained.",
            hint="Name a folder elsewhere with --keep DIR.",
        )
    if keep.is_symlink() or (keep.exists() and (not keep.is_dir() or any(keep.iterdir()))):
        raise UsageError(
            f"{keep} holds something already; nothing was trained.",
            hint="Name a new folder with --keep DIR.",
        )


def _gated(registry: Registry, row: Run, progress: Progress) -> str:
    """The open decision of today about what the run was decided for; Denied or NeedsReview."""
    _require_standing(registry, row.id)
    gated = pipeline.judge_today(registry, row.decision_id, progress=progress)
    require_open(gated)
    _require_rights(registry, row.id, gated.decision)
    return gated.decision


def _require_rights(registry: Registry, run: str, decision: str) -> None:
    _require_standing(registry, run)
    with registry.read() as session:
        require_live(session, subjects.require(session, Decision, decision))


def _require_standing(registry: Registry, run: str) -> None:
    refusal = _refusal(registry, run)
    if refusal is not None:
        raise refusal


def _refusal(registry: Registry, run: str) -> Denied | None:
    """What revocations made of a run; None while it stands good."""
    with registry.read() as session:
        row = subjects.require(session, Run, run)
        if row.standing == Standing.GOOD:
            return None
        cause = revocations.touching(session, row.id)
        return Denied(
            f"Run {run[:12]} is {row.standing}: something it learns from was revoked. It is not "
            "trained again, and nothing was kept.",
            hint=f"picdeed lineage {run[:12]} shows what it descends from.",
            decision=row.decision_id,
            revocation=cause.id if cause else None,
            run=run,
        )


def _recorded_adapter(registry: Registry, row: Run) -> Path | None:
    """The adapter's file, checked; None when it is gone, and only its id is left to compare."""
    with registry.read() as session:
        adapter = subjects.require(session, Adapter, row.result["adapter_id"])
    path = registry.root / adapter.path
    if not path.is_file():
        return None
    if sha256_file(path) != adapter.sha256:
        raise IntegrityError(
            f"{path} is not the file that was recorded for {adapter.id[:12]}. Nothing was trained.",
            hint="picdeed audit lists every such file.",
            run=row.id,
        )
    return path


def _train(registry: Registry, row: Run, folder: Path, launch: Launch, progress: Progress) -> None:
    def report(what: str, done: int, total: int) -> None:
        # A revocation stops runs that go on; this one is recorded as finished, so it is asked.
        refusal = _refusal(registry, row.id)
        if refusal is not None:
            ask_to_stop(folder, refusal.message, refusal.revocation)
        progress("replay" if what == "train" else what, done, total)

    try:
        launch(folder, progress=report)
    except Stopped as stop:
        _require_standing(registry, row.id)
        raise RunFailed(stop.message, run=row.id) from stop
    except RunFailed as failure:
        known = read_json(folder / "error.json") or {}
        kind = IntegrityError if known.get("error") == IntegrityError.__name__ else RunFailed
        said = known.get("message") or failure.message
        raise kind(
            f"Run {row.id[:12]} could not be rebuilt: {said}",
            hint=str(known.get("hint") or "picdeed audit says whether everything is still there."),
            run=row.id,
        ) from failure


def _leave(registry: Registry, plan: RunPlan, folder: Path, keep: Path) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, keep / name)
    if plan.notices_sha256 is not None:
        (keep / NOTICES).write_bytes(registry.blobs.read(plan.notices_sha256))
