"""Which pictures does a run hold out, and is one of them known from training by now?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from picdeed.diffusion.holding_out import hold_out
from picdeed.diffusion.recipe import recipe_from
from picdeed.diffusion.runfolder import read_json
from picdeed.flow.kin import Groups, Kin, kin
from picdeed.registry import snapshots
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, Session


@dataclass(frozen=True, slots=True)
class Parted:
    """What a run holds out, and the kin among all its pictures that were known at that time."""

    held_out: frozenset[str]
    kin: Kin


@dataclass(frozen=True, slots=True)
class Leak:
    """A held-out picture, and what was trained on that is, or may be, the same picture."""

    held_out: str
    trained: tuple[str, ...]


def parted(registry: Registry, session: Session, run: Run, pictures: Collection[str]) -> Parted:
    """How the plan of a run parts its pictures; before it has one, how it would today.

    What is learned about kin later moves nothing: a run goes on as it began.
    """
    planned = _planned(registry, run)
    if planned is not None:
        return planned
    known = kin(session, pictures)
    share = recipe_from(run.recipe).hold_out
    return Parted(hold_out(pictures, share, known.groups, known.copies), known)


def leaks(registry: Registry, session: Session, run: Run) -> tuple[Leak, ...]:
    """Held-out pictures of a run that have kin in its training part, as is known today.

    The plan lets none pass that was known when it was made: these were found, or said, later (or
    the run began before plans looked at kin). None of a run that has no plan yet. Clusters count
    as they were last made.
    """
    planned = _planned(registry, run)
    if planned is None or not planned.held_out:
        return ()
    members = [member.picture_id for member in snapshots.members(session, run.snapshot_id)]
    found = []
    for group in kin(session, members).groups:
        trained = tuple(one for one in group if one not in planned.held_out)
        if trained:
            found += [Leak(one, trained) for one in group if one in planned.held_out]
    return tuple(sorted(found, key=lambda leak: leak.held_out))


def _planned(registry: Registry, run: Run) -> Parted | None:
    plan = read_json(registry.root / run.folder / "plan.json")
    if plan is not None:
        held_out = frozenset(trainee["picture"] for trainee in plan.get("held_out", ()))
        return Parted(held_out, Kin(_groups(plan, "kin"), _groups(plan, "copies")))
    if run.result:
        return Parted(frozenset(run.result.get("held_out", ())), Kin())
    return None


def _groups(plan: Mapping[str, Any], key: str) -> Groups:
    return tuple(tuple(group) for group in plan.get(key, ()))
