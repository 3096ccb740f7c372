"""Does whatever is wrong with pictures, disk, base or rights end in a clear state, and mend?"""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from replayable import BASE, QUICK, Ran, copied, folder_of, here, never, row_of

from picdeed.core.errors import Denied, RunFailed
from picdeed.core.events import Event
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.recipe import load_recipe
from picdeed.diffusion.runfolder import read_json, read_log
from picdeed.flow import pipeline
from picdeed.flow.models import add_model
from picdeed.registry import ledger, subjects
from picdeed.registry.decisions import Decision
from picdeed.registry.session import Registry
from picdeed.testing import CC0, tiny_pictures

STEPS = 4  # a checkpoint after each
SMALL = 20_000  # bytes: log and heartbeat fit, a checkpoint does not
Train = Callable[..., pipeline.Trained]


@pytest.fixture
def registry(ran: Ran, tmp_path: Path) -> Registry:
    return copied(ran, tmp_path)


@pytest.fixture
def train(registry: Registry) -> Train:
    def train(dataset: str, *more: str, launch=here) -> pipeline.Trained:
        frozen = pipeline.freeze(registry, dataset).snapshot
        recipe = load_recipe("demo", [*QUICK, *more])
        return pipeline.fine_tune(registry, frozen, BASE, recipe, launch)

    return train


def failing(registry: Registry, run: str) -> str:
    """What is told of a run that ended badly, which left nothing to be used."""
    shown = pipeline.show(registry, run)
    assert (shown.state, shown.adapter) == ("failed", None)
    assert not (shown.folder / "adapter.safetensors").exists()
    assert not (shown.folder / "result.json").exists()
    return str((read_json(shown.folder / "error.json") or {})["message"])


def test_a_loss_that_is_no_number_fails_each_time_and_leaves_nothing(registry, train) -> None:
    with pytest.raises(RunFailed):
        train("drawings", "steps=4", "learning_rate=1e30", "clip_norm=1e30")
    run = next(one.id for one in _runs(registry) if one.state == "failed")
    assert "finite" in failing(registry, run)
    with pytest.raises(RunFailed):
        pipeline.resume(registry, run, here)
    assert "finite" in failing(registry, run)


def test_pictures_without_captions_train_without_words_and_are_counted(registry, train, tmp_path):
    pipeline.register(registry, tiny_pictures(tmp_path / "bare", 2, CC0 | {"caption": ""}, 20), "b")
    done = train("b")
    assert (done.state, done.without_caption) == ("succeeded", 2)


def test_one_pixel_and_one_picture_train_and_say_that_nothing_was_measured(
    registry, train, tmp_path
):
    folder = tmp_path / "dot"
    folder.mkdir()
    Image.new("RGB", (1, 1), "navy").save(folder / "dot.png")
    (folder / "metadata.jsonl").write_text(json.dumps(CC0 | {"file_name": "dot.png"}) + "\n")
    pipeline.register(registry, folder, "dot")
    done = train("dot")
    assert (done.state, done.loss, done.distinct_pictures) == ("succeeded", None, 1)
    assert "Fewer than 2 pictures could be held out" in done.loss_reason
    assert row_of(registry, done.run).result["exposure"].popitem()[1] == 6


@pytest.fixture
def small_files() -> Iterator[Callable[[bool], None]]:
    """Let the system refuse to write files beyond SMALL; a full disk refuses in the same place."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(on: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL if on else before[0], before[1]))

    yield limit
    limit(on=False)


def test_without_room_for_a_checkpoint_the_one_before_stays_good(
    registry, train, small_files, monkeypatch, tmp_path
):
    whole = train("drawings", f"steps={STEPS}")
    expected = load_adapter(whole.adapter["path"])
    from picdeed.diffusion import train as trainer

    save = trainer.checkpoint.save  # really done: only watched

    def full(*given, **more):
        small_files(on=given[3].step > 2)
        save(*given, **more)

    monkeypatch.setattr(trainer.checkpoint, "save", full)
    recipe = load_recipe("demo", [*QUICK, f"steps={STEPS}"])
    frozen = row_of(registry, whole.run).snapshot_id

    def on_a_small_disk(folder: Path, *, progress) -> None:
        try:
            here(folder, progress=progress)
        finally:
            small_files(on=False)

    with pytest.raises(RunFailed):
        pipeline.fine_tune(registry, frozen, BASE, recipe, on_a_small_disk, again=True)
    run = next(one.id for one in _runs(registry) if one.state == "failed")
    said = failing(registry, run)
    assert "no room to write" in said
    assert "step-0000003.safetensors" in said
    assert "what was saved before stays good" in said
    folder = folder_of(registry, run)
    assert "Make room" in read_json(folder / "error.json")["hint"]
    assert sorted(path.name for path in (folder / "checkpoint").iterdir()) == [
        "step-0000001.safetensors", "step-0000002.safetensors",
    ]  # fmt: skip
    monkeypatch.setattr(trainer.checkpoint, "save", save)
    done = pipeline.resume(registry, run, here)
    assert (done.state, done.resumed_from) == ("succeeded", 2)
    assert load_adapter(done.adapter["path"]).id == expected.id
    assert [line["step"] for line in read_log(folder)] == list(range(STEPS))


def test_a_base_that_changed_under_the_run_is_refused_until_it_is_back(
    registry, train, ran, tmp_path
):
    own = Path(shutil.copytree(ran.place / "base", tmp_path / "own"))
    add_model(registry, pipeline.rules(), own)  # where it lies now

    def dies(folder: Path, *, progress) -> None:
        raise RunFailed("the power went")

    with pytest.raises(RunFailed):
        train("drawings", "steps=4", launch=dies)
    run = next(one.id for one in _runs(registry) if one.state == "failed")
    weights = own / "unet" / "diffusion_pytorch_model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(RunFailed):
        pipeline.resume(registry, run, here)
    assert "base" in failing(registry, run)
    weights.write_bytes(before)
    assert pipeline.resume(registry, run, here).state == "succeeded"


def test_a_decision_that_expires_meanwhile_records_nothing_until_it_is_asked_again(registry, train):
    def expires(folder: Path, *, progress) -> None:
        here(folder, progress=progress)
        (row,) = [one for one in _runs(registry) if one.state == "running"]
        with registry.write() as session:
            decision = subjects.require(session, Decision, row.decision_id)
            decision.valid_until = "2020-01-01T00:00:00.000000Z"
            ledger.write(session, Event.GATE_DECIDED, {}, [decision])

    with pytest.raises(Denied, match="expired on") as told:
        train("drawings", "steps=2", launch=expires)
    shown = pipeline.show(registry, told.value.run)
    assert (shown.state, shown.adapter) == ("cancelled", None)
    assert "expired" in shown.error
    old = row_of(registry, shown.run).decision_id
    done = pipeline.resume(registry, shown.run, never_again)
    assert (done.state, done.adapter["state"]) == ("succeeded", "good")
    assert row_of(registry, shown.run).decision_id != old


def never_again(folder: Path, *, progress) -> None:
    """The steps were taken: the trainer gives back what it has."""
    if not (folder / "result.json").is_file():
        never(folder, progress=progress)


def _runs(registry: Registry):
    from picdeed.registry import runs

    with registry.read() as session:
        return runs.all_runs(session)
