"""Is what a run has still to read and to draw counted, and what is there already left out?"""

from __future__ import annotations

from pathlib import Path

import pytest

from picdeed.diffusion import prior
from picdeed.diffusion.filling import DRAWN, PICTURES, Filling, fill
from picdeed.diffusion.latents import prior_of
from picdeed.diffusion.models import load_base
from picdeed.diffusion.ready import prepare

DISCS = {"prior": ("a disc", "a ring"), "prior_pictures": 3, "steps": 3}


@pytest.fixture(autouse=True)
def _drawn_in_few_steps(monkeypatch):
    monkeypatch.setattr(prior, "STEPS", 2)


def drawn(cache: Path) -> int:
    return len(list(prior_of(cache).glob("*.safetensors")))


def test_class_pictures_are_drawn_two_at_a_time_and_those_that_are_there_left_out(
    plan_on_ink, tiny_base, tmp_path
):
    plan, cache = plan_on_ink(tmp_path / "blobs", **DISCS), tmp_path / "cache"
    base = load_base(tiny_base)
    first = fill(base, plan, cache, encodes=False)
    assert drawn(cache) == len(first.shown) == DRAWN
    assert (first.drawings, first.pictures) == (6 - 2, 12 - PICTURES)
    # Of fourteen captions, with the empty one and both prompts, six are read.
    assert first.captions == 15 - (PICTURES + 1 + 1)
    assert min(first.a_drawing, first.a_crop, first.a_caption) > 0
    for left in (2, 0):
        again = fill(base, plan, cache, encodes=False)
        assert (again.drawings, drawn(cache)) == (left, 6 - left)
        assert again.a_drawing > 0
    done = fill(base, plan, cache, encodes=False)
    assert (done.drawings, done.a_drawing, done.pictures) == (0, 0.0, 0)
    assert len(done.shown) == PICTURES


def test_as_many_are_drawn_as_were_counted(plan_on_ink, tiny_base, tmp_path, monkeypatch):
    """A plan of few steps does not show them all, and what it does not show is not drawn."""
    plan = plan_on_ink(tmp_path / "blobs", **DISCS | {"batch": 1, "steps": 5})
    plan = plan.model_copy(update={"cache": str(tmp_path / "cache")})
    filling = fill(load_base(tiny_base), plan, tmp_path / "cache", encodes=False)
    monkeypatch.setattr(prior, "draw_latents", counted(prior.draw_latents, made := []))
    prepare(tmp_path, plan)
    assert len(made) == filling.drawings == 3


def counted(draw, made):
    def drawing(*given, **knobs):
        made.append(given)
        return draw(*given, **knobs)

    return drawing


def test_of_encoders_that_learn_no_caption_is_kept(plan_on_ink, tiny_base, tmp_path):
    plan = plan_on_ink(tmp_path / "blobs", **DISCS, text_rank=2)
    found = fill(load_base(tiny_base), plan, tmp_path / "cache", encodes=False)
    assert (found.captions, found.a_caption, found.drawings) == (0, 0.0, 4)


def test_the_seconds_are_those_of_all_that_is_left():
    found = Filling((), (), 2, 3, 5, 7, a_crop=1.0, a_caption=0.1, a_drawing=100.0, most=0)
    assert found.seconds == pytest.approx(703.5)
