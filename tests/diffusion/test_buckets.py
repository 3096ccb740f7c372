"""Do pictures of many shapes train together, each in its own, and none of them left out?"""

from collections import Counter

import pytest
from PIL import Image

from picdeed.diffusion.cache import latent_moments
from picdeed.diffusion.estimate import estimate
from picdeed.diffusion.models import load_base
from picdeed.diffusion.plan import read_plan
from picdeed.diffusion.ready import slots_losses
from picdeed.diffusion.runfolder import read_json, read_log
from picdeed.diffusion.train import train
from picdeed.testing import tiny_picture

SHAPES = ((48, 48), (96, 48), (48, 96), (60, 45), (33, 64))


@pytest.fixture
def mixed(save_picture):
    """Ten pictures of five shapes."""
    return [
        save_picture(tiny_picture(n + 1).resize(SHAPES[n % 5], Image.Resampling.LANCZOS), f"m{n}")
        for n in range(10)
    ]


@pytest.fixture
def a_mixed_run(tiny_base, tmp_path, mixed, make_plan):
    def make(name, **knobs):
        make_plan(tiny_base, mixed, **knobs).write(tmp_path / name)
        return tmp_path / name

    return make


def test_every_picture_is_shown_in_its_own_shape(a_mixed_run):
    folder = a_mixed_run("boxed", buckets=True, steps=6, batch=5, micro_batch=2)
    result = train(folder)
    plan = read_plan(folder)
    assert sum(result["sizes"].values()) == len(plan.members) + len(plan.held_out)
    assert len(result["sizes"]) >= 3
    assert "32x32" in result["sizes"]
    assert sum(result["exposure"].values()) == 6 * 5
    assert set(result["exposure"]) == {one.picture for one in plan.members}
    assert min(result["exposure"].values()) >= 3, "no shape was left out to fill a batch"
    assert result["loss"] is None or result["loss"]["pictures"] == len(plan.measured)


def test_without_buckets_all_are_squares(a_mixed_run):
    assert list(train(a_mixed_run("square", steps=1))["sizes"]) == ["32x32"]


def test_a_batch_of_many_shapes_is_one_batch(a_mixed_run):
    """However it is split, the loss and the adapter are those of the whole."""
    whole, parts = (
        a_mixed_run(name, buckets=True, steps=4, batch=6, micro_batch=micro)
        for name, micro in (("whole", 6), ("parts", 1))
    )
    train(whole)
    train(parts)
    assert [row["loss"] for row in read_log(whole)] == pytest.approx(
        [row["loss"] for row in read_log(parts)], rel=1e-4
    )


def test_a_run_of_many_shapes_resumes_to_the_same_bytes(a_mixed_run):
    whole, cut = (a_mixed_run(name, buckets=True, steps=20, batch=4) for name in ("whole", "cut"))
    train(whole)
    train(cut)
    newest = max((cut / "checkpoint").glob("step-*"))
    for name in (newest, cut / "result.json", cut / "adapter.safetensors"):
        name.unlink()
    assert train(cut)["resumed_from"] == 18
    assert train(cut)["adapter_id"] == read_json(whole / "result.json")["adapter_id"]


def test_latents_in_boxes_and_in_squares_are_kept_apart(tiny_base, mixed, tmp_path):
    base = load_base(tiny_base)
    both = [
        latent_moments(base, mixed, tmp_path, flip=False, buckets=buckets)
        for buckets in (True, False, True)
    ]
    assert Counter(one.shape[-2:] for one in both[1].values()) == {(8, 8): 10}
    for name, moments in both[0].items():
        assert (moments == both[2][name]).all()
    assert len({one.shape for one in both[0].values()}) >= 3


def test_an_estimate_computes_equal_shapes_at_once(a_mixed_run, monkeypatch):
    """Else two pictures of a batch would be measured as if they were one."""
    calls = []

    def losses(objective, ready, precision, slots):
        calls.append([ready.shape(slot) for slot in slots])
        return slots_losses(objective, ready, precision, slots)

    monkeypatch.setattr("picdeed.diffusion.probe.slots_losses", losses)
    folder = a_mixed_run("asked", buckets=True, mask_alpha=True, steps=2, batch=3, eval_share=0)
    assert estimate(folder).at_once == 3
    assert {len(shapes) for shapes in calls} == {1, 2, 3}
    assert all(len(set(shapes)) == 1 for shapes in calls)
