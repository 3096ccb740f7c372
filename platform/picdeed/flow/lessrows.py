"""Which rows of a finished run's plan fall out with what was revoked, and which plan is left?

Every other row keeps its step and slot, and with these its flip, timestep, noise and caption
drop: drawing anew from fewer pictures would be another run. It keeps its weight too, one part in
`batch` of its step's loss, as the run without these rows is defined in S. Hara, A. Nitanda and
T. Maehara, "Data Cleansing for Models Trained with SGD", NeurIPS 2019 (arXiv 1906.08473). A mean
over what is left would weigh a picture more for having stood beside a revoked one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from picdeed.core.errors import IntegrityError
from picdeed.diffusion.draws import empty_steps
from picdeed.diffusion.plan import RunPlan, Without
from picdeed.flow.notices import fix_for_run
from picdeed.flow.replanned import planned_exposures, replanned
from picdeed.registry import counterfactuals, pictures, revocations, snapshots, subjects
from picdeed.registry.counterfactuals import Counterfactual
from picdeed.registry.pictures import PictureState
from picdeed.registry.revocations import Revocation
from picdeed.registry.runs import Run, RunState
from picdeed.registry.session import Registry, Session
from picdeed.registry.snapshots import Snapshot

_GONE = (PictureState.REVOKED, PictureState.ERASED)


@dataclass(frozen=True, slots=True)
class Less:
    """What falls out of a run's plan. `rows` are the slots that fall, by picture trained on, of
    `of_rows`; `held_out` were only measured on. `empty_steps` learn nothing any more, `left` are
    the pictures still to train on. `revocations` (ids) took them back. `reason` says why there is
    nothing to train; None where there is.
    """

    run: str
    revocations: tuple[str, ...]
    rows: Mapping[str, int]
    of_rows: int
    held_out: tuple[str, ...]
    empty_steps: int
    left: int
    reason: str | None

    @property
    def left_out(self) -> frozenset[str]:
        """Every picture that falls out, trained on or not."""
        return frozenset({*self.rows, *self.held_out})


def reached_runs(session: Session, revocation: Revocation) -> list[str]:
    """The finished runs (ids) whose adapters a revocation reached, by id.

    A run that itself leaves something out stands for the run whose plan it follows: what fell in
    both is left out of that once more.
    """
    reached = revocations.effects(session, [revocation.id])
    root = {one.run: one.of for one in counterfactuals.counterfactuals(session)}
    found = {root.get(one, one) for one in reached if subjects.kind_of(one) == "run"}
    rows = [subjects.require(session, Run, one) for one in sorted(found)]
    return [row.id for row in rows if row.state == RunState.SUCCEEDED]


def less_of(registry: Registry, run: Run, revocation: Revocation) -> Less:
    """What falls out of a finished run's plan today, the revocation being one of the causes.

    Everything that is revoked by now is left out: nothing trains on it. Raises like `replanned`
    where the plan is not the recorded one or cannot be told any more.
    """
    with registry.read() as session:
        gone = _gone(session, run.snapshot_id)
        reached = revocations.effects(session, [revocation.id])
        here = {one for one in gone if one in reached and reached[one].after in _GONE}
        causes = {
            effect.revocation_id
            for one in gone
            for effect in revocations.reaching(session, one)
            if effect.after in _GONE
        }
    if not here:
        said = f"No picture of run {run.id[:12]} fell with {revocation.id[:12]}."
        return Less(run.id, (), {}, run.steps * _batch(run), (), 0, 0, said)
    plan = replanned(registry, run)
    shown = planned_exposures(plan)
    rows = {one: shown[one] for one in sorted(gone & shown.keys())}
    left = len(shown) - len(rows)
    return Less(
        run=run.id,
        revocations=tuple(sorted(causes)),
        rows=rows,
        of_rows=sum(shown.values()),
        held_out=tuple(one.picture for one in plan.held_out if one.picture in gone),
        empty_steps=_empty(plan, rows),
        left=left,
        reason=_nothing_to_train(run.id, rows, left),
    )


def plan_less(registry: Registry, run: str, known: Counterfactual) -> Path:
    """`plan.json` of a run that leaves rows of another's plan out; its folder.

    What is left out is what its own snapshot does not hold, so the plan is the same each time.
    """
    with registry.read() as session:
        row = subjects.require(session, Run, run)
        first = subjects.require(session, Run, known.of)
        frozen = subjects.require(session, Snapshot, row.snapshot_id)
        members = snapshots.members(session, frozen.id)
    was = replanned(registry, first)
    here = {member.picture_id: member.caption or "" for member in members}
    kept = {
        side: tuple(one for one in getattr(was, side) if one.picture in here)
        for side in ("members", "held_out")
    }
    told = {one.picture: one.caption for side in kept.values() for one in side}
    if told != here:
        raise IntegrityError(
            f"Snapshot {frozen.id[:12]} is not that of run {first.id[:12]} less some pictures. "
            "Nothing was trained.",
            hint="picdeed audit says whether both are what they were.",
            run=row.id,
        )
    gone = {
        side: tuple(one.picture for one in getattr(was, side) if one.picture not in here)
        for side in kept
    }
    folder = registry.root / row.folder
    held_out = frozenset(one.picture for one in kept["held_out"])
    changes = {
        "run": row.id,
        **kept,
        "snapshot": frozen.id,
        "snapshot_root": frozen.root,
        "decision": row.decision_id,
        "licenses": dict(sorted(Counter(member.license for member in members).items())),
        "notices_sha256": fix_for_run(registry, row.id, folder, held_out),
        "cache": str(registry.cache / "latents"),
        "without": Without(run=first.id, revocations=known.named, **gone),
    }
    was.model_copy(update=changes).write(folder)
    return folder


def _gone(session: Session, snapshot: str) -> set[str]:
    """The members of a snapshot that are revoked by now."""
    names = [member.picture_id for member in snapshots.members(session, snapshot)]
    rows = pictures.by_ids(session, names)
    return {name for name in names if rows[name].state != PictureState.GOOD}


def _batch(run: Run) -> int:
    result = run.result or {}
    return int(result.get("batch", 0))


def _empty(plan: RunPlan, gone: Collection[str]) -> int:
    return empty_steps(
        plan.drawn,
        seed=plan.seed,
        steps=plan.recipe.steps,
        batch=plan.recipe.batch,
        copies=plan.drawn_as_one,
        without=gone,
    )


def _nothing_to_train(run: str, rows: Mapping[str, int], left: int) -> str | None:
    if not sum(rows.values()):
        return (
            f"What fell was only held out in run {run[:12]}, or never shown: no step read it, and "
            "the same plan without it gives the same tensors."
        )
    if not left:
        return f"Every picture that run {run[:12]} was trained on fell: nothing is left to train."
    return None
