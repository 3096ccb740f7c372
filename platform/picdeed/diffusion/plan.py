"""What exactly will a run train on? `plan.json`, settled before step 1.

No torch in here: the stage that starts a run writes the plan, the subprocess reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from picdeed.core.errors import RunFailed
from picdeed.core.ids import hash_json
from picdeed.diffusion.holding_out import FEWEST_HELD_OUT, hold_out
from picdeed.diffusion.recipe import Balance, Recipe
from picdeed.diffusion.runfolder import write_json

SCHEMA = "picdeed.run-plan/1"
NOTICES = "NOTICES.txt"
"""Beside the adapter: who is to be named. Its hash is fixed in the plan, before the first step."""
Groups = tuple[tuple[str, ...], ...]


class Trainee(BaseModel):
    """One picture of a run: its id, where its bytes lie now, and what it shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    picture: str = Field(pattern=r"^img_[0-9a-f]{64}$")
    path: str
    caption: str = ""


class Without(BaseModel):
    """Whose plan this is, and which pictures' rows were left out of it since.

    `run` is the run that was trained with them, `revocations` (ids) what took them back. `members`
    were trained on there: they are drawn as they were, and their slots fall out. `held_out` were
    only measured on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(pattern=r"^run_[0-9a-f]{64}$")
    revocations: tuple[str, ...] = Field(min_length=1)
    members: tuple[str, ...] = Field(min_length=1)
    held_out: tuple[str, ...] = ()


class RunPlan(BaseModel):
    """Everything that decides the bytes of an adapter, and the paths to find it.

    `kin` are the groups of two or more pictures, trained on or held out, that were known, before
    the first step, to be or perhaps to be one picture; `copies` those in them that are one. With
    `without` it is another run's plan less some rows: every other row keeps its step and slot, its
    draws and its weight in the loss of its step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: str = Field(SCHEMA, alias="schema", pattern=r"^picdeed\.run-plan/1$")
    run: str
    base: str
    base_sha256: str
    recipe: Recipe
    seed: int = Field(ge=0, lt=1 << 63)
    threads: int = Field(ge=1, le=1024)
    members: tuple[Trainee, ...] = Field(min_length=1)
    held_out: tuple[Trainee, ...] = ()
    kin: Groups = ()
    copies: Groups = ()
    snapshot: str
    snapshot_root: str
    decision: str
    licenses: Mapping[str, int] = Field(default_factory=dict)
    notices_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    cache: str | None = None
    without: Without | None = None

    def content(self) -> dict[str, Any]:
        """The plan as JSON values without paths: a registry may be moved between two steps."""
        value = self.model_dump(mode="json", by_alias=True, exclude={"base", "cache"})
        # A plan from before there were notices keeps the digest that its checkpoints carry.
        if self.notices_sha256 is None:
            del value["notices_sha256"]
        if self.without is None:
            del value["without"]
        for groups in ("kin", "copies"):  # nor did it know any
            if not value[groups]:
                del value[groups]
        for trainee in (*value["members"], *value["held_out"]):
            del trainee["path"]
        return value

    def digest(self) -> str:
        """SHA-256 that ties checkpoints to this plan."""
        return hash_json(self.content())

    @property
    def left_out(self) -> frozenset[str]:
        """The pictures that are drawn and not shown."""
        return frozenset(self.without.members if self.without else ())

    @property
    def drawn(self) -> tuple[str, ...]:
        """The pictures that slots are drawn from: those to train on, and those left out."""
        return (*(trainee.picture for trainee in self.members), *sorted(self.left_out))

    @property
    def drawn_as_one(self) -> Groups:
        """The copies among the pictures that are drawn which share the weight of one picture."""
        if not self.copies or self.recipe.balance is Balance.PICTURE:
            return ()
        drawn = set(self.drawn)
        return tuple(group for group in self.copies if drawn.issuperset(group))

    @property
    def measured(self) -> tuple[str, ...]:
        """The held-out pictures that evidence is measured on: of copies, the first by id."""
        later = {one for group in self.copies for one in sorted(group)[1:]}
        return tuple(t.picture for t in self.held_out if t.picture not in later)

    def why_nobody(self) -> str | None:
        """Why there can be no held-out loss, in words; None when there can."""
        if len(self.measured) >= FEWEST_HELD_OUT:
            return None
        if self.recipe.hold_out == 0:
            return "Fewer than 2 pictures are held out: the recipe asks for none (hold_out = 0)."
        if self.without is not None and self.without.held_out:
            gone, before = len(self.without.held_out), self.without.run[:12]
            return (
                f"Fewer than 2 of the pictures that {before} held out are left: {gone} of them "
                f"{'was' if gone == 1 else 'were'} revoked."
            )
        everyone = [*self.drawn, *(trainee.picture for trainee in self.held_out)]
        if not hold_out(everyone, self.recipe.hold_out):
            return "Fewer than 2 pictures could be held out: a loss on them would say nothing."
        together = sum(map(len, self.kin))
        return (
            "Fewer than 2 pictures could be held out whose copies, crops and variants are not "
            f"trained on: of {len(everyone)} pictures {together} are, or may be, "
            f"{_counted(len(self.kin), 'picture')}."
        )

    def write(self, folder: Path) -> None:
        """Write `plan.json` into the run folder (made when missing), all or nothing."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "plan.json", self.model_dump(mode="json", by_alias=True))


def read_plan(folder: Path) -> RunPlan:
    """The plan of a run folder. Raises RunFailed when it is missing or not a plan."""
    path = folder / "plan.json"
    try:
        plan = RunPlan.model_validate(json.loads(path.read_bytes()))
    except (OSError, json.JSONDecodeError, ValidationError) as error:
        raise RunFailed(f"{path} is no run plan: {error}") from error
    trained, held_out = ({t.picture for t in side} for side in (plan.members, plan.held_out))
    if both := trained & held_out:
        raise RunFailed(f"{path} trains on a held-out picture: {min(both)}.")
    gone = {*plan.without.members, *plan.without.held_out} if plan.without else set()
    if still := gone & (trained | held_out):
        raise RunFailed(f"{path} still holds {min(still)}, which it says was left out.")
    for group in (*plan.kin, *plan.copies):
        if not (trained.isdisjoint(group) or held_out.isdisjoint(group)):
            kin = min(trained.intersection(group))
            raise RunFailed(f"{path} trains on {kin}, a copy or variant of a held-out picture.")
    return plan


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
