"""Is the plan of a run the one that was recorded, wherever it is read from?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from replayable import Ran, copied, folder_of, row_of

from picdeed.core.errors import IntegrityError, MissingPart, RunFailed, UsageError
from picdeed.diffusion.plan import read_plan
from picdeed.flow import pipeline
from picdeed.flow.replanned import replanned
from picdeed.registry.session import Registry


@pytest.fixture
def registry(ran: Ran, tmp_path: Path) -> Registry:
    return copied(ran, tmp_path)


def test_the_folders_plan_is_taken_with_the_paths_of_today(registry: Registry, ran: Ran) -> None:
    recorded = read_plan(folder_of(registry, ran.run))
    plan = replanned(registry, row_of(registry, ran.run))
    assert plan.digest() == recorded.digest()
    assert plan.cache is None
    assert recorded.members[0].path.startswith(str(ran.place))
    paths = [Path(one.path) for one in (*plan.members, *plan.held_out)]
    assert all(path.is_file() and path.is_relative_to(registry.root) for path in paths)


def test_the_rows_give_the_same_plan(registry: Registry, ran: Ran) -> None:
    recorded = read_plan(folder_of(registry, ran.run))
    assert recorded.drawn_as_one == (ran.copies,)
    shutil.rmtree(folder_of(registry, ran.run))
    plan = replanned(registry, row_of(registry, ran.run))
    assert plan.model_copy(update={"notices_sha256": recorded.notices_sha256}).digest() == (
        recorded.digest()
    )


def test_copies_that_nobody_knows_any_more_are_not_guessed(registry: Registry, ran: Ran) -> None:
    shutil.rmtree(folder_of(registry, ran.run))
    pipeline.decide_pair(registry, *ran.copies, None)
    pipeline.catch_up(registry, pipeline.rules())
    with pytest.raises(UsageError, match="known as copies") as told:
        replanned(registry, row_of(registry, ran.run))
    assert "plan.json" in told.value.hint


def test_copies_that_are_found_later_do_not_matter(registry: Registry, ran: Ran) -> None:
    """Of two guesses the one that gives the recorded exposures is taken."""
    row = row_of(registry, ran.run)
    plan = read_plan(folder_of(registry, ran.run))
    alone = plan.model_copy(update={"copies": (), "kin": ()})
    from picdeed.flow.replanned import planned_exposures

    assert planned_exposures(alone) != planned_exposures(plan)
    shutil.rmtree(folder_of(registry, ran.run))
    row.result = {**row.result, "exposure": planned_exposures(alone)}
    assert replanned(registry, row).copies == ()


def first(side: str, **changes):
    return lambda plan: plan[side][0].update(changes)


SPOILED = {
    "recipe": lambda plan: plan["recipe"].update(learning_rate=0.5),
    "seed": lambda plan: plan.update(seed=9),
    "threads": lambda plan: plan.update(threads=2),
    "base": lambda plan: plan.update(base_sha256="0" * 64),
    "snapshot": lambda plan: plan.update(snapshot_root="0" * 64),
    "run": lambda plan: plan.update(run="run_" + "0" * 64),
    "pictures": first("members", caption="stolen"),
    "a picture less": lambda plan: plan["members"].pop(),
    "held-out pictures": lambda plan: plan["members"].append(plan["held_out"].pop()),
    "exposures": lambda plan: plan.update(copies=[], kin=[]),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_plan_that_was_edited_is_refused(registry: Registry, ran: Ran, name: str) -> None:
    path = folder_of(registry, ran.run) / "plan.json"
    plan = json.loads(path.read_bytes())
    SPOILED[name](plan)
    path.write_text(json.dumps(plan))
    with pytest.raises(IntegrityError, match="Nothing was trained") as told:
        replanned(registry, row_of(registry, ran.run))
    wanted = "pictures" if name == "a picture less" else name
    assert f"another {wanted} than" in told.value.message


def test_what_is_no_plan_is_said(registry: Registry, ran: Ran) -> None:
    (folder_of(registry, ran.run) / "plan.json").write_text("{")
    with pytest.raises(RunFailed, match="no run plan"):
        replanned(registry, row_of(registry, ran.run))


def test_a_base_that_is_gone_is_said(registry: Registry, ran: Ran) -> None:
    base = ran.place / "base"
    base.rename(ran.place / "elsewhere")
    try:
        with pytest.raises(MissingPart, match="no longer lies"):
            replanned(registry, row_of(registry, ran.run))
    finally:
        (ran.place / "elsewhere").rename(base)
