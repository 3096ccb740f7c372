"""How does a snapshot become an adapter? A run folder, one process that reads it, one result.

The process that trains knows no registry: it reads `plan.json` and writes into its folder, so
it can be killed at any instant and started again. `train` prepares, starts, and records.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from picdeed.core.errors import Denied, NeedsReview, PicdeedError, RunFailed
from picdeed.core.events import Event, Progress, silent
from picdeed.core.ids import hash_json, sha256_file
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.runfolder import Stopped, forget_stop, is_running, read_json
from picdeed.diffusion.samples import make_place
from picdeed.flow.drafted import draft_plan
from picdeed.flow.going import require_going, require_live
from picdeed.flow.lessrows import plan_less
from picdeed.flow.memorised import with_nearest
from picdeed.flow.notices import fix_for_run
from picdeed.flow.parting import Leak, leaks
from picdeed.registry import (
    counterfactuals,
    ledger,
    runs,
    subjects,
)
from picdeed.registry.decisions import Decision
from picdeed.registry.runs import Adapter, Run, RunState
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.registry.tables import Table, fresh


class Launch(Protocol):
    """Runs the training process of a run folder to its end, or starts it in the background."""

    def __call__(self, folder: Path, *, progress: Progress) -> None: ...


@dataclass(frozen=True, slots=True)
class Trained:
    """A run. `distinct_pictures` and `effective_pictures` are of those trained on, `kin_groups` of
    all; they say what was known when it began, `leaks` what is known now. `without_caption` counts
    pictures that trained without one. `evidence` is what diffusion/findings.py tells, with
    `nearest` (memorised.py); None where a result is older. `counterfactual_of` is the run (id)
    whose plan it follows without what the revocations in `without` took back; `retrained_as` are
    those that follow its own so.
    """

    run: str
    state: str
    adapter: Mapping[str, Any] | None
    steps: int | None
    steps_per_second: float | None
    loss: Mapping[str, Any] | None
    loss_reason: str | None
    evidence: Mapping[str, Any] | None
    distinct_pictures: int | None
    effective_pictures: float | None
    kin_groups: int | None
    without_caption: int | None
    counterfactual_of: str | None
    without: tuple[str, ...]
    retrained_as: tuple[str, ...]
    leaks: tuple[Leak, ...]
    seconds: float | None
    resumed_from: int | None
    error: str | None
    folder: Path


def train(
    registry: Registry,
    decision: str,
    recipe: Recipe,
    launch: Launch,
    *,
    seed: int = 0,
    again: bool = False,
    progress: Progress = silent,
) -> Trained:
    """Fine-tune as the decision allows. The same inputs give the same run.

    A finished run is returned as it is; an interrupted, failed or cancelled one goes on from
    its last checkpoint; `again` makes a new run. Raises RunFailed with the run's id.
    """
    run = prepare(registry, decision, recipe, seed=seed, again=again)
    return finish(registry, run, launch, progress=progress)


def prepare(
    registry: Registry, decision: str, recipe: Recipe, *, seed: int, again: bool = False
) -> str:
    """Record the run that these inputs ask for, unless it is known; returns its id."""
    with registry.write() as session:
        verdict = subjects.require(session, Decision, decision)
        require_live(session, verdict)
        run, known = asked_for(session, verdict, recipe, seed=seed, again=again)
        if not known:
            payload = {"run": run.id, "snapshot": run.snapshot_id, "decision": run.decision_id}
            ledger.write(session, Event.TRAIN_STARTED, payload, [run])
        return run.id


def asked_for(
    session: Session, verdict: Decision, recipe: Recipe, *, seed: int, again: bool = False
) -> tuple[Run, bool]:
    """The run that these inputs ask for, and whether it is on record; writes nothing."""
    values = recipe.model_dump(mode="json")
    digest = hash_json(values)
    same = _ordinary(session, verdict.snapshot_id, verdict.base_id, digest, seed)
    if same and not again:
        return same[0], True
    identity = runs.run_id(verdict.snapshot_id, verdict.base_id, digest, seed, len(same))
    run = Run(
        id=identity,
        snapshot_id=verdict.snapshot_id,
        decision_id=verdict.id,
        base_id=verdict.base_id,
        recipe=values,
        recipe_sha256=digest,
        state=RunState.QUEUED,
        seed=seed,
        steps=recipe.steps,
        folder=f"runs/{identity}",
        started_at=utc_now(),
    )
    return run, False


def _ordinary(session: Session, *inputs: Any) -> list[Run]:
    """Runs of exactly these inputs that drew from them alone, newest first."""
    other = {one.run for one in counterfactuals.counterfactuals(session)}
    return [run for run in runs.of_inputs(session, *inputs) if run.id not in other]


def write_plan(registry: Registry, run: str) -> Path:
    """`plan.json` for the process that trains; written anew each time, for paths may have moved.

    Whom a run holds out is settled when it first starts, from the kin that were known then.
    """
    with registry.read() as session:
        less = counterfactuals.of_run(session, subjects.require(session, Run, run).id)
    if less is not None:
        return plan_less(registry, less.run, less)
    with registry.read() as session:
        row = subjects.require(session, Run, run)
        plan = draft_plan(registry, session, row)
    folder = registry.root / row.folder
    held_out = {one.picture for one in plan.held_out}
    notices = fix_for_run(registry, row.id, folder, held_out)
    plan.model_copy(update={"notices_sha256": notices}).write(folder)
    return folder


def rebind(registry: Registry, run: str, decision: str) -> None:
    """Let an unfinished run go on under a decision that took its old one's place.

    The new one must be about the same snapshot and base; it is asked again when the run goes on.
    """
    with registry.write() as session:
        row = subjects.require(session, Run, run)
        new = subjects.require(session, Decision, decision)
        if (new.snapshot_id, new.base_id) != (row.snapshot_id, row.base_id):
            raise ValueError(f"{decision} is about another snapshot or base than {run}")
        if row.state != RunState.SUCCEEDED and row.decision_id != new.id:
            row.decision_id = new.id
            payload = {"run": row.id, "decision": new.id}
            ledger.write(session, Event.TRAIN_STARTED, payload, [row])


def finish(registry: Registry, run: str, launch: Launch, *, progress: Progress = silent) -> Trained:
    """Take a recorded run to its end, from its last checkpoint, and record what came out."""
    with registry.read() as session:
        row = subjects.require(session, Run, run)
        if row.state == RunState.SUCCEEDED:
            return show(registry, row.id)
        require_going(session, row)
    folder = write_plan(registry, row.id)
    if row.recipe.get("samples"):
        make_place(folder)
    _begin(registry, row.id, folder)
    try:
        launch(folder, progress=progress)
    except KeyboardInterrupt:
        _mark(registry, row.id, RunState.INTERRUPTED, Event.TRAIN_FAILED)
        raise
    except Stopped as stop:
        cancelled(registry, row.id, stop.message)
        raise _told_why(stop, row.id) from stop
    except RunFailed as failure:
        # Where a full disk ended it, the registry may take no word of it either; a run that says it
        # goes on and has no process is shown as interrupted.
        with contextlib.suppress(PicdeedError):
            _mark(registry, row.id, RunState.FAILED, Event.TRAIN_FAILED, failure.message)
        raise
    _succeed(registry, row.id, folder)
    return show(registry, row.id)


def _begin(registry: Registry, run: str, folder: Path) -> None:
    """Mark the run as going on. Asked again in the transaction: whoever revokes after it finds
    the run going on and asks it to stop, so no wish to stop is forgotten here.
    """
    with registry.write() as session:
        row = subjects.require(session, Run, run)
        require_going(session, row)
        if not is_running(folder):
            forget_stop(folder)
        if (row.state, row.error) != (RunState.RUNNING, None):
            row.state, row.error, row.ended_at = RunState.RUNNING, None, None
            payload = {"run": run, "state": str(row.state)}
            ledger.write(session, Event.TRAIN_STARTED, payload, [row])


def cancelled(registry: Registry, run: str, why: str) -> None:
    """Record that a run (a whole id) was ended on purpose; it can be continued."""
    _mark(registry, run, RunState.CANCELLED, Event.TRAIN_FAILED, why)


def _told_why(stop: Stopped, run: str) -> Denied | RunFailed:
    """What ended the run: rights that were taken back, or a person's wish."""
    if stop.revocation is None:
        return RunFailed(
            f"Run {run[:12]} was cancelled: {stop.message}",
            hint=f"picdeed runs resume {run[:12]} goes on from its last checkpoint.",
            run=run,
        )
    return Denied(
        f"Run {run[:12]} was stopped: {stop.message} No adapter was recorded.",
        hint="picdeed snapshot freezes the dataset without what was revoked.",
        revocation=stop.revocation,
        run=run,
    )


def _mark(
    registry: Registry, run: str, state: RunState, event: Event, error: str | None = None
) -> None:
    with registry.write() as session:
        row = subjects.require(session, Run, run)
        if (row.state, row.error) == (state, error):
            return
        row.state = state
        row.error = error
        row.ended_at = utc_now() if error else None
        ledger.write(session, event, {"run": run, "state": str(state)}, [row])


def _succeed(registry: Registry, run: str, folder: Path) -> None:
    result = read_json(folder / "result.json") or {}
    weights = folder / "adapter.safetensors"
    if not weights.is_file() or sha256_file(weights) != result.get("adapter_sha256"):
        raise RunFailed(
            f"Run {run[:12]} left no adapter that can be trusted; none was recorded.",
            hint=f"picdeed runs resume {run[:12]}",
            run=run,
        )
    result = with_nearest(registry, folder, result)
    with registry.write() as session:
        row = subjects.require(session, Run, run)
        try:
            require_going(session, row)
        except (Denied, NeedsReview) as refusal:
            late: Denied | NeedsReview | None = refusal
            row.state, row.error, row.ended_at = RunState.CANCELLED, refusal.message, utc_now()
            payload = {"run": run, "state": str(row.state)}
            ledger.write(session, Event.TRAIN_FAILED, payload, [row])
        else:
            late = None
            record(session, row, result, weights)
    if late is not None:
        raise type(late)(
            f"Run {run[:12]} came to its end, but its adapter was not recorded: {late.message}",
            hint=late.hint,
            decision=late.decision,
            revocation=late.revocation,
            run=run,
        )


def record(
    session: Session,
    row: Run,
    result: Mapping[str, Any],
    weights: Path,
    also: Sequence[Table] = (),
    **said: str,
) -> None:
    """Record what came out, in one event; a new adapter stands as its run does."""
    row.state = RunState.SUCCEEDED
    row.result = dict(result)
    row.ended_at = utc_now()
    adapter = Adapter(
        id=result["adapter_id"],
        run_id=row.id,
        sha256=result["adapter_sha256"],
        path=f"{row.folder}/adapter.safetensors",
        bytes=weights.stat().st_size,
        state=row.standing,
        created_at=row.ended_at,
    )
    rows: list[Table] = [row, *fresh(session, [adapter]), *also]
    payload = {"run": row.id, "adapter": adapter.id, **said}
    ledger.write(session, Event.TRAIN_FINISHED, payload, rows)


def show(registry: Registry, run: str) -> Trained:
    """What there is to say of a run, finished or not."""
    with registry.read() as session:
        row = subjects.require(session, Run, run)
        result = row.result or {}
        adapter = subjects.find(session, Adapter, result["adapter_id"]) if result else None
        leaked = leaks(registry, session, row)
        others = counterfactuals.counterfactuals(session)
    without = next((one for one in others if one.run == row.id), None)
    return Trained(
        run=row.id,
        state=row.state,
        adapter=None
        if adapter is None
        else {
            "id": adapter.id,
            "path": registry.root / adapter.path,
            "sha256": adapter.sha256,
            "state": adapter.state,
        },
        steps=result.get("steps"),
        steps_per_second=result.get("steps_per_second"),
        loss=result.get("loss"),
        loss_reason=result.get("loss_reason"),
        evidence=result.get("evidence"),
        distinct_pictures=result.get("distinct_pictures"),
        effective_pictures=result.get("effective_pictures"),
        kin_groups=result.get("kin_groups"),
        without_caption=result.get("without_caption"),
        counterfactual_of=without.of if without else None,
        without=without.revocations if without else (),
        retrained_as=tuple(one.run for one in others if one.of == row.id),
        leaks=leaked,
        seconds=result.get("seconds"),
        resumed_from=result.get("resumed_from"),
        error=row.error,
        folder=registry.root / row.folder,
    )
