"""What exactly will a run train on? `plan.json`, written once before step 1, and its split.

No torch in here: the stage that starts a run writes the plan, the subprocess reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from picdeed.core.errors import RunFailed
from picdeed.core.ids import hash_json
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.runfolder import write_json

SCHEMA = "picdeed.run-plan/1"
NOTICES = "NOTICES.txt"
"""Beside the adapter: who is to be named. Its hash is fixed in the plan, before the first step."""
FEWEST_HELD_OUT = 2
# Holding out more than a third of a small set would take away what it has to teach.
_LARGEST_SHARE = 3


class Trainee(BaseModel):
    """One picture of a run: its id, where its bytes lie now, and what it shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    picture: str = Field(pattern=r"^img_[0-9a-f]{64}$")
    path: str
    caption: str = ""


class RunPlan(BaseModel):
    """Everything that decides the bytes of an adapter, and the paths to find it."""

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
    snapshot: str
    snapshot_root: str
    decision: str
    licenses: Mapping[str, int] = Field(default_factory=dict)
    notices_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    cache: str | None = None

    def content(self) -> dict[str, Any]:
        """The plan as JSON values without paths: a registry may be moved between two steps."""
        value = self.model_dump(mode="json", by_alias=True, exclude={"base", "cache"})
        # A plan from before there were notices keeps the digest that its checkpoints carry.
        if self.notices_sha256 is None:
            del value["notices_sha256"]
        for trainee in (*value["members"], *value["held_out"]):
            del trainee["path"]
        return value

    def digest(self) -> str:
        """SHA-256 that ties checkpoints to this plan."""
        return hash_json(self.content())

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
    both = {t.picture for t in plan.members} & {t.picture for t in plan.held_out}
    if both:
        raise RunFailed(f"{path} trains on a held-out picture: {min(both)}.")
    return plan


def split(trainees: Sequence[Trainee], share: float) -> tuple[list[Trainee], list[Trainee]]:
    """(to train on, held out), the same for the same pictures in any order.

    Pictures are ranked by a hash of their id; the first `share` of them, at least 2 and at most
    a third, are held out. Where a third is fewer than 2, or share is 0, nobody is.
    """
    ranked = sorted(trainees, key=lambda trainee: trainee.picture)
    wanted = max(FEWEST_HELD_OUT, round(len(ranked) * share))
    count = min(wanted, len(ranked) // _LARGEST_SHARE)
    if share == 0 or count < FEWEST_HELD_OUT:
        return ranked, []
    chosen = {t.picture for t in sorted(ranked, key=_rank)[:count]}
    train = [t for t in ranked if t.picture not in chosen]
    return train, [t for t in ranked if t.picture in chosen]


def _rank(trainee: Trainee) -> str:
    return hashlib.sha256(b"hold-out/1|" + trainee.picture.encode()).hexdigest()
