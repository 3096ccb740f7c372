"""Can a person let a REVIEW pass, and only that, and only for a while?"""

import pytest

from picdeed.core.errors import Denied, NeedsReview, UsageError
from picdeed.flow import gate as gating
from picdeed.flow import pipeline
from picdeed.flow.train import prepare
from picdeed.registry import pictures
from picdeed.rights.claims import ClaimKind
from picdeed.rights.verdict import Use


def state(registry, target, expression):
    said = {ClaimKind.LICENSE: expression}
    pipeline.claim(registry, pipeline.rules(), target, said, pipeline.Saying(by="Eve"))


@pytest.fixture
def gated(filled):
    """A snapshot whose share-alike asks a person, and its decision about sharing."""
    state(filled, "drawings", "CC-BY-SA-4.0")
    frozen = pipeline.freeze(filled, "drawings").snapshot
    return pipeline.judge(filled, frozen, "sprig", [Use.SHARE_ADAPTER])


def test_the_verdict_stays_review_and_the_gate_opens(filled, gated):
    assert (gated.verdict, gated.is_open, gated.approved) == ("REVIEW", False, None)
    done = pipeline.approve(
        filled, gated.decision[:12], by="Eve", basis="licensed under BY-SA too", until="2099-01-01"
    )
    assert (done.verdict, done.is_open, done.approved["by"]) == ("REVIEW", True, "Eve")
    again = pipeline.judge(filled, gated.snapshot, "sprig", [Use.SHARE_ADAPTER])
    assert (again.decision, again.is_open) == (gated.decision, True)
    pipeline.require_open(again)


def test_it_dies_with_its_day_and_with_any_new_fact(filled, gated, monkeypatch):
    pipeline.approve(filled, gated.decision, by="Eve", basis="b", until="2099-01-01")
    with filled.read() as session:
        one = pictures.all_ids(session)[0]
    state(filled, one, "CC-BY-SA-3.0")
    changed = pipeline.judge(filled, gated.snapshot, "sprig", [Use.SHARE_ADAPTER])
    assert changed.decision != gated.decision
    assert not changed.is_open
    monkeypatch.setattr(gating, "utc_now", lambda: "2099-01-02T00:00:00.000000Z")
    late = pipeline.judge(filled, gated.snapshot, "sprig", [Use.SHARE_ADAPTER])
    assert not late.is_open


@pytest.mark.parametrize(
    "how",
    [
        {"by": "  "},
        {"basis": ""},
        {"until": "2020-01-01"},
        {"until": "never"},
        {"by": "x" * 3000},
    ],
)
def test_an_approval_that_says_too_little_is_refused(filled, gated, how):
    words = {"by": "Eve", "basis": "b", "until": "2099-01-01"} | how
    with pytest.raises(UsageError):
        pipeline.approve(filled, gated.decision, **words)
    assert pipeline.list_decisions(filled, gated.decision)[0].approved is None


@pytest.mark.parametrize("expression", ["CC0-1.0", "CC-BY-NC-4.0"])
def test_only_a_review_can_be_approved(filled, expression):
    state(filled, "drawings", expression)
    frozen = pipeline.freeze(filled, "drawings", pipeline.Query(all=True)).snapshot
    found = pipeline.judge(filled, frozen, "sprig")
    with pytest.raises(UsageError, match="only a REVIEW"):
        pipeline.approve(filled, found.decision, by="Eve", basis="b", until="2099-01-01")


# --- training under one decision only -----------------------------------------------------------


def tune(registry, frozen, decision, uses=(Use.TRAIN,)):
    from picdeed.diffusion.recipe import default_preset, load_recipe

    recipe = load_recipe(default_preset("sprig"), ["steps=1"])
    return pipeline.fine_tune(registry, frozen, "sprig", recipe, None, uses=uses, decision=decision)


def test_training_refuses_a_dead_or_foreign_decision(filled, gated):
    frozen = gated.snapshot
    live = pipeline.judge(filled, frozen, "sprig").decision
    assert tune(filled, frozen, live[:14]).state == "queued"
    with pytest.raises(UsageError, match="is about"):
        tune(filled, frozen, live, uses=(Use.SELL_ADAPTER,))
    with pytest.raises(NeedsReview):
        tune(filled, frozen, gated.decision, uses=(Use.SHARE_ADAPTER,))
    with filled.read() as session:
        one = pictures.all_ids(session)[0]
    state(filled, one, "CC-BY-4.0")
    with pytest.raises(Denied, match="no longer holds"):
        tune(filled, frozen, live)


def test_an_approved_decision_opens_training_for_its_uses(filled, gated):
    pipeline.approve(filled, gated.decision, by="Eve", basis="b", until="2099-01-01")
    run = tune(filled, gated.snapshot, gated.decision, uses=(Use.SHARE_ADAPTER,))
    assert run.state == "queued"


def test_a_denied_decision_prepares_no_run(filled):
    state(filled, "drawings", "CC-BY-NC-4.0")
    frozen = pipeline.freeze(filled, "drawings", pipeline.Query(all=True)).snapshot
    dead = pipeline.judge(filled, frozen, "sprig")
    from picdeed.diffusion.recipe import default_preset, load_recipe

    with pytest.raises(Denied):
        prepare(filled, dead.decision, load_recipe(default_preset("sprig"), []), seed=0)
