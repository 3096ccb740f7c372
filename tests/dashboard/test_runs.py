from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.jobs import watch
from picdeed_ui.parts.runs import is_live


@pytest.fixture
def run(filled):
    """A run that was recorded but never started, with its folder."""
    frozen = pipeline.freeze(filled, "tiny").snapshot
    recipe = load_recipe("demo", ["steps=10"])
    made = pipeline.fine_tune(filled, frozen, "sprig", recipe, None)
    made.folder.mkdir(parents=True)
    return made


def beat(run, seconds_ago, step=4):
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    told = {"pid": 1, "step": step, "at": at.isoformat(timespec="seconds")}
    (run.folder / "heartbeat").write_text(json.dumps(told))


def test_a_run_between_its_last_heartbeat_and_its_record_is_still_watched(filled, run):
    view = watch.one_run(filled, run.run)
    assert view.state == "queued"
    assert is_live(view)
    beat(run, seconds_ago=2)
    view = watch.one_run(filled, run.run)
    assert view.state == "interrupted"
    assert is_live(view)
    beat(run, seconds_ago=600)
    assert not is_live(watch.one_run(filled, run.run))


def test_an_interrupted_run_can_go_on(filled, run, go, said):
    beat(run, seconds_ago=600)
    (run.folder / "stderr.log").write_text("<b>out of memory</b>\n")
    app = go("tune")
    text = said(app)
    assert "interrupted" in text
    assert "4 of 10" in text
    assert any(one.label == "Go on from the last checkpoint" for one in app.button)
    assert "out of memory" in app.code[0].value


def test_a_run_that_waits_for_its_process(run, go, said):
    app = go("tune")
    assert "queued" in said(app)
    assert not any(one.label == "Go on from the last checkpoint" for one in app.button)
