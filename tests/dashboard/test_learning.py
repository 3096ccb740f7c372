from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from picdeed.core.events import Event
from picdeed.diffusion.recipe import load_recipe
from picdeed.diffusion.samples import make_place
from picdeed.flow import pipeline
from picdeed.flow.train import write_plan
from picdeed.registry import ledger, subjects
from picdeed.registry.runs import Run, Standing
from picdeed_ui.parts.learning import watched_layers


def row(step, *each):
    return {
        "step": step - 1,
        "loss": 0.5,
        "held_out": sum(each) / len(each),
        "held_out_base": 1.0,
        "held_out_each": list(each),
    }


LOG = [{"step": 0, "loss": 0.9}, row(2, 0.5, 0.7), row(4, 0.6, 0.8), row(6, 0.7, 0.9)]


@pytest.fixture
def run(filled, hostile):
    """A run that was recorded but never started, with samples and a log in its folder."""
    frozen = pipeline.freeze(filled, "tiny").snapshot
    recipe = load_recipe("demo", ["steps=6", f"samples={json.dumps([hostile])}"])
    made = pipeline.fine_tune(filled, frozen, "sprig", recipe, None)
    write_plan(filled, made.run)
    make_place(made.folder)
    for step in (0, 2, 4):
        Image.new("RGB", (8, 8), "teal").save(made.folder / "samples" / f"{step:07d}-0.png")
    (made.folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LOG))
    return made


def test_the_held_out_loss_is_a_layer_from_step_0_on():
    line, rule = watched_layers(LOG)
    assert [(one["step"], one["held_out"]) for one in line["data"]["values"]] == [
        (0, 1.0),
        (2, 0.6),
        (4, pytest.approx(0.7)),
        (6, pytest.approx(0.8)),
    ]
    assert rule["data"]["values"] == [{"step": 0, "held_out": 1.0}]
    assert watched_layers(LOG[:1]) == []


def test_a_run_shows_what_it_drew_and_that_it_is_too_long(run, go, said, hostile):
    text = said(go("tune"))
    assert "the base alone" in text
    assert "after step 4" in text
    assert text.count("data:image/webp") == 3
    assert hostile not in text
    assert "&lt;img src=x" in text
    assert "from step 4 on the held-out loss was higher than after step 2" in text
    assert "Blue: the held-out loss" in text


def test_what_a_suspended_run_drew_is_not_shown(filled, run, go, said):
    with filled.write() as session:
        known = subjects.require(session, Run, run.run)
        known.standing = Standing.SUSPENDED
        ledger.write(session, Event.TRAIN_FAILED, {"run": known.id}, [known])
    text = said(go("tune"))
    assert "data:image/webp" not in text
    assert "Not shown: something that it learns from was revoked." in text


def test_the_page_brings_the_look_of_the_plates():
    """Without it samples stand one below the other; each page brings its own style sheets."""
    from picdeed_ui.pages import __file__ as pages

    assert '"plates.css"' in (Path(pages).parent / "tune.py").read_text(encoding="utf-8")
