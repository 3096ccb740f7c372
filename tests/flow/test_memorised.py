"""Are a run's samples kept inside, compared, and gone with what they may show?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from replayable import BASE, QUICK, copied, folder_of, here, row_of

from picdeed.diffusion.recipe import load_recipe
from picdeed.diffusion.samples import samples_in
from picdeed.flow import pipeline
from picdeed.flow.erase import erase
from picdeed.flow.memorised import with_nearest
from picdeed.flow.replay import replay
from picdeed.registry import snapshots
from picdeed.registry.session import open_registry


@pytest.fixture(scope="module")
def sampled(ran, tmp_path_factory) -> tuple[Path, str]:
    """A registry with one more run, which drew two samples a checkpoint. Never written to."""
    place = tmp_path_factory.mktemp("sampled")
    registry = copied(ran, place)
    with registry.read() as session:
        (frozen,) = snapshots.all_snapshots(session)
    recipe = load_recipe("demo", [*QUICK, "steps=1", 'samples=["a drawing", "a cat"]'])
    run = pipeline.fine_tune(registry, frozen.id, BASE, recipe, here).run
    registry.close()
    return place, run


@pytest.fixture
def registry(sampled, tmp_path):
    shutil.copytree(sampled[0] / "registry", tmp_path / "registry")
    return open_registry(tmp_path / "registry")


def test_each_sample_names_its_nearest_pictures(registry, sampled):
    run = sampled[1]
    told = pipeline.show(registry, run).evidence["nearest"]
    result = row_of(registry, run).result
    assert list(samples_in(folder_of(registry, run))) == [0, 1]
    assert (told["step"], [one["sample"] for one in told["samples"]]) == (1, [0, 1])
    for one in told["samples"]:
        assert one["trained"]["picture"] in result["exposure"]
        assert one["held_out"]["picture"] in result["held_out"]
        assert 0 < one["trained"]["distance"] < 200
        assert one["kind"] == "unrelated"
    assert told["copied"] == 0
    assert told["expected"] == 0.5  # two were shown in its one step, two are held out


def test_a_copied_picture_is_found_and_counted(registry, sampled):
    run = sampled[1]
    folder, result = folder_of(registry, run), row_of(registry, run).result
    shown = next(name for name, times in result["exposure"].items() if times)
    path = samples_in(folder)[1][0]
    path.write_bytes(registry.blobs.read(shown.removeprefix("img_")))
    told = with_nearest(registry, folder, result)["evidence"]["nearest"]
    assert told["samples"][0]["trained"] == {"picture": shown, "distance": 0}
    assert told["samples"][0]["kind"] == "same-pixels"
    assert (told["copied"], told["nearer_to_trained"] >= 1) == (1, True)


def test_without_samples_or_evidence_there_is_nothing_to_compare(registry, ran, tmp_path):
    row = row_of(registry, ran.run)
    assert row.result["evidence"]["nearest"] is None
    assert row.result["evidence"]["style"] is None
    assert not (registry.root / row.folder / "samples").exists()
    assert with_nearest(registry, tmp_path, {"steps": 3}) == {"steps": 3}


def test_a_replay_is_equal_and_writes_no_picture(registry, sampled, tmp_path):
    pictures = []

    def launch(folder, *, progress):
        here(folder, progress=progress)
        pictures.extend(folder.glob("**/*.png"))

    done = replay(registry, sampled[1], launch, keep=tmp_path / "kept")
    assert done.equal
    assert pictures == []
    assert not list((tmp_path / "kept").glob("**/*.png"))


def test_what_was_drawn_goes_with_an_erased_picture(registry, sampled):
    folder = folder_of(registry, sampled[1])
    shown = next(iter(row_of(registry, sampled[1]).result["exposure"]))
    pipeline.withdraw(registry, shown, pipeline.Ground.PRIVACY)
    erase(registry, shown, "asked for")
    assert samples_in(folder) == {}
    assert pipeline.show(registry, sampled[1]).state == "succeeded"
