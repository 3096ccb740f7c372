"""A whole tiny base of sprig's classes, and tiny runs on it: made in a second, real files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from estimating import First, asked
from PIL import Image, ImageDraw

from picdeed.core.ids import make_id, sha256
from picdeed.diffusion.cache import latent_moments, prompt_embeddings
from picdeed.diffusion.holding_out import hold_out
from picdeed.diffusion.models import check_base, load_base
from picdeed.diffusion.objective import Objective
from picdeed.diffusion.plan import Groups, RunPlan, Trainee
from picdeed.diffusion.prompts import stacked
from picdeed.diffusion.recipe import Recipe
from picdeed.diffusion.train import train
from picdeed.testing import tiny_model

SIDE = 32
TINY = {
    "rank": 4,
    "alpha": 4.0,
    "targets": ("to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2"),
    "steps": 20,
    "batch": 4,
    "learning_rate": 0.01,
    "warmup_steps": 2,
}


def trainee(folder: Path, image: Image.Image, caption: str, kind: str = "png") -> Trainee:
    """A picture file named by its hash, as a blob store keeps it."""
    folder.mkdir(parents=True, exist_ok=True)
    loose = folder / f"loose.{kind}"
    image.save(loose)
    data = loose.read_bytes()
    path = folder / sha256(data)
    loose.rename(path)
    return Trainee(picture=make_id("img", sha256(data)), path=str(path), caption=caption)


def colour_pictures(folder: Path, count: int = 12) -> list[Trainee]:
    """Soft coloured discs on coloured grounds: what the taught base knows."""
    made = []
    for number in range(count):
        image = Image.new("RGB", (SIDE, SIDE), f"hsl({number * 47 % 360}, 60%, 80%)")
        pen = ImageDraw.Draw(image)
        left, top = 2 + number * 5 % 11, 3 + number * 7 % 9
        box = (left, top, left + 14 + number % 4, top + 14)
        pen.ellipse(box, fill=f"hsl({number * 83 % 360}, 90%, 50%)")
        made.append(trainee(folder, image, f"disc {number}"))
    return made


def ink_pictures(folder: Path, count: int = 12) -> list[Trainee]:
    """Black strokes on white; no two alike."""
    made = []
    for number in range(count):
        image = Image.new("RGB", (SIDE, SIDE), "white")
        pen = ImageDraw.Draw(image)
        pen.rectangle((2 + number % 5, 3 + number % 7, 14 + number, 20 + number % 9), fill="black")
        pen.line((0, number * 2, SIDE, SIDE - number), fill="black", width=2)
        made.append(trainee(folder, image, f"print {number}"))
    return made


def plan_for(
    base: Path,
    trainees: list[Trainee],
    *,
    seed: int = 0,
    kin: Groups = (),
    copies: Groups = (),
    **knobs: object,
) -> RunPlan:
    """A plan as the stage that starts runs writes it."""
    recipe = Recipe.model_validate({**TINY, **knobs})
    trainees = sorted(trainees, key=lambda trainee: trainee.picture)
    held = hold_out([one.picture for one in trainees], recipe.hold_out, kin, copies)
    return RunPlan(
        schema="picdeed.run-plan/1",
        run="run_" + "a" * 64,
        base=str(base),
        base_sha256=check_base(base).sha256,
        recipe=recipe,
        seed=seed,
        threads=1,
        members=tuple(one for one in trainees if one.picture not in held),
        held_out=tuple(one for one in trainees if one.picture in held),
        kin=kin,
        copies=copies,
        snapshot="snp_" + "b" * 64,
        snapshot_root="b" * 64,
        decision="dec_" + "c" * 64,
        licenses={"CC0-1.0": len(trainees)},
    )


def teach(folder: Path, pictures: list[Trainee], cache: Path, steps: int = 100) -> None:
    """Train the UNet of a tiny base in earnest, so that adapters have something to turn."""
    base = load_base(folder)
    moments = latent_moments(base, pictures, cache, flip=False)
    texts = prompt_embeddings(base, {t.caption for t in pictures}, cache)
    latents = torch.stack([moments[t.picture][0, 0] for t in pictures])
    prompts = stacked([texts[t.caption] for t in pictures])
    base.network.requires_grad_(requires_grad=True)
    optimizer = torch.optim.AdamW(base.network.parameters(), lr=4e-3)
    objective = Objective(base)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        noise = torch.randn(latents.shape, generator=generator)
        timesteps = torch.randint(0, 1000, (len(latents),), generator=generator)
        loss = objective.losses(latents, noise, timesteps, prompts).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    base.network.save_pretrained(folder / "unet")


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights. Shared and therefore never written to."""
    return tiny_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def taught_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base that knows coloured discs. Shared and therefore never written to."""
    folder = tmp_path_factory.mktemp("taught")
    base = tiny_model(folder / "tiny")
    teach(base, colour_pictures(folder / "blobs", 24), folder / "cache")
    return base


@pytest.fixture
def own_base(tiny_base: Path, tmp_path: Path) -> Path:
    """A copy of the tiny base that a test may damage."""
    return Path(shutil.copytree(tiny_base, tmp_path / "own"))


@pytest.fixture
def ink(tmp_path: Path) -> list[Trainee]:
    return ink_pictures(tmp_path / "blobs")


@pytest.fixture
def colours(tmp_path: Path) -> list[Trainee]:
    return colour_pictures(tmp_path / "blobs")


@pytest.fixture
def save_picture(tmp_path: Path) -> Callable[..., Trainee]:
    """Saves an image as a blob: `save_picture(image, "caption", "png")`."""
    return partial(trainee, tmp_path / "blobs")


@pytest.fixture
def make_base() -> Callable[..., Path]:
    return tiny_model


@pytest.fixture
def make_plan() -> Callable[..., RunPlan]:
    return plan_for


@pytest.fixture(scope="session")
def plan_on_ink(tiny_base: Path) -> Callable[..., RunPlan]:
    """A plan on ink pictures that lie in a folder: `plan_on_ink(folder, steps=3)`."""

    def make(folder: Path, **knobs: object) -> RunPlan:
        return plan_for(tiny_base, ink_pictures(folder), **knobs)

    return make


@pytest.fixture
def a_run(tiny_base: Path, tmp_path: Path, ink: list[Trainee]) -> Callable[..., Path]:
    """Makes a run folder with a plan on ink pictures: `a_run("name", steps=3)`."""

    def make(name: str = "run", *, seed: int = 0, **knobs: object) -> Path:
        plan_for(tiny_base, ink, seed=seed, **knobs).write(tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def a_finished_run(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of twenty steps on ink. Shared and therefore never written to."""
    folder = tmp_path_factory.mktemp("finished")
    plan_for(tiny_base, ink_pictures(folder / "blobs")).write(folder / "run")
    train(folder / "run")
    return folder / "run"


@pytest.fixture(scope="session")
def first(plan_on_ink: Callable[..., RunPlan], tmp_path_factory: pytest.TempPathFactory) -> First:
    """Shared and never written to."""
    folder = tmp_path_factory.mktemp("first")
    plan = plan_on_ink(folder / "blobs", steps=3, batch=2, eval_noises=1)
    return First(folder, plan, asked(folder, plan))


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can keep weights in fewer bits."""
    for name in ("bitsandbytes", "bitsandbytes.functional"):
        monkeypatch.setitem(sys.modules, name, None)
