"""By which plan would a run begin? Put together from the registry's rows; nothing is written."""

from __future__ import annotations

from collections import Counter

from picdeed.diffusion.plan import SCHEMA, RunPlan, Trainee
from picdeed.diffusion.recipe import recipe_from
from picdeed.flow.basefiles import require_folder
from picdeed.flow.parting import parted
from picdeed.registry import pictures, snapshots, subjects
from picdeed.registry.bases import Base
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, Session
from picdeed.registry.snapshots import Snapshot

# One thread: the embedded base is no faster with two on an idle machine and far slower on a busy
# one, and the number of threads is part of what makes a run repeatable to the byte.
THREADS = 1


def draft_plan(registry: Registry, session: Session, row: Run) -> RunPlan:
    """The plan of a run, on record or not, as it would begin or go on; without its notices."""
    base = subjects.require(session, Base, row.base_id)
    at = require_folder(registry, base)
    frozen = subjects.require(session, Snapshot, row.snapshot_id)
    members = snapshots.members(session, frozen.id)
    names = [member.picture_id for member in members]
    rows = pictures.by_ids(session, names)
    sides = parted(registry, session, row, names)
    recipe = recipe_from(row.recipe)
    trainees = [
        Trainee(
            picture=member.picture_id,
            path=str(registry.blobs.path(rows[member.picture_id].sha256)),
            caption=member.caption or "",
        )
        for member in members
    ]
    return RunPlan(
        schema=SCHEMA,
        run=row.id,
        base=str(at),
        base_sha256=base.sha256,
        recipe=recipe,
        seed=row.seed,
        threads=THREADS,
        members=tuple(one for one in trainees if one.picture not in sides.held_out),
        held_out=tuple(one for one in trainees if one.picture in sides.held_out),
        kin=sides.kin.groups,
        copies=sides.kin.copies,
        snapshot=frozen.id,
        snapshot_root=frozen.root,
        decision=row.decision_id,
        licenses=dict(sorted(Counter(member.license for member in members).items())),
        notices_sha256=None,
        cache=str(registry.cache / "latents"),
    )
