"""A tiny base, trained for a few steps on eight pictures: falls, stops, goes on, loads, paints."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from picdeed.core import ids  # noqa: E402
from picdeed.core.errors import UsageError  # noqa: E402
from picdeed.core.events import silent  # noqa: E402
from picdeed.core.resources import bundled  # noqa: E402
from picdeed.diffusion.muon import orthogonal  # noqa: E402
from picdeed.diffusion.pretrain import autoencoder, compose, denoiser, export, loop, run, vocabulary  # noqa: E402  # noqa: E402
from picdeed.diffusion.pretrain import recipe as recipes  # noqa: E402

WORDS = ("a", "cat", "sun", "on", "red", "background", "style", "print", "noto", "flat")


def tiny(autoencoder_steps: int = 20, denoiser_steps: int = 6) -> recipes.Recipe:
    """sprig's own recipe with everything made small."""
    path = bundled("configs") / "pretrain" / "sprig.toml"
    tables = copy.deepcopy(tomllib.loads(path.read_text()))
    tables |= {"side": 32, "workers": 1, "checkpoint_seconds": 0.0}
    tables["autoencoder"] |= {"channels": [8, 16], "groups": 4, "latents": 4, "crop": 16}
    tables["autoencoder"]["schedule"] |= {
        "steps": autoencoder_steps, "warmup": 3, "decay": 5, "batch": 8, "precision": "fp32",
    }  # fmt: skip
    tables["denoiser"] |= {
        "channels": [16, 32], "heads": [1, 2], "groups": 8, "width": 32, "vocabulary": 640,
        "text_layers": 1, "text_heads": 2, "jitters": 1,
    }  # fmt: skip
    tables["denoiser"]["schedule"] |= {
        "steps": denoiser_steps, "warmup": 2, "decay": 2, "batch": 4,
    }  # fmt: skip
    return recipes.parse(tables, WORDS)


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


def test_trains_exports_and_paints(tmp_path: Path, pictures: list[recipes.TrainingPicture]) -> None:
    recipe, work, out = tiny(), tmp_path / "work", tmp_path / "base"
    base = run.pretrain(recipe, pictures, work, out)
    log = [json.loads(line) for line in (work / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in log if line["job"] == autoencoder.NAME]
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
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in out.rglob("*") if path.is_file())


def test_a_killed_training_goes_on_to_the_same_weights(
    tmp_path: Path, pictures: list[recipes.TrainingPicture]
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
        worker = loop.Worker(0, 1)
        autoencoder.train(recipe, members, work, worker=worker, progress=progress)  # type: ignore[arg-type]
        return load_file(work / "autoencoder.safetensors")

    whole = train(tmp_path / "whole", silent)
    with pytest.raises(KilledError):
        train(tmp_path / "cut", kill)
    assert loop.averaged(autoencoder.NAME, tmp_path / "cut")[1] == 4
    cut = train(tmp_path / "cut", silent)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_work_folder_belongs_to_one_recipe(
    tmp_path: Path, pictures: list[recipes.TrainingPicture]
) -> None:
    run._claim(tiny(), tmp_path)
    with pytest.raises(UsageError, match="another recipe"):
        run._claim(tiny(autoencoder_steps=21), tmp_path)


def test_folding_normalises_the_latents_and_changes_no_picture() -> None:
    model = autoencoder.build(tiny()).eval()
    picture = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        latents = model.encode(picture).latent_dist.mode()
        painted = model.decode(latents).sample
        mean, width = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
        export.fold(model, mean, width)
        folded = model.encode(picture).latent_dist.mode()
        again = model.decode(folded).sample
    assert torch.allclose(painted, again, atol=1e-4)
    assert torch.allclose(folded.mean((0, 2, 3)), torch.zeros(4), atol=1e-4)
    assert torch.allclose(folded.std((0, 2, 3)), torch.ones(4), atol=1e-4)


def test_vocabulary_is_the_same_twice_and_keeps_unknown_letters() -> None:
    one, two = (vocabulary.learn(WORDS, 640, 16) for _ in range(2))
    assert one.get_vocab() == two.get_vocab()
    tokens = vocabulary.encode(one, ["zebra é cat", ""])
    assert [len(row) for row in tokens] == [16, 16]
    assert tokens[0].index(1) > 7
    assert tokens[1][:2] == [0, 1]
    assert one.tokenize("cat") == ["cat</w>"]


def test_samples_never_show_a_held_out_colour(
    tmp_path: Path, pictures: list[recipes.TrainingPicture]
) -> None:
    recipe = tiny()
    members = compose.trained_set(pictures)
    path = denoiser.encode(recipe, members, autoencoder.build(recipe), tmp_path, silent)
    cached = load_file(path)
    names = list(recipe.colours)
    pairs = zip(cached["picture"].tolist(), cached["colour"].tolist(), strict=True)
    for picture, colour in pairs:
        banned = compose.held_out(members[picture].concept, names, 2)
        assert colour == 0 or names[colour - 1] not in banned
    samples = denoiser.Samples(recipe, members, denoiser.Latents(**cached))
    first, again = samples.batch(3, range(4)), samples.batch(3, range(4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], samples.batch(4, range(4))[0])


def test_muon_turns_singular_values_towards_one() -> None:
    torch.manual_seed(0)
    found = torch.linalg.svdvals(orthogonal(torch.randn(2, 16, 40)))
    assert found.min() > 0.4
    assert found.max() < 1.4


def test_rate_only_its_end_depends_on_the_steps() -> None:
    short, long = tiny(20).autoencoder.schedule, tiny(40).autoencoder.schedule
    assert [short.factor(t) for t in range(15)] == [long.factor(t) for t in range(15)]
    assert short.factor(19) == pytest.approx(short.final)
