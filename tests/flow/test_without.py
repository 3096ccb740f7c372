"""Is an adapter trained again by its own plan less what was revoked, under today's rights?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from replayable import BASE, Ran, copied, folder_of, here, never, row_of

from picdeed.core.errors import Denied, IntegrityError, RunFailed, UsageError
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.plan import read_plan
from picdeed.diffusion.recipe import recipe_from
from picdeed.flow import pipeline
from picdeed.flow.claims import Saying
from picdeed.flow.grounds import Ground
from picdeed.flow.replay import replay
from picdeed.flow.stated import state
from picdeed.flow.takeback import erase_picture
from picdeed.flow.without import Outcome, Retrained, plan_without, refusals, retrain
from picdeed.registry import ledger, snapshots
from picdeed.registry.reports import read_report
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry
from picdeed.registry.signed import verify_document
from picdeed.rights.claims import ClaimKind


@pytest.fixture
def registry(ran: Ran, tmp_path: Path) -> Registry:
    return copied(ran, tmp_path)


def revoked(registry: Registry, target: str, ground: Ground = Ground.TAKEDOWN) -> str:
    return pipeline.withdraw(registry, target, ground).revocation


def shown(registry: Registry, ran: Ran) -> list[str]:
    """Pictures that the run was trained on, none of them a copy."""
    exposure = row_of(registry, ran.run).result["exposure"]
    return sorted(one for one, count in exposure.items() if count and one not in ran.copies)


def events(registry: Registry) -> int:
    with registry.read() as session:
        return ledger.last_event(session)[0]


def only(registry: Registry, cause: str, launch=here) -> Retrained:
    (one,) = retrain(registry, plan_without(registry, cause), launch).runs
    return one


def members(registry: Registry, run: Run) -> dict[str, str | None]:
    with registry.read() as session:
        rows = snapshots.members(session, run.snapshot_id)
    return {row.picture_id: row.caption for row in rows}


def test_it_is_the_same_run_without_those_rows(registry: Registry, ran: Ran) -> None:
    gone = shown(registry, ran)[0]
    cause = erase_picture(registry, gone, "letter of 3 March")[0].revocation  # bytes and caption
    before = events(registry)
    (told,) = plan_without(registry, cause[:12]).runs
    assert (told.state, told.of, told.less.held_out) == (Outcome.PLANNED, ran.run, ())
    assert (dict(told.less.rows), told.less.of_rows) == ({gone: 1}, 6)
    assert (told.less.empty_steps, told.less.left, told.less.reason) == (0, 6, None)
    speed = row_of(registry, ran.run).result["steps_per_second"]
    assert (told.estimate.steps, told.estimate.steps_per_second) == (3, speed)
    assert told.estimate.seconds == round(3 / speed, 1)
    assert events(registry) == before, "telling what it costs writes nothing"

    done = only(registry, cause)
    assert (done.state, done.trained.state) == (Outcome.RETRAINED, "succeeded")
    first, second = row_of(registry, ran.run), row_of(registry, done.trained.run)
    assert members(registry, second) == {
        one: caption for one, caption in members(registry, first).items() if one != gone
    }
    assert second.decision_id != first.decision_id
    exposure = {one: n for one, n in first.result["exposure"].items() if one != gone}
    assert second.result["exposure"] == exposure
    assert second.result["held_out"] == first.result["held_out"]
    plan = read_plan(folder_of(registry, second.id))
    assert (plan.without.run, plan.without.members) == (ran.run, (gone,))
    assert plan.copies == read_plan(folder_of(registry, ran.run)).copies
    header = load_adapter(done.trained.adapter["path"]).metadata
    assert header["picdeed.counterfactual_of"] == ran.run
    assert json.loads(header["picdeed.without_revocations"]) == [cause]
    assert (first.standing, second.standing) == ("suspended", "good")
    assert pipeline.show(registry, ran.run).retrained_as == (second.id,)
    assert (done.trained.counterfactual_of, done.trained.without) == (ran.run, (cause,))

    after = events(registry)
    again = only(registry, cause, never)
    assert (again.trained.run, again.stated) == (second.id, done.stated)
    assert events(registry) == after
    assert replay(registry, second.id, here).equal


def test_what_is_said_of_it_is_signed_found_and_audited(registry: Registry, ran: Ran) -> None:
    cause = revoked(registry, ran.copies[0])
    done = only(registry, cause)
    said = read_report(registry, done.trained.run)
    assert verify_document(said, said["public_key"])
    assert said["schema"] == "picdeed.trained-without/1"
    assert said["adapter"]["id"] == done.trained.adapter["id"]
    assert said["counterfactual_of"]["run"] == ran.run
    assert set(said["left_out"]) == set(ran.copies), "a copy fell with it"
    assert sum(said["left_out"].values()) == said["rows"]["before"] - said["rows"]["after"] == 1
    assert said["revocations"] == [cause]
    assert "adapter" in said["statement"]
    assert "base" not in said["statement"]
    assert "says nothing of the base model" in said["limits"][0]
    apart = done.stated.difference
    assert said["difference"]["distance"] == apart.distance > 0
    assert (apart.same, apart.comparable, apart.environment) == (False, True, "same")
    before, after = (row_of(registry, one).result["loss"] for one in (ran.run, done.trained.run))
    assert apart.held_out["before"] == before["adapter"] != after["adapter"]
    assert apart.held_out["after"] == after["adapter"]

    nodes = {node.id for node in pipeline.graph_of(registry, cause).nodes}
    assert {done.trained.run, done.trained.adapter["id"]} <= nodes
    above = {node.id for node in pipeline.graph_of(registry, done.trained.adapter["id"]).nodes}
    assert cause in above
    assert not above & {*ran.copies, ran.run}, "it does not descend from what it leaves out"
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok
    done.stated.path.write_bytes(
        done.stated.path.read_bytes().replace(b'"same":false', b'"same":true')
    )
    found = pipeline.audit(registry, pipeline.trust_of(registry)).problems
    assert [(one.subject, one.kind) for one in found] == [(done.trained.run, "report")]
    assert state(registry, done.trained.run).sha256 != done.stated.sha256
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok
    assert state(registry, ran.run) is None


def test_interrupted_it_goes_on_by_its_own_id_and_is_then_told(registry: Registry, ran: Ran):
    """One that was held out fell too: the losses are then no comparison."""
    held = row_of(registry, ran.run).result["held_out"][0]
    cause = revoked(registry, held)
    one = only(registry, cause, never)
    assert (one.state, one.less.held_out) == (Outcome.UNTOUCHED, (held,))
    assert "only held out" in one.less.reason
    cause = revoked(registry, shown(registry, ran)[0])
    queued = only(registry, cause, None)
    assert (queued.state, queued.stated) == (Outcome.STARTED, None)

    def fails(folder: Path, *, progress) -> None:
        raise RunFailed("the power went")

    with pytest.raises(RunFailed, match="power"):
        only(registry, cause, fails)
    assert row_of(registry, queued.trained.run).state == "failed"
    assert pipeline.resume(registry, queued.trained.run, here).state == "succeeded"
    assert read_report(registry, queued.trained.run)["run"] == queued.trained.run
    done = only(registry, cause, None)
    assert (done.state, done.less.held_out) == (Outcome.RETRAINED, (held,))
    apart = done.stated.difference
    assert (apart.comparable, apart.held_out) == (False, None)
    assert "held out are left: 1 of them was revoked" in apart.why_not


def test_an_ordinary_run_on_what_is_left_is_another_one(registry: Registry, ran: Ran) -> None:
    cause = revoked(registry, shown(registry, ran)[0])
    without = only(registry, cause, None).trained.run
    row = row_of(registry, without)
    recipe = recipe_from(row.recipe)
    plain = pipeline.fine_tune(registry, row.snapshot_id, BASE, recipe, None).run
    assert plain not in {without, ran.run}
    assert pipeline.fine_tune(registry, row.snapshot_id, BASE, recipe, None).run == plain
    assert pipeline.show(registry, plain).counterfactual_of is None


def test_what_fell_since_is_left_out_too_and_the_first_plan_is_the_one(registry, ran) -> None:
    first, second = shown(registry, ran)[:2]
    one = only(registry, revoked(registry, first), None)
    later = revoked(registry, second)
    two = only(registry, later, None)
    assert (two.of, sorted(two.less.rows)) == (ran.run, sorted([first, second]))
    assert len(two.less.revocations) == 2
    assert two.trained.run != one.trained.run
    # The same picture taken back on another ground: the same run, which then names both.
    again = revoked(registry, second, Ground.PRIVACY)
    three = only(registry, again, None)
    assert three.trained.run == two.trained.run
    assert set(three.trained.without) == {*two.trained.without, again}
    by_hand = plan_without(registry, later, two.trained.run[:14])
    assert [run.of for run in by_hand.runs] == [ran.run]


def test_a_revocation_that_reached_no_picture_of_it_trains_nothing(registry, ran) -> None:
    adapter = row_of(registry, ran.run).result["adapter_id"]
    assert plan_without(registry, revoked(registry, adapter, Ground.ERROR)).runs == ()
    one = only(registry, revoked(registry, ran.run, Ground.ERROR), never)
    assert (one.state, one.less.rows) == (Outcome.UNTOUCHED, {})
    assert "No picture of run" in one.less.reason


def test_where_nobody_is_left_nothing_is_trained(registry: Registry, ran: Ran) -> None:
    one = only(registry, revoked(registry, "drawings"), never)
    assert (one.state, one.less.left) == (Outcome.UNTOUCHED, 0)
    assert "nothing is left to train" in one.less.reason


def test_on_a_revoked_base_nothing_is_trained_again(registry: Registry, ran: Ran) -> None:
    cause = revoked(registry, shown(registry, ran)[0])
    base = revoked(registry, BASE)
    for one in (cause, base):
        with pytest.raises(Denied, match=r"Base .* was revoked") as told:
            plan_without(registry, one)
        assert (told.value.revocation, told.value.run) == (base, ran.run)


def test_the_gate_of_today_is_asked_about_what_is_left(registry: Registry, ran: Ran) -> None:
    first, second = shown(registry, ran)[:2]
    said = {ClaimKind.LICENSE: "CC-BY-NC-4.0"}
    pipeline.claim(registry, pipeline.rules(), second, said, Saying(by="Eve"))
    done = retrain(registry, plan_without(registry, revoked(registry, first)), never)
    (one,) = done.runs
    assert (one.state, one.trained) == (Outcome.REFUSED, None)
    (why,) = refusals(done)
    assert isinstance(why, Denied)
    assert why.decision not in {None, row_of(registry, ran.run).decision_id}


def test_an_edited_plan_is_no_plan_to_go_by(registry: Registry, ran: Ran) -> None:
    cause = revoked(registry, shown(registry, ran)[0])
    path = folder_of(registry, ran.run) / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 7}))
    with pytest.raises(IntegrityError, match="seed"):
        plan_without(registry, cause)


def test_a_run_without_an_adapter_is_refused(registry: Registry, ran: Ran) -> None:
    row = row_of(registry, ran.run)
    recipe = recipe_from(row.recipe | {"steps": 4})
    queued = pipeline.fine_tune(registry, row.snapshot_id, BASE, recipe, None).run
    cause = revoked(registry, shown(registry, ran)[0])
    with pytest.raises(UsageError, match="no adapter"):
        plan_without(registry, cause, queued)
    assert [one.of for one in plan_without(registry, cause).runs] == [ran.run]
