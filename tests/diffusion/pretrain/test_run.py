"""A tiny base, trained for a few steps on eight pictures: falls, loads, paints, and is repeated."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from picdeed.core import ids
from picdeed.core.errors import TimeOver, UsageError
from picdeed.core.events import silent
from picdeed.diffusion.pretrain import (
    autoencoder,
    compose,
    denoiser,
    export,
    latents,
    loop,
    parallel,
    run,
)
from picdeed.diffusion.pretrain.recipe import Recipe, TrainingPicture
from picdeed.diffusion.pretrain.step import Stepper


def logged(work: Path, job: str) -> list[float]:
    lines = [json.loads(line) for line in (work / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["job"] == job]


def test_trains_exports_and_paints(tmp_path: Path, pictures: list[TrainingPicture], tiny) -> None:
    recipe, work, out = tiny(), tmp_path / "work", tmp_path / "base"
    base = run.pretrain(recipe, pictures, work, out)
    losses = logged(work, autoencoder.NAME)
    assert losses[-1] < 0.8 * losses[0]
    assert base.steps == {"autoencoder": 20, "denoiser": 6}

    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(out, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        "a cat", num_inference_steps=2, guidance_scale=2.5, output_type="np",
        generator=torch.Generator().manual_seed(0),
    ).images[0]  # fmt: skip
    assert image.shape == (32, 32, 3)
    assert np.isfinite(image).all()
    assert image.std() > 0.001
    deed = json.loads((out / export.DEED).read_text())
    assert deed["files"]["unet/diffusion_pytorch_model.safetensors"] == ids.sha256_file(
        out / "unet" / "diffusion_pytorch_model.safetensors"
    )
    first = deed["first_losses"]
    assert sorted(map(int, first["denoiser"])) == list(range(1, 7))
    assert [first["autoencoder"][str(step)] for step in range(1, 21)] == losses
    on = {"device": "cpu", "torch": torch.__version__}
    assert deed["trained_on"] == {"autoencoder": on, "denoiser": on}
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in out.rglob("*") if path.is_file())


# What the work folder belongs to


def test_a_part_belongs_to_what_made_it(tmp_path: Path) -> None:
    run._claim(tmp_path / "new", "autoencoder", "one")
    run._claim(tmp_path / "new", "autoencoder", "one")
    run._claim(tmp_path / "new", "denoiser", "two")
    with pytest.raises(UsageError, match=r"autoencoder in .* another recipe or on other pictures"):
        run._claim(tmp_path / "new", "autoencoder", "two")
    assert (tmp_path / "new" / "autoencoder.sha256").read_text() == "one"


def test_what_teaches_an_autoencoder(pictures: list[TrainingPicture], tiny) -> None:
    recipe, members = tiny(), compose.trained_set(pictures)
    taught = run._taught_by(recipe, members)
    assert taught == run._taught_by(tiny(denoiser_steps=9, denoiser={"tint": 0.9}), members)
    assert taught == run._taught_by(recipe, compose.trained_set(pictures[::-1]))
    assert taught != run._taught_by(tiny(autoencoder_steps=21), members)
    assert taught != run._taught_by(recipe, members[1:])
    for change in ({"seed": 1}, {"side": 64}):
        assert taught != run._taught_by(dataclasses.replace(recipe, **change), members)
    colours = recipe.tables["colours"] | {"red": "#ff0000"}
    other = dataclasses.replace(recipe, tables={**recipe.tables, "colours": colours})
    assert taught != run._taught_by(other, members)
    pictures[0].path.write_bytes(pictures[1].path.read_bytes())
    assert taught != run._taught_by(recipe, members)


def test_another_denoiser_may_use_a_trained_autoencoder_and_nothing_else_may(
    tmp_path: Path, pictures: list[TrainingPicture], tiny
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    plain = tiny(autoencoder_steps=3, denoiser_steps=1)
    run.pretrain(plain, pictures, first, tmp_path / "base")
    other = tiny(autoencoder_steps=3, denoiser_steps=2, noise={"zero_snr": False})
    with pytest.raises(UsageError, match="denoiser in"):
        run.pretrain(other, pictures, first, tmp_path / "base")

    second.mkdir()
    for path in first.glob("autoencoder*"):
        shutil.copy(path, second)
    weights = (second / "autoencoder.safetensors").read_bytes()
    wrong = tiny(autoencoder_steps=4, denoiser_steps=2)
    for recipe, members in ((wrong, pictures), (other, pictures[1:])):
        before = {path.name: path.read_bytes() for path in second.iterdir()}
        with pytest.raises(UsageError, match="autoencoder in") as refused:
            run.pretrain(recipe, members, second, tmp_path / "other")
        assert "another work folder" in str(refused.value.hint)
        assert before == {path.name: path.read_bytes() for path in second.iterdir()}
        assert not (tmp_path / "other").exists()
    base = run.pretrain(other, pictures, second, tmp_path / "other")
    assert base.steps == {"autoencoder": 3, "denoiser": 2}
    assert (second / "autoencoder.safetensors").read_bytes() == weights
    assert not logged(second, "autoencoder"), "it was not trained again"


# A time that is over


def test_what_was_given_a_time_goes_on_to_the_same_base(
    tmp_path: Path, pictures: list[TrainingPicture], tiny
) -> None:
    recipe = dataclasses.replace(tiny(3, 3), checkpoint_seconds=1e9)
    whole = run.pretrain(recipe, pictures, tmp_path / "whole", tmp_path / "base")
    work, out = tmp_path / "work", tmp_path / "other"
    for _ in range(3):
        # Over at once: two steps of three, then before the first part of the latents.
        with pytest.raises(TimeOver, match="stored"):
            run.pretrain(recipe, pictures, work, out, until=time.time())
        assert not out.exists()
    assert loop.load_average(autoencoder.build(recipe), autoencoder.NAME, work) == 3
    run.pretrain(recipe, pictures, work, out)
    assert whole.files == json.loads((out / export.DEED).read_text())["files"]


def test_of_two_workers_the_first_ends_both_in_time(
    tmp_path: Path, pictures: list[TrainingPicture], tiny
) -> None:
    recipe = dataclasses.replace(tiny(3, workers=2), checkpoint_seconds=1e9)
    asked = (recipe, compose.trained_set(pictures), tmp_path)
    with pytest.raises(TimeOver, match="stored") as over:
        parallel.run(autoencoder.train, asked, 2, silent, until=time.time())
    assert "same command again" in over.value.hint
    assert loop.load_average(autoencoder.build(recipe), autoencoder.NAME, tmp_path) == 1


# The first steps, once more


def first_steps(recipe: Recipe, pictures: list[TrainingPicture], work: Path) -> dict[str, Any]:
    """The logged losses (the first and the last) and the denoiser's averaged weights."""
    members = compose.trained_set(pictures)
    work.mkdir()
    parallel.run(autoencoder.train, (recipe, members, work), 1, silent)
    parallel.run(latents.encode, (recipe, members, work), recipe.workers, silent)
    latents.join(members, work)
    parallel.run(denoiser.train, (recipe, members, work), recipe.workers, silent)
    return {
        "losses": {job: logged(work, job) for job in (autoencoder.NAME, denoiser.NAME)},
        "latents": load_file(work / latents.FILE),
        "weights": load_file(work / "denoiser.safetensors"),
    }


def test_the_first_steps_follow_from_recipe_and_seed(
    tmp_path: Path, pictures: list[TrainingPicture], tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    every: list[float] = []
    take = Stepper.take

    def watched(*given: Any) -> torch.Tensor:
        loss = take(*given)
        every.append(float(loss))
        return loss

    monkeypatch.setattr(Stepper, "take", watched)
    one = first_steps(tiny(5, 5), pictures, tmp_path / "one")
    again = first_steps(tiny(5, 5), pictures[::-1], tmp_path / "again")
    assert len(every) == 20
    assert every[:10] == every[10:]
    assert one["losses"] == again["losses"]
    for part in ("latents", "weights"):
        assert all(torch.equal(one[part][name], again[part][name]) for name in one[part])
    assert len(set(every[:10])) == 10

    other = dataclasses.replace(tiny(5, 5), seed=1)
    del every[:]
    first_steps(other, pictures, tmp_path / "other")
    assert all(abs(a - b) > 1e-6 for a, b in zip(every, one["losses"]["autoencoder"], strict=False))


def test_two_workers_learn_what_one_learns(
    tmp_path: Path, pictures: list[TrainingPicture], tiny
) -> None:
    one = first_steps(tiny(5, 5), pictures, tmp_path / "one")
    two = first_steps(tiny(5, 5, workers=2), pictures, tmp_path / "two")
    assert len(one["losses"][denoiser.NAME]) == 5
    assert two["losses"][denoiser.NAME] == pytest.approx(one["losses"][denoiser.NAME], rel=1e-3)
    for name, weight in one["weights"].items():
        assert torch.allclose(two["weights"][name], weight, atol=1e-3)


@pytest.mark.gpu
def test_a_gpu_trains_the_same_base_nearly(
    tmp_path: Path, pictures: list[TrainingPicture], tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, work = tiny(5, 5), tmp_path / "cuda"
    base = run.pretrain(recipe, pictures, work, tmp_path / "base")
    assert base.steps == {"autoencoder": 5, "denoiser": 5}
    monkeypatch.setattr(parallel, "pick_device", lambda: torch.device("cpu"))
    run.pretrain(recipe, pictures, tmp_path / "cpu", tmp_path / "other")
    for part in (autoencoder.NAME, denoiser.NAME):
        assert logged(work, part) == pytest.approx(logged(tmp_path / "cpu", part), rel=2e-2)
