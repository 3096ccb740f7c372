"""What would an adapter be without the pictures that were taken back? Trained again, and told.

Composes stages through the pipeline: revoke's effects -> snapshot less them -> gate -> train ->
a signed statement. Nothing of the earlier adapter is used; it stands as the revocation left it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from picdeed.core.errors import Denied, NeedsReview, PicdeedError, UsageError
from picdeed.core.events import Event, Progress, silent
from picdeed.flow import pipeline
from picdeed.flow.decided import require_open
from picdeed.flow.going import require_live
from picdeed.flow.lessrows import Less, less_of, reached_runs
from picdeed.flow.remainder import remainder
from picdeed.flow.stated import Stated, state
from picdeed.flow.train import Launch, Trained, finish, rebind, show
from picdeed.registry import counterfactuals, ledger, revocations, subjects
from picdeed.registry.counterfactuals import counterfactual_id, said_of
from picdeed.registry.decisions import Decision
from picdeed.registry.revocations import Revocation
from picdeed.registry.runs import Run, RunState
from picdeed.registry.session import Registry, Session, utc_now
from picdeed.rights.verdict import Use

if TYPE_CHECKING:
    from collections.abc import Sequence


class Outcome(StrEnum):
    """What became of one run that a revocation reached."""

    PLANNED = "planned"
    STARTED = "started"
    RETRAINED = "retrained"
    UNTOUCHED = "untouched"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What training again costs, by what the run itself measured. `seconds` is the time in steps at
    its speed, an upper bound: steps that lost rows are shorter. None where it measured none.
    """

    steps: int
    steps_per_second: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Retrained:
    """One run that a revocation reached: `of` and its `adapter`, what falls out of it (`less`), and
    what it costs. `trained` is the run without these rows, `stated` what is signed about it;
    None where there is none yet. `refusal` is why rights, or nothing being left, kept it.
    """

    of: str
    adapter: str
    state: Outcome
    less: Less
    estimate: Estimate
    trained: Trained | None = None
    stated: Stated | None = None
    refusal: PicdeedError | None = None


@dataclass(frozen=True, slots=True)
class Without:
    """Every run that a revocation (an id) reached, in order."""

    revocation: str
    runs: tuple[Retrained, ...]


def plan_without(registry: Registry, revocation: str, run: str | None = None) -> Without:
    """What would be trained again without what a revocation took back. Writes nothing.

    `run` names one run or adapter. Raises Denied where a run's base was revoked: nothing trains on
    that; UsageError on a run that has no adapter, UnknownSubject, and IntegrityError like `replay`.
    """
    with registry.read() as session:
        cause = subjects.require(session, Revocation, revocation)
        ids = reached_runs(session, cause) if run is None else [_one(session, run)]
        rows = [subjects.require(session, Run, one) for one in ids]
        for row in rows:
            _require_base(session, row)
    return Without(cause.id, tuple(_planned(registry, row, cause) for row in rows))


def retrain(
    registry: Registry,
    planned: Without,
    launch: Launch | None,
    *,
    progress: Progress = silent,
) -> Without:
    """Train what is planned, one run after the other; `launch` None only prepares the runs.

    The same again is the same runs: finished ones are told, others go on from their last
    checkpoint. What the gate refuses is told and passed over. Raises RunFailed like `train`.
    """
    done = [
        _retrain(registry, one, launch, progress) if one.state is Outcome.PLANNED else one
        for one in planned.runs
    ]
    return replace(planned, runs=tuple(done))


def refusals(done: Without) -> Sequence[PicdeedError]:
    """Why runs were refused, in order."""
    return [one.refusal for one in done.runs if one.refusal is not None]


def _one(session: Session, text: str) -> str:
    """The run whose plan is meant: by its own id, its adapter's, or that of one without rows."""
    whole = subjects.resolve(session, text, {"run", "adp"})
    if subjects.kind_of(whole) == "adp":
        from picdeed.registry.runs import adapter_of

        whole = adapter_of(session, whole).run_id
    known = counterfactuals.of_run(session, whole)
    row = subjects.require(session, Run, known.of if known else whole)
    if row.state != RunState.SUCCEEDED:
        raise UsageError(
            f"Run {row.id[:12]} is {row.state}: there is no adapter to train again without "
            "anything. Nothing was started.",
            hint="picdeed snapshot freezes the dataset without what was revoked.",
            run=row.id,
        )
    return row.id


def _require_base(session: Session, row: Run) -> None:
    fallen = revocations.fallen(session, row.base_id)
    if fallen is not None:
        raise Denied(
            f"Base {row.base_id[:12]} of run {row.id[:12]} was revoked ({fallen.ground}): no "
            "adapter is trained on it again, without whatever. Nothing was trained.",
            hint="Train on another base: picdeed train SNAPSHOT --base BASE.",
            revocation=fallen.id,
            run=row.id,
        )


def _planned(registry: Registry, row: Run, cause: Revocation) -> Retrained:
    less = less_of(registry, row, cause)
    speed = row.result.get("steps_per_second") or None
    return Retrained(
        of=row.id,
        adapter=row.result["adapter_id"],
        state=Outcome.PLANNED if less.reason is None else Outcome.UNTOUCHED,
        less=less,
        estimate=Estimate(row.steps, speed, round(row.steps / speed, 1) if speed else None),
    )


def _retrain(
    registry: Registry, one: Retrained, launch: Launch | None, progress: Progress
) -> Retrained:
    try:
        run = _prepared(registry, one, progress)
        if launch is None:
            now = show(registry, run)
            over = now.state == RunState.SUCCEEDED
            return replace(
                one,
                state=Outcome.RETRAINED if over else Outcome.STARTED,
                trained=now,
                stated=state(registry, run),
            )
        done = finish(registry, run, launch, progress=progress)
    except (Denied, NeedsReview) as refusal:
        return replace(one, state=Outcome.REFUSED, refusal=refusal)
    return replace(one, state=Outcome.RETRAINED, trained=done, stated=state(registry, done.run))


def _prepared(registry: Registry, one: Retrained, progress: Progress) -> str:
    """Freeze, gate and record the run without these rows, unless it is known; its id."""
    with registry.read() as session:
        first = subjects.require(session, Run, one.of)
        old = subjects.require(session, Decision, first.decision_id)
    pipeline.catch_up(registry, pipeline.rules(), progress=progress)
    frozen = remainder(registry, first.snapshot_id, one.less.left_out, one.less.revocations)
    gated = pipeline.judge(
        registry,
        frozen,
        first.base_id,
        [Use(use) for use in old.uses],
        profile=old.profile,
        commercial=old.commercial,
        progress=progress,
    )
    require_open(gated)
    run = _recorded(registry, first, gated.decision, one.less)
    rebind(registry, run, gated.decision)
    return run


def _recorded(registry: Registry, first: Run, decision: str, less: Less) -> str:
    with registry.write() as session:
        verdict = subjects.require(session, Decision, decision)
        require_live(session, verdict)
        inputs = {
            "snapshot": verdict.snapshot_id,
            "base": verdict.base_id,
            "recipe": first.recipe_sha256,
            "seed": first.seed,
        }
        identity = counterfactual_id(inputs, first.id, less.left_out)
        known = counterfactuals.of_run(session, identity)
        if known is not None:
            more = set(less.revocations) - set(known.revocations)
            if more:  # the same pictures, taken back once more
                payload = {"run": identity, "without": said_of(first.id, more)}
                ledger.write(session, Event.TRAIN_STARTED, payload, [])
            return identity
        run = Run(
            id=identity,
            snapshot_id=verdict.snapshot_id,
            decision_id=verdict.id,
            base_id=verdict.base_id,
            recipe=first.recipe,
            recipe_sha256=first.recipe_sha256,
            state=RunState.QUEUED,
            seed=first.seed,
            steps=first.steps,
            folder=f"runs/{identity}",
            started_at=utc_now(),
        )
        payload = {
            "run": run.id,
            "snapshot": run.snapshot_id,
            "decision": run.decision_id,
            "without": said_of(first.id, less.revocations),
        }
        ledger.write(session, Event.TRAIN_STARTED, payload, [run])
        return run.id
