"""How do a snapshot's members become what a model can see?

Members feed training through `datasets.Dataset`. Their bytes were checked when they were
registered; here they are decoded again, flattened on white and fitted to the base's square.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, Value
from datasets import Image as ImageColumn
from PIL import Image, ImageOps

from picdeed.core.errors import IntegrityError, UnreadablePicture
from picdeed.core.ids import sha256_file, split_id
from picdeed.diffusion.plan import Trainee

# Named in every cache key: another rule is another latent.
FITTING = "exif;alpha-on-white;short-side-lanczos;centre-crop"


@dataclass(frozen=True, slots=True)
class Frame:
    """How a picture was fitted: its own height and width in pixels, where the square was cut out of
    the resized picture, and the square's side. In a mirror the cut is the same, to a pixel."""

    height: int
    width: int
    top: int
    left: int
    side: int


def dataset_of(trainees: Sequence[Trainee]) -> Dataset:
    """The members as a dataset with the columns `picture`, `image` (decoded when read), `caption`.

    Raises IntegrityError when a file's bytes are not those that its picture's id names.
    """
    rows: dict[str, list[str]] = {"picture": [], "image": [], "caption": []}
    for trainee in trainees:
        path = Path(trainee.path)
        if not path.is_file() or sha256_file(path) != split_id(trainee.picture)[1]:
            raise IntegrityError(
                f"The bytes of {trainee.picture[:16]} are missing or not those that were "
                "registered. Nothing was trained on them.",
                hint="picdeed audit lists every such picture.",
            )
        rows["picture"].append(trainee.picture)
        rows["image"].append(str(path))
        rows["caption"].append(trainee.caption)
    text = Value("string")
    # Decoded to RGB by `fit`, not by the column: it would put alpha on black.
    features = Features({"picture": text, "image": ImageColumn(), "caption": text})
    return Dataset.from_dict(rows, features=features)


def pictures_of(dataset: Dataset, size: int) -> Iterator[tuple[str, torch.Tensor]]:
    """(picture id, float32 tensor [3, size, size] in [-1, 1]) of every row, one decoded at a time.

    Raises UnreadablePicture naming the picture when its bytes do not decode.
    """
    for index in range(len(dataset)):
        name = str(dataset.with_format(None).select_columns("picture")[index]["picture"])
        try:
            image = dataset[index]["image"]
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UnreadablePicture("broken", f"{name[:16]} does not decode: {error}") from error
        yield name, pixels(fit(image, size))


def fit(image: Image.Image, size: int) -> Image.Image:
    """RGB, `size` x `size`: alpha on white, the short side resized, the middle kept."""
    flat = _on_white(image)
    (wide, high), left, top = _placed(flat.size, size)
    if flat.size != (wide, high):
        flat = flat.resize((wide, high), Image.Resampling.LANCZOS)
    return flat.crop((left, top, left + size, top + size))


def frame(path: Path, size: int) -> Frame:
    """How `fit` fits the picture in a file. Raises UnreadablePicture when it does not open."""
    try:
        with Image.open(path) as image:
            own = ImageOps.exif_transpose(image).size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePicture("broken", f"{path.name[:16]} does not open: {error}") from error
    _, left, top = _placed(own, size)
    return Frame(own[1], own[0], top, left, size)


def _placed(own: tuple[int, int], size: int) -> tuple[tuple[int, int], int, int]:
    """Width and height that the picture is resized to, then left and top of the crop."""
    scale = size / min(own)
    wide, high = (max(size, round(side * scale)) for side in own)
    return (wide, high), (wide - size) // 2, (high - size) // 2


def pixels(image: Image.Image) -> torch.Tensor:
    """float32 [3, height, width] in [-1, 1] of an RGB image."""
    array = np.asarray(image, dtype=np.float32) / 127.5 - 1.0
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # PIL would clip 16 bits to white instead of scaling them
        array: Any = np.asarray(image).astype(np.int64) >> 8
        image = Image.fromarray(array.clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, rgba)
    return image.convert("RGB")
