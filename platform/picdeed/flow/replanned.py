"""With exactly which plan was a finished run trained? From its folder, or from the registry's rows.

`plan.json` is a plain file that anybody may edit, so it is held against the rows first: a replay
proves nothing about a run when it trains something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import hash_json
from picdeed.diffusion.draws import exposures
from picdeed.diffusion.plan import SCHEMA, Groups, RunPlan, Trainee, read_plan
from picdeed.diffusion.recipe import recipe_from
from picdeed.flow.basefiles import require_folder
from picdeed.flow.kin import kin
from picdeed.registry import pictures, snapshots, subjects
from picdeed.registry.bases import Base
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, Session
from picdeed.registry.snapshots import Snapshot, SnapshotMember


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the registry holds about a run's plan; `base_at` and `paths` are where bytes lie now."""

    run: Run
    base: Base
    base_at: str
    frozen: Snapshot
    members: Sequence[SnapshotMember]
    paths: Mapping[str, str]


def replanned(registry: Registry, run: Run) -> RunPlan:
    """The plan of a run that has a result, its paths as they are now and nothing cached.

    Raises IntegrityError when `plan.json` is not the plan that was recorded, RunFailed when it is
    none at all, MissingPart when the base's folder is gone, and UsageError when the run's folder is
    gone and what stood in its plan alone can no longer be told.
    """
    folder = registry.root / run.folder
    with registry.read() as session:
        rows = _rows(registry, session, run)
        if not (folder / "plan.json").is_file():
            return _assembled(session, rows)
    plan = read_plan(folder)
    _require_recorded(plan, rows)
    sides = {
        side: tuple(
            one.model_copy(update={"path": rows.paths[one.picture]}) for one in getattr(plan, side)
        )
        for side in ("members", "held_out")
    }
    return plan.model_copy(update={**sides, "base": rows.base_at, "cache": None})


def _rows(registry: Registry, session: Session, run: Run) -> _Rows:
    base = subjects.require(session, Base, run.base_id)
    frozen = subjects.require(session, Snapshot, run.snapshot_id)
    members = snapshots.members(session, frozen.id)
    known = pictures.by_ids(session, [member.picture_id for member in members])
    paths = {name: str(registry.blobs.path(row.sha256)) for name, row in known.items()}
    return _Rows(run, base, str(require_folder(registry, base)), frozen, members, paths)


def _require_recorded(plan: RunPlan, rows: _Rows) -> None:
    """The plan asks for what the rows hold; IntegrityError names what it does not."""
    run, frozen = rows.run, rows.frozen
    result: Mapping[str, Any] = run.result
    everyone = {one.picture: one.caption for one in (*plan.members, *plan.held_out)}
    facts = {
        "run": (plan.run, run.id),
        "snapshot": ((plan.snapshot, plan.snapshot_root), (frozen.id, frozen.root)),
        "base": (plan.base_sha256, rows.base.sha256),
        "recipe": (hash_json(plan.recipe.model_dump(mode="json")), run.recipe_sha256),
        "seed": (plan.seed, run.seed),
        "threads": (plan.threads, result.get("threads")),
        "pictures": (everyone, {one.picture_id: one.caption or "" for one in rows.members}),
        "held-out pictures": (
            [one.picture for one in plan.held_out],
            list(result.get("held_out", ())),
        ),
        "exposures": (planned_exposures(plan), dict(result.get("exposure", {}))),
    }
    for name, (planned, recorded) in facts.items():
        if planned != recorded:
            raise IntegrityError(
                f"plan.json of run {run.id[:12]} names another {name} than the registry recorded. "
                "Nothing was trained.",
                hint=f"Move {run.folder} aside: the plan is then put together from the registry.",
                run=run.id,
            )


def planned_exposures(plan: RunPlan) -> dict[str, int]:
    """How often a plan shows each picture that it trains on."""
    return exposures(
        plan.drawn,
        seed=plan.seed,
        steps=plan.recipe.steps,
        batch=plan.recipe.batch,
        copies=plan.drawn_as_one,
        without=plan.left_out,
    )


def _assembled(session: Session, rows: _Rows) -> RunPlan:
    """The plan put together again. Which pictures were copies of each other stood in `plan.json`
    alone; the copies of today, or none, are taken when they give the recorded exposures.
    """
    run = rows.run
    result: Mapping[str, Any] = run.result
    held_out = frozenset(result.get("held_out", ()))
    everyone = [
        Trainee(picture=one.picture_id, path=rows.paths[one.picture_id], caption=one.caption or "")
        for one in rows.members
    ]
    for copies in _copies(session, list(rows.paths), held_out):
        plan = RunPlan(
            schema=SCHEMA,
            run=run.id,
            base=rows.base_at,
            base_sha256=rows.base.sha256,
            recipe=recipe_from(run.recipe),
            seed=run.seed,
            threads=result["threads"],
            members=tuple(one for one in everyone if one.picture not in held_out),
            held_out=tuple(one for one in everyone if one.picture in held_out),
            kin=copies,
            copies=copies,
            snapshot=rows.frozen.id,
            snapshot_root=rows.frozen.root,
            decision=run.decision_id,
            licenses=dict(sorted(Counter(one.license for one in rows.members).items())),
            notices_sha256=None,
            cache=None,
        )
        if planned_exposures(plan) == dict(result.get("exposure", {})):
            return plan
    raise UsageError(
        f"The folder of run {run.id[:12]} is gone, and which of its pictures were known as copies "
        "when it began can no longer be told. Nothing was trained.",
        hint=f"Put {run.folder}/plan.json back from a backup.",
        run=run.id,
    )


def _copies(session: Session, names: Sequence[str], held_out: frozenset[str]) -> Iterator[Groups]:
    """Groups of copies that a run may have begun with, likeliest first."""
    known = kin(session, names).copies
    yield tuple(group for group in known if len(held_out.intersection(group)) in {0, len(group)})
    yield ()
