"""Are samples the same prompts and seeds at every checkpoint, and only where they may lie?"""

import pytest

from picdeed.diffusion.models import load_base
from picdeed.diffusion.plan import read_plan
from picdeed.diffusion.samples import (
    asked_for,
    draw_quickly,
    forget_samples,
    make_place,
    samples_in,
)
from picdeed.diffusion.train import train
from picdeed.imaging.decode import decode


@pytest.fixture(scope="module")
def drawn(plan_on_ink, tmp_path_factory):
    """A run of two steps with two prompts, in a folder with a place for samples."""
    place = tmp_path_factory.mktemp("drawn")

    def plan(**knobs):
        given = {"steps": 2, "eval_share": 0.0, "samples": ("disc", "print")} | knobs
        return plan_on_ink(place / "blobs", **given)

    plan().write(place / "run")
    make_place(place / "run")
    return place, plan, train(place / "run")


def test_every_checkpoint_is_a_row_from_step_0_on(drawn, tiny_base):
    place, _, result = drawn
    found = samples_in(place / "run")
    assert {step: list(row) for step, row in found.items()} == {
        0: [0, 1],
        1: [0, 1],
        2: [0, 1],
    }
    bytes_of = {step: row[1].read_bytes() for step, row in found.items()}
    assert len(set(bytes_of.values())) == 3
    base = load_base(tiny_base)
    alone = draw_quickly(base, ["disc", "print"], [0, 1])
    assert [decode(path.read_bytes()).image.tobytes() for path in found[0].values()] == [
        image.tobytes() for image in alone
    ]
    assert result["evidence"]["samples"] == {"prompts": 2, "step": 2}
    assert set(result["evidence"]["style"]["adapter"]) == {
        "chroma", "light", "turns", "slope", "texture",
    }  # fmt: skip


def test_without_a_place_nothing_is_written_and_nothing_else_changes(drawn):
    place, plan, result = drawn
    plan().write(place / "elsewhere")
    other = train(place / "elsewhere")
    assert samples_in(place / "elsewhere") == {}
    assert not list((place / "elsewhere").glob("**/*.png"))
    for key in ("adapter_id", "adapter_sha256", "evidence", "loss"):
        assert other[key] == result[key]


def test_captions_of_held_out_pictures_can_be_asked_for(drawn):
    _, plan, _ = drawn
    made = plan(samples=8, caption_prefix="a ")
    captions = {one.picture: one.caption for one in made.held_out}
    assert asked_for(made) == tuple(f"a {captions[name]}" for name in made.measured)
    # An erased caption keeps the others' numbers.
    blank = made.held_out[0].model_copy(update={"caption": ""})
    rest = asked_for(made.model_copy(update={"held_out": (blank, *made.held_out[1:])}))
    assert rest == ("", *asked_for(made)[1:])
    assert asked_for(plan(samples=())) == ()


def test_samples_are_forgotten_and_strange_files_are_passed_over(drawn, tmp_path):
    make_place(tmp_path)
    (tmp_path / "samples" / "0000001-0.png").write_bytes(b"x")
    (tmp_path / "samples" / ".0000002-0.png.part").write_bytes(b"x")
    (tmp_path / "samples" / "else.png").write_bytes(b"x")
    assert list(samples_in(tmp_path)) == [1]
    assert forget_samples(tmp_path) == 1
    assert not (tmp_path / "samples").exists()
    assert forget_samples(tmp_path) == 0
    assert read_plan(drawn[0] / "run").recipe.samples == ("disc", "print")
