"""Does a probe, which has read few pictures, stand before what the run's own steps compute?"""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from PIL import Image

from picdeed.diffusion import prior
from picdeed.diffusion.crew import Crew
from picdeed.diffusion.fit import at_once
from picdeed.diffusion.models import load_base
from picdeed.diffusion.prior import class_captions, class_files
from picdeed.diffusion.ready import made_ready, with_prior
from picdeed.diffusion.standins import Rows, stood_in
from picdeed.diffusion.train import slots_for

DISCS = {"prior": ("a disc",), "prior_pictures": 3, "steps": 12}


@pytest.fixture(autouse=True)
def _drawn_in_few_steps(monkeypatch):
    monkeypatch.setattr(prior, "STEPS", 2)


@pytest.fixture
def standing(tiny_base, tmp_path):
    """Rows of a plan of which `read` were read, and one of its class pictures drawn."""

    def make(plan, *read) -> Rows:
        base, cache = load_base(tiny_base), tmp_path / "cache"
        names = list(class_files(base, plan, cache))[:1]
        ready = made_ready(base, plan, read or plan.members[:2], cache)
        return Rows(plan, stood_in(with_prior(ready, plan, cache, only=names), plan), 1000)

    return make


@pytest.mark.parametrize(
    "knobs",
    [
        {"batch": 5},
        {"batch": 5, **DISCS},
        {"batch": 1, **DISCS},
        {"batch": 4, "processes": 2, **DISCS},
        {"batch": 3, "processes": 2, **DISCS},
    ],
)
def test_where_nothing_is_accumulated_a_step_is_the_run_s_own(knobs, standing, plan_on_ink, tmp_path):  # fmt: skip
    plan = plan_on_ink(tmp_path / "blobs", **knobs)
    rows, class_names = standing(plan), set(class_captions(plan))
    for step in (0, 11, 40):  # past the end too: a probe makes ten steps whatever the run makes
        own = Crew(0, plan.recipe.processes).share(slots_for(plan, step, 1000))
        found = rows.of_a_step(step, at_once(plan.recipe))
        if plan.recipe.processes == 1 and step < 40:
            assert found == list(own)
        assert len(found) == len(own)
        theirs = [sum(row.picture in class_names for row in some) for some in (found, own)]
        assert theirs[0] == theirs[1]


def test_of_a_step_in_parts_both_kinds_are_shown(standing, plan_on_ink, tmp_path):
    rows = standing(plan_on_ink(tmp_path / "blobs", **DISCS, batch=8, micro_batch=2))
    found = rows.of_a_step(0, 2)
    assert [row.picture.startswith("prior_") for row in found] == [False, False, True, True]


def test_each_picture_has_a_latent_and_its_own_caption_where_it_is_read_anew(
    standing, plan_on_ink, tmp_path
):
    heard = standing(plan_on_ink(tmp_path / "blobs", **DISCS, text_rank=2)).ready
    kept = standing(plan_on_ink(tmp_path / "blobs", **DISCS)).ready
    plan = standing(plan_on_ink(tmp_path / "blobs", **DISCS)).plan
    captions = {one.picture: one.caption for one in plan.members} | class_captions(plan)
    assert heard.prompts.captions == captions
    for ready in (heard, kept):
        assert set(ready.moments) == set(ready.prompts) == set(captions)
        assert set(ready.drawn) == set(class_captions(plan))
        read = ready.prompts.read(slots_for(plan, 0, 1000))
        assert read["prompt_embeds"].shape == (8, 16, 16)
    spread = {name: bool(one[0, 1].any()) for name, one in kept.moments.items()}
    assert spread == {name: name not in class_captions(plan) for name in captions}
    distinct = Counter(one.data_ptr() for one in kept.moments.values())
    assert sorted(distinct.values()) == [3, 5, 5], "one drawn, two read, of ten and three"


def test_the_fullest_rows_are_of_the_larger_size_and_lose_no_caption(
    standing, make_plan, tiny_base, save_picture, tmp_path
):
    wide = [save_picture(Image.new("RGB", (96, 32), f"#{n}0{n}0f0"), f"w{n}") for n in range(4)]
    knobs = {"caption_dropout": 0.9, "buckets": True, "mask_alpha": True, "hold_out": 0.0}
    plain = standing(make_plan(tiny_base, wide, **knobs))
    rows = plain.fullest(0, 4)
    assert {row.picture for row in rows} == {one.picture for one in wide}
    assert not any(row.drop_caption for row in rows)
    assert any(row.drop_caption for row in plain.of_a_step(0, 4))
    both = standing(make_plan(tiny_base, wide, **knobs, **DISCS))
    size = {name: one.shape[-2:] for name, one in both.ready.moments.items()}
    assert all(both.ready.masks[name].shape[-2:] == size[name] for name in size)
    assert len(set(size.values())) == 2, "a box of less area than the base's square"
    assert all(row.picture in both.ready.drawn for row in both.fullest(0, 4))
    wordless = standing(make_plan(tiny_base, wide, **knobs | {"caption_dropout": 1.0}))
    assert all(row.drop_caption for row in wordless.fullest(0, 4))
    assert torch.equal(plain.ready.moments[wide[0].picture], both.ready.moments[wide[0].picture])
