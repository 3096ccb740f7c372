"""Is Stable Diffusion XL told how each picture was framed, and what nothing is?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.diffusion.cache import embed, forget, frames
from picdeed.diffusion.evidence import _swapped
from picdeed.diffusion.models import check_base, load_base
from picdeed.diffusion.plan import Trainee
from picdeed.diffusion.prompts import FRAME

Save = Callable[..., Trainee]


@pytest.fixture
def folder(folders: Mapping[str, Path]) -> Path:
    return folders["sdxl"]


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "own"))


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_each_picture_tells_its_size_and_its_crop(
    folder: Path, save_picture: Save, tmp_path: Path
) -> None:
    base = load_base(folder)
    wide = save_picture(Image.new("RGB", (96, 64), "red"), "a", "png")
    high = save_picture(Image.new("RGB", (20, 41), "blue"), "b", "png")
    told = frames(base, [wide, high], tmp_path / "cache")
    assert told[wide.picture][FRAME].tolist() == [64, 96, 0, 8, 32, 32]
    assert told[high.picture][FRAME].tolist() == [41, 20, 17, 0, 32, 32]
    Path(wide.path).unlink()
    kept = frames(base, [wide, high], tmp_path / "cache")
    assert torch.equal(kept[wide.picture][FRAME], told[wide.picture][FRAME])
    forget(tmp_path / "cache", wide.picture)
    with pytest.raises(IntegrityError):
        frames(base, [wide], tmp_path / "cache")


def test_another_caption_leaves_a_pictures_frame(folder: Path) -> None:
    base = load_base(folder)
    prompts = {
        name: {**embed(base, name), FRAME: torch.full((6,), float(at))}
        for at, name in enumerate(("a", "b"))
    }
    swapped = _swapped(prompts)
    assert torch.equal(swapped["a"]["prompt_embeds"], prompts["b"]["prompt_embeds"])
    assert torch.equal(swapped["a"][FRAME], prompts["a"][FRAME])


def test_nothing_is_zeros_unless_the_base_says_otherwise(own: Path) -> None:
    first = check_base(own)
    assert not any(tensor.any() for tensor in embed(load_base(own), "").values())
    rewrite(own / "model_index.json", force_zeros_for_empty_prompt=False)
    assert all(tensor.any() for tensor in embed(load_base(own), "").values())
    assert check_base(own).sha256 != first.sha256, "it is part of what the base computes"


def test_what_pads_a_caption_is_part_of_the_base(own: Path) -> None:
    first = check_base(own).sha256
    rewrite(own / "tokenizer_2" / "tokenizer_config.json", pad_token="!")
    assert check_base(own).sha256 != first


@pytest.mark.parametrize(
    ("file", "changes", "named"),
    [
        ("vae/config.json", {"latents_mean": [0.1] * 4}, "latents_mean"),
        ("scheduler/scheduler_config.json", {"sigma_data": 0.5}, "sigma_data"),
        ("unet/config.json", {"sample_size": [8, 8]}, "sample_size"),
        ("unet/config.json", {"sample_size": 0}, "sample_size"),
        ("text_encoder/config.json", {"hidden_size": None}, "text_encoder"),
    ],
)
def test_offshoots_that_are_scaled_in_another_way_are_refused(
    own: Path, file: str, changes: Mapping[str, object], named: str
) -> None:
    rewrite(own / file, **changes)
    with pytest.raises(UsageError, match=named):
        check_base(own)
