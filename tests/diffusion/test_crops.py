"""Are pictures shown in crops that really differ, each where it is said to lie, and encoded once?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from picdeed.core.errors import IntegrityError
from picdeed.diffusion.cache import crops_of, encode, frames, latent_moments, moments_at
from picdeed.diffusion.crops import crop_name, cuts, is_middle
from picdeed.diffusion.data import Frame, cropped, frame, mirrored, square
from picdeed.diffusion.draws import Slot
from picdeed.diffusion.filling import fill
from picdeed.diffusion.models import Base, load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import RunPlan, Trainee, read_plan
from picdeed.diffusion.prompts import FRAME
from picdeed.diffusion.ready import made_ready, prepare, slots_losses
from picdeed.diffusion.recipe import Precision
from picdeed.diffusion.runfolder import read_log
from picdeed.diffusion.train import slots_for, train
from picdeed.testing import tiny_model, tiny_picture

Save = Callable[..., Trainee]
SLACK = 48  # of a picture of 80 x 32 in a square of 32: no pixel of it is resized


def strip(seed: int, mode: str = "RGB") -> Image.Image:
    """80 x 32 pixels, no two parts of it alike."""
    numbers = np.random.default_rng(seed).integers(0, 256, (8, 20, len(mode)), dtype=np.uint8)
    return Image.fromarray(numbers, mode).resize((80, 32), Image.Resampling.BICUBIC)


@pytest.fixture
def some(save_picture: Save) -> list[Trainee]:
    """Nine pictures: wide, high, and (a third of them) with nothing to spare."""
    images = [tiny_picture(9, 32), strip(1), strip(2).rotate(90, expand=True)]
    return [
        save_picture(images[n % 3].point(lambda value, n=n: value ^ n), f"p{n}") for n in range(9)
    ]


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("two") / "sdxl", family="sdxl")


@contextmanager
def encodings(base: Base) -> Iterator[list[int]]:
    """How many pictures the base's autoencoder encodes meanwhile, in the only item."""
    seen = [0]

    def hook(module: Any, given: Any, made: Any) -> None:
        seen[0] += len(made)

    handle = base.vae.encoder.register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


@given(st.integers(0, 2000), st.integers(1, 16), st.booleans())
def test_crops_begin_in_the_middle_and_are_spread_over_all_there_is(slack, count, upright):
    spare = (0, slack) if upright else (slack, 0)
    places = cuts(spare, count)
    assert {place[not upright] for place in places} == {0}
    assert places == cuts(spare, 16)[: len(places)], "few are the first of many"
    found = [place[upright] for place in places]
    assert found[0] == slack // 2
    assert 1 <= len(found) <= count
    ordered = sorted(found)
    gaps = [later - one for one, later in itertools.pairwise(ordered)]
    assert not gaps or min(gaps) >= 4
    if count >= 3 and slack >= 8:
        assert (ordered[0], ordered[-1]) == (0, slack)
        assert max(gaps) <= 2 * min(gaps) + 3, "each is halved once, and rounded"
    if slack >= 16 * 4:
        assert len(found) == count
    if count in {3, 5, 9}:  # but for the middle one's own mirror
        assert {slack - one for one in found[1:]} == set(found[1:])


@pytest.mark.parametrize(("slack", "count"), [(0, 1), (7, 1), (8, 3), (15, 3), (16, 5), (31, 5)])
def test_crops_that_would_show_the_same_are_one(slack, count):
    assert len(cuts((slack, 0), 16)) == count


def test_a_frame_of_each_crop_and_of_its_mirror_tells_where_it_lies(save_picture):
    image = strip(1)
    own = save_picture(image, "strip", "png")
    seen = cropped(frame(Path(own.path), square(32)), 5)
    assert [one.left for one in seen] == [24, 0, 48, 12, 36]
    assert seen[0] == frame(Path(own.path), square(32))
    other = ImageOps.mirror(image)
    for one in seen:
        shown = np.asarray(image)[:, one.left : one.left + 32]
        turned = np.asarray(other)[:, mirrored(one).left : mirrored(one).left + 32]
        assert np.array_equal(shown[:, ::-1], turned)
    upright = cropped(Frame(80, 32, 24, 0, 32, 32), 3)
    assert [(one.left, one.top) for one in upright] == [(0, 24), (0, 0), (0, 48)]
    assert [mirrored(one) for one in upright] == list(upright)


def test_each_crop_is_encoded_as_what_it_shows_in_both_views(tiny_base, some, tmp_path):
    base = load_base(tiny_base)
    crops = crops_of(base, some, tmp_path, buckets=False, count=3)
    made = latent_moments(base, some, tmp_path, flip=True, crops=crops)
    middle = latent_moments(base, some, tmp_path / "plain", flip=True)
    assert {name: one for name, one in made.items() if is_middle(name)}.keys() == middle.keys()
    assert all(torch.equal(made[name], one) for name, one in middle.items())
    for trainee in some:
        image = np.asarray(Image.open(trainee.path), dtype=np.float32) / 127.5 - 1
        high, wide, _ = image.shape
        assert (trainee.picture in crops) == (max(high, wide) > 32)
        for number, one in enumerate(crops.get(trainee.picture, ())):
            at, across = ((0, 24), (0, 0), (0, 48))[number][:: 1 if wide > high else -1]
            assert (one.top, one.left) == (at, across)
            part = torch.from_numpy(image[at : at + 32, across : across + 32]).permute(2, 0, 1)
            told = made[crop_name(trainee.picture, number)]
            assert torch.allclose(told[0], encode(base, part.contiguous()), atol=1e-5)
            assert torch.allclose(told[1], encode(base, part.flip(-1).contiguous()), atol=1e-5)


def test_a_crop_is_encoded_once_for_all_runs_and_none_twice(tiny_base, some, tmp_path):
    base = load_base(tiny_base)
    read, before = partial(latent_moments, base, some, tmp_path, flip=True), set()
    for count, fresh in ((1, 9), (3, 6 * 2), (5, 6 * 2), (3, 0), (1, 0)):
        crops = crops_of(base, some, tmp_path, buckets=False, count=count)
        with encodings(base) as seen:
            made = read(crops=crops)
        assert seen == [2 * fresh]
        assert len(made) == 9 + 6 * (count - 1)
        paths = moments_at(
            base, [one.picture for one in some], tmp_path, flip=True, buckets=False, crops=crops
        )
        assert paths.keys() == made.keys()
        assert len(set(paths.values())) == len(paths)
        assert before <= set(paths.values()) or fresh == 0
        before = set(paths.values())


def test_what_was_kept_needs_no_picture_and_a_foreign_file_is_never_kept(tiny_base, some, tmp_path):
    base = load_base(tiny_base)
    wide = some[1]
    data = Path(wide.path).read_bytes()
    Path(wide.path).write_bytes(Path(some[2].path).read_bytes())
    ask = partial(crops_of, base, some, tmp_path, buckets=False, count=3)
    with pytest.raises(IntegrityError, match=wide.picture[:16]):
        ask()
    Path(wide.path).write_bytes(data)
    crops = ask()
    made = latent_moments(base, some, tmp_path, flip=False, crops=crops)
    for one in some:
        Path(one.path).unlink()
    assert ask() == crops
    again = latent_moments(base, some, tmp_path, flip=False, crops=ask())
    assert all(torch.equal(made[name], one) for name, one in again.items())


def test_a_loss_reads_the_mask_of_its_crop(tiny_base, save_picture, make_plan, tmp_path):
    stickers = []
    for n in range(3):
        image = strip(n, "RGBA")
        image.putalpha(Image.new("L", image.size, 255))
        image.paste((0, 0, 0, 0), (32, 0, 80, 32))
        stickers.append(save_picture(image, f"s{n}"))
    knobs = {"mask_alpha": True, "flip": True, "crops": 3, "hold_out": 0}
    ready = prepare(tmp_path, make_plan(tiny_base, stickers, **knobs))
    objective = Objective(ready.base)
    name = stickers[0].picture
    opaque = {0: [1, 1, 0, 0, 0, 0, 0, 0], 1: [1] * 8, 2: [0] * 8}
    losses = []
    for crop, flip in ((0, False), (0, True), (1, False), (1, True), (2, False), (2, True)):
        slot = Slot(name, flip, drop_caption=False, timestep=500, noise_seed=3, crop=crop)
        mean, deviation = ready.moments[crop_name(name, crop)][int(flip)]
        generator = torch.Generator().manual_seed(3)
        latent = mean + deviation * torch.randn(mean.shape, generator=generator)
        noise = torch.randn(mean.shape, generator=generator)
        prompt = {key: one[None] for key, one in ready.prompts[name].items()}
        row = opaque[crop][:: -1 if flip else 1]
        mask = torch.tensor(row, dtype=torch.float32).expand(1, 1, 8, 8)
        with torch.no_grad():
            said = slots_losses(objective, ready, Precision.FP32, [slot])
            by_hand = objective.losses(latent[None], noise[None], torch.tensor([500]), prompt, mask)
        assert torch.allclose(said, by_hand)
        losses.append(float(said))
    assert losses[4:] == [0, 0]
    assert len({round(one, 6) for one in losses}) == 5


@pytest.mark.parametrize("text_rank", [0, 2])
def test_a_base_that_is_told_of_frames_is_told_of_the_crop_that_it_is_shown(
    sdxl, some, make_plan, tmp_path, text_rank
):
    more = {"text_rank": text_rank, "targets": ("to_q",)}
    plan = make_plan(sdxl, some, crops=3, flip=True, hold_out=0, **more)
    base = load_base(sdxl)
    ready = made_ready(base, plan, plan.members, tmp_path)
    told: dict[tuple[int, bool, bool], list[float]] = {}
    for trainee in (some[1], some[2]):  # a wide one and a high one
        for crop in range(3):
            for flip in (False, True):
                for drop in (False, True):
                    slot = Slot(trainee.picture, flip, drop, 500, 1, crop)
                    row = ready.prompts.read([slot])[FRAME][0].tolist()
                    told[crop, flip, drop] = row
                assert told[crop, flip, True] == told[crop, flip, False]
        lefts = [[told[crop, flip, False][2:4] for crop in range(3)] for flip in (False, True)]
        if trainee is some[1]:
            assert lefts == [[[0, 24], [0, 0], [0, 48]], [[0, 24], [0, 48], [0, 0]]]
        else:
            assert lefts == [[[24, 0], [0, 0], [48, 0]]] * 2
    plain = frames(base, some, tmp_path)
    assert all(torch.equal(ready.prompts[name][FRAME], one[FRAME]) for name, one in plain.items())


@pytest.fixture
def a_crop_run(tiny_base, tmp_path, some, make_plan) -> Callable[..., Path]:
    def make(name: str, **knobs: object) -> Path:
        quick = {"steps": 3, "flip": True, "eval_share": 0, "eval_noises": 1}
        make_plan(tiny_base, some, **quick | knobs).write(tmp_path / name)
        return tmp_path / name

    return make


def test_a_run_learns_from_crops_counts_pictures_and_is_measured_in_the_middle(a_crop_run):
    plain, several = a_crop_run("plain"), a_crop_run("several", crops=3)
    before, after, log = train(plain), train(several), read_log(several)
    plan = read_plan(several)
    assert before["crops"] == {"1": len(plan.members)}
    square_ones = sum(Image.open(one.path).size == (32, 32) for one in plan.members)
    assert after["crops"] == {"1": square_ones, "3": len(plan.members) - square_ones}
    assert after["sizes"] == before["sizes"] == {"32x32": 9}
    assert after["exposure"] == before["exposure"]
    assert after["loss"]["base"] == before["loss"]["base"], "the same exercises"
    for one in plan.held_out:
        assert len(list((several / "cache" / "latents" / one.picture).iterdir())) == 1

    # By hand: a fresh adapter changes nothing, so the first loss is the base's own.
    ready = prepare(several, plan)
    slots = slots_for(plan, 0, 1000, ready.crops)
    assert any(slot.crop for slot in slots)
    with torch.no_grad():
        losses = slots_losses(Objective(ready.base), ready, Precision.FP32, slots)
    assert log[0]["loss"] == pytest.approx(float(losses.mean()), rel=1e-5)
    assert log[0]["loss"] != pytest.approx(read_log(plain)[0]["loss"], rel=1e-3)

    for lost in (max((several / "checkpoint").glob("step-*")), several / "result.json"):
        lost.unlink()
    (several / "adapter.safetensors").unlink()
    again = train(several)
    assert again["resumed_from"] == 2
    assert again["adapter_id"] == after["adapter_id"]
    assert [row["loss"] for row in read_log(several)] == [row["loss"] for row in log]


def test_boxes_of_many_shapes_are_cut_to_crops_too(a_crop_run, save_picture, some):
    sizes = [(320, 32), (32, 300), (45, 32), (32, 32)] * 2
    some[:] = [
        save_picture(tiny_picture(n + 1).resize(size), f"b{n}") for n, size in enumerate(sizes)
    ]
    folder = a_crop_run("boxed", buckets=True, crops=5, mask_alpha=True, hold_out=0)
    plan = read_plan(folder)
    ready = prepare(folder, plan)
    assert ready.sizes() == {"24x40": 2, "32x32": 2, "40x24": 4}
    assert ready.cropped(plan.members) == {"1": 4, "5": 4}
    assert {name for name in ready.moments if is_middle(name)} == {one.picture for one in some}
    drawn = [slot for step in range(60) for slot in slots_for(plan, step, 1000, ready.crops)]
    assert {slot.shown for slot in drawn} == set(ready.moments) == set(ready.masks)
    for slot in drawn:
        assert ready.shape(slot) == ready.moments[slot.picture].shape
    some_crops = torch.stack([ready.moments[crop_name(some[0].picture, n)] for n in range(5)])
    assert len(some_crops.flatten(1).unique(dim=0)) == 5


def test_an_estimate_counts_what_a_run_then_encodes(tiny_base, a_crop_run, tmp_path):
    plan = read_plan(a_crop_run("run", crops=3))
    base = load_base(tiny_base)
    with encodings(base) as first:
        told = fill(base, plan, tmp_path / "cache", encodes=True)
    assert told.pictures == 9 - 4 < told.crops
    assert told.seconds == told.crops * told.a_crop + told.captions * told.a_caption
    with encodings(base) as rest:
        made_ready(base, plan, (*plan.members, *plan.held_out), tmp_path / "cache")
    assert rest == [2 * told.crops]
    assert first[0] + rest[0] == 2 * (9 + 2 * sum(n > 1 for n in crops_each(plan)))
    done = fill(base, plan, tmp_path / "cache", encodes=False)
    assert (done.pictures, done.crops, done.a_crop) == (0, 0, 0.0)


def crops_each(plan: RunPlan) -> list[int]:
    return [len(cropped(frame(Path(one.path), square(32)), 3)) for one in plan.members]
