"""sprig's own recipe with everything made small, and eight pictures to learn."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from diffusers import AutoencoderKL
from PIL import Image, ImageDraw

from picdeed.core.events import silent
from picdeed.core.resources import bundled
from picdeed.diffusion.pretrain import autoencoder, latents
from picdeed.diffusion.pretrain import recipe as recipes
from picdeed.diffusion.pretrain.step import Worker

WORDS = ("a", "cat", "sun", "on", "red", "background", "style", "print", "noto", "flat")

Tiny = Callable[..., recipes.Recipe]
"""tiny(autoencoder_steps=20, denoiser_steps=6, workers=1, noise={...}, denoiser={...})."""


def make_tiny(
    autoencoder_steps: int = 20,
    denoiser_steps: int = 6,
    workers: int = 1,
    noise: dict[str, object] | None = None,
    denoiser: dict[str, object] | None = None,
) -> recipes.Recipe:
    """32 px pictures, 16x16x4 latents, a second's training; `noise` and `denoiser` are changes."""
    path = bundled("configs") / "pretrain" / "sprig.toml"
    tables = copy.deepcopy(tomllib.loads(path.read_text()))
    tables |= {"side": 32, "workers": workers, "checkpoint_seconds": 0.0}
    tables["autoencoder"] |= {"channels": [8, 16], "groups": 4, "latents": 4, "crop": 16}
    tables["autoencoder"]["schedule"] |= {
        "steps": autoencoder_steps, "warmup": 3, "decay": 5, "batch": 8, "precision": "fp32",
    }  # fmt: skip
    tables["denoiser"] |= {
        "channels": [16, 32], "heads": [1, 2], "groups": 8, "width": 32, "vocabulary": 640,
        "text_layers": 1, "text_heads": 2, "variants": 12,
    }  # fmt: skip
    tables["denoiser"] |= denoiser or {}
    tables["denoiser"]["noise"] |= noise or {}
    tables["denoiser"]["schedule"] |= {
        "steps": denoiser_steps, "warmup": 2, "decay": 2, "batch": 4, "precision": "fp32",
    }  # fmt: skip
    return recipes.parse(tables, WORDS)


@pytest.fixture
def tiny() -> Tiny:
    return make_tiny


@pytest.fixture(scope="session")
def sprig() -> recipes.Recipe:
    """The recipe that is shipped."""
    return recipes.read(bundled("configs") / "pretrain" / "sprig.toml")


@pytest.fixture
def pictures(tmp_path: Path) -> list[recipes.TrainingPicture]:
    """Eight drawn glyphs of two concepts in four sets, with transparency."""
    found = []
    for number, style in enumerate(["fluent", "flat", "noto", "blob"]):
        for concept in ("cat", "sun"):
            image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
            pen = ImageDraw.Draw(image)
            box = (4 + number, 4, 24 + number, 26)
            if concept == "cat":
                pen.rectangle(box, fill=(240, 150, 30 * number, 255))
            else:
                pen.ellipse(box, fill=(250, 220, 30 * number, 255))
            path = tmp_path / f"{style}-{concept}.png"
            image.save(path)
            found.append(recipes.TrainingPicture(path, concept, concept, style))
    return found


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Callable[..., latents.Latents]:
    """The cached pictures of a recipe, encoded by an untrained autoencoder."""

    def untrained(recipe: recipes.Recipe, work: Path) -> AutoencoderKL:
        return autoencoder.build(recipe).eval()

    monkeypatch.setattr(autoencoder, "trained", untrained)

    def encoded(
        recipe: recipes.Recipe, members: Sequence[recipes.TrainingPicture], work: Path
    ) -> latents.Latents:
        work.mkdir(exist_ok=True)
        latents.encode(recipe, members, work, worker=Worker(0, 1), progress=silent)
        latents.join(members, work)
        return latents.cached(work)

    return encoded
