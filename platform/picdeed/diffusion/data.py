"""How do a snapshot's members become what a model can see?

Members feed training through `datasets.Dataset`. Their bytes were checked when they were
registered; here they are decoded again, flattened on white and fitted to the base's square, or to
the rectangle of its area that is nearest to their own shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
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
    """How a picture was fitted: its own height and width in pixels, where the box was cut out of
    the resized picture, and the box's size. In a mirror the cut is the same, to a pixel."""

    height: int
    width: int
    top: int
    left: int
    high: int
    wide: int


Box = tuple[int, int]
"""Width and height in pixels of what a base is shown."""
_LONGEST = 2.5  # times the other side; what is longer is cut to that
_STEPS = 16  # of the side: finer boxes would share too few batches


@dataclass(frozen=True, slots=True)
class Boxes:
    """The boxes that pictures are fitted to; `name` tells them apart in cache keys."""

    boxes: tuple[Box, ...]
    name: str = ""

    def nearest(self, own: Box) -> Box:
        """The box whose shape is nearest to a picture's, by the ratio of ratios."""
        shape = math.log(own[0] / own[1])
        return min(self.boxes, key=lambda box: (abs(math.log(box[0] / box[1]) - shape), box))


def square(size: int) -> Boxes:
    """One box."""
    return Boxes(((size, size),))


def boxes(size: int, grain: int) -> Boxes:
    """Rectangles of at most `size` x `size` pixels' area, as large as their sides allow, which are
    multiples of `grain` or of a sixteenth of `size`; none longer than 2.5 times its other side."""
    step = grain * max(1, round(size / _STEPS / grain))
    found = {(size, size)}
    for wide in range(step, int(size * _LONGEST) + 1, step):
        high = size * size // wide // step * step
        if high and max(wide / high, high / wide) <= _LONGEST:
            found |= {(wide, high), (high, wide)}
    largest = {}
    for wide, high in sorted(found):  # of those of one shape the largest
        largest[Fraction(wide, high)] = (wide, high)
    return Boxes(tuple(sorted(largest.values())), f";boxes-{step}")


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


def pictures_of(dataset: Dataset, fitting: Boxes) -> Iterator[tuple[str, torch.Tensor]]:
    """(picture id, float32 tensor [3, high, wide] in [-1, 1]) of every row, one decoded at a time.

    Raises UnreadablePicture naming the picture when its bytes do not decode.
    """
    for name, image in _decoded(dataset):
        yield name, pixels(fit(image, fitting.nearest(image.size)))


def masks_of(dataset: Dataset, fitting: Boxes) -> Iterator[tuple[str, torch.Tensor]]:
    """(picture id, float32 tensor [high, wide] in [0, 1]) of every row: how opaque it is, fitted as
    the picture is; 1 where it has no transparency. Raises like `pictures_of`."""
    for name, image in _decoded(dataset):
        alpha = Image.new("L", image.size, 255)
        if image.has_transparency_data:
            alpha = image.convert("RGBA").getchannel("A")
        fitted = _cut(alpha, fitting.nearest(image.size))
        yield name, torch.from_numpy(np.asarray(fitted, dtype=np.float32) / 255)


def _decoded(dataset: Dataset) -> Iterator[tuple[str, Image.Image]]:
    for index in range(len(dataset)):
        name = str(dataset.with_format(None).select_columns("picture")[index]["picture"])
        try:
            image = dataset[index]["image"]
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UnreadablePicture("broken", f"{name[:16]} does not decode: {error}") from error
        yield name, image


def fit(image: Image.Image, box: Box) -> Image.Image:
    """RGB of the box's size: alpha on white, resized to fill it, the middle kept."""
    return _cut(_on_white(image), box)


def _cut(flat: Image.Image, box: Box) -> Image.Image:
    size, left, top = _placed(flat.size, box)
    if flat.size != size:
        flat = flat.resize(size, Image.Resampling.LANCZOS)
    return flat.crop((left, top, left + box[0], top + box[1]))


def frame(path: Path, fitting: Boxes) -> Frame:
    """How `fit` fits the picture in a file. Raises UnreadablePicture when it does not open."""
    try:
        with Image.open(path) as image:
            own = ImageOps.exif_transpose(image).size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePicture("broken", f"{path.name[:16]} does not open: {error}") from error
    box = fitting.nearest(own)
    _, left, top = _placed(own, box)
    return Frame(own[1], own[0], top, left, box[1], box[0])


def _placed(own: Box, box: Box) -> tuple[Box, int, int]:
    """Width and height that the picture is resized to, then left and top of the crop."""
    scale = max(side / mine for side, mine in zip(box, own, strict=True))
    wide, high = (max(side, round(mine * scale)) for side, mine in zip(box, own, strict=True))
    return (wide, high), (wide - box[0]) // 2, (high - box[1]) // 2


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
