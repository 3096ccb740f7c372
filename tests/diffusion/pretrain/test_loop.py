"""Does a killed training go on to the same weights, and is its pace the recipe's?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from picdeed.core.events import silent
from picdeed.diffusion.muon import orthogonal
from picdeed.diffusion.pretrain import autoencoder, compose, loop
from picdeed.diffusion.pretrain.recipe import TrainingPicture
from picdeed.diffusion.pretrain.step import Worker


def test_a_killed_training_goes_on_to_the_same_weights(
    tmp_path: Path, pictures: list[TrainingPicture], tiny
) -> None:
    recipe = tiny(autoencoder_steps=8)
    members = compose.trained_set(pictures)

    class KilledError(Exception):
        pass

    def kill(what: str, done: int, total: int) -> None:
        if done == 5:
            raise KilledError

    def train(work: Path, progress: object) -> dict[str, torch.Tensor]:
        work.mkdir(exist_ok=True)
        worker = Worker(0, 1)
        autoencoder.train(recipe, members, work, worker=worker, progress=progress)  # type: ignore[arg-type]
        return load_file(work / "autoencoder.safetensors")

    whole = train(tmp_path / "whole", silent)
    with pytest.raises(KilledError):
        train(tmp_path / "cut", kill)
    assert loop.load_average(autoencoder.build(recipe), autoencoder.NAME, tmp_path / "cut") == 4
    cut = train(tmp_path / "cut", silent)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_the_first_losses_are_those_of_the_last_run(tmp_path: Path) -> None:
    assert loop.first_losses("denoiser", tmp_path) == {}
    rows = [("denoiser", 1, 0.9), ("denoiser", 50, 0.5), ("denoiser", 61, 0.4)]
    rows += [("autoencoder", 1, 2.0), ("denoiser", 1, 0.8)]  # begun again
    lines = [json.dumps({"job": job, "step": step, "loss": loss}) for job, step, loss in rows]
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")
    assert loop.first_losses("denoiser", tmp_path) == {"1": 0.8, "50": 0.5}


def test_muon_turns_singular_values_towards_one() -> None:
    torch.manual_seed(0)
    found = torch.linalg.svdvals(orthogonal(torch.randn(2, 16, 40)))
    assert found.min() > 0.4
    assert found.max() < 1.4


def test_rate_only_its_end_depends_on_the_steps(tiny) -> None:
    short, long = tiny(20).autoencoder.schedule, tiny(40).autoencoder.schedule
    assert [short.factor(t) for t in range(15)] == [long.factor(t) for t in range(15)]
    assert short.factor(19) == pytest.approx(short.final)


def test_a_restart_begins_the_rate_anew_and_changes_nothing_before_it(tiny) -> None:
    short = replace(tiny(20).autoencoder.schedule, warmup=4, decay=10)
    anew = replace(short, steps=50, restarts=(20,))
    assert [anew.factor(t) for t in range(20)] == [short.factor(t) for t in range(20)]
    assert [anew.factor(20 + t) for t in range(5)] == [short.factor(t) for t in range(5)]
    assert [anew.factor(t) for t in (24, 30, 39)] == [1.0, 1.0, 1.0]
    assert anew.factor(49) == pytest.approx(short.final)
