"""How do a snapshot's members become what a model can see?

Members feed training through `datasets.Dataset`. Their bytes were checked when they were
registered; here they are decoded again, flattened on white and fitted to the base's square, or to
the rectangle of its area that is nearest to their own shape, in one crop or several (crops.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from picdeed.diffusion.crops import crop_name, cuts
from picdeed.diffusion.plan import Trainee

# Named in every cache key: another rule is another latent.
FITTING = "exif;alpha-on-white;short-side-lanczos;centre-crop"


@dataclass(frozen=True, slots=True)
class Frame:
    """How a picture was fitted: its own height and width in pixels, where the box was cut out of
    the resized picture, and the box's size. In a mirror the middle cut is the same, to a pixel."""

    height: int
    width: int
    top: int
    left: int
    high: int
    wide: int


Crops = Mapping[str, tuple[Frame, ...]]
"""Per picture that has several crops all their frames, the middle one's first."""
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
        require_bytes(trainee)
        rows["picture"].append(trainee.picture)
        rows["image"].append(trainee.path)
        rows["caption"].append(trainee.caption)
    text = Value("string")
    # Decoded to RGB by `fit`, not by the column: it would put alpha on black.
    features = Features({"picture": text, "image": ImageColumn(), "caption": text})
    return Dataset.from_dict(rows, features=features)


def require_bytes(trainee: Trainee) -> None:
    """Raise IntegrityError where a picture's bytes are not those that its id names."""
    path = Path(trainee.path)
    if not path.is_file() or sha256_file(path) != split_id(trainee.picture)[1]:
        raise IntegrityError(
            f"The bytes of {trainee.picture[:16]} are missing or not those that were "
            "registered. Nothing was trained on them.",
            hint="picdeed audit lists every such picture.",
        )


def pictures_of(
    dataset: Dataset, fitting: Boxes, crops: Crops | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """(crop's name, float32 tensor [3, high, wide] in [-1, 1]) of every row, one decoded at a time:
    of the middle crop, which goes by the picture's id, and of those beside it that `crops` has.

    Raises UnreadablePicture naming the picture when its bytes do not decode.
    """
    for name, image in _decoded(dataset):
        for shown, fitted in _cut(name, _on_white(image), fitting, crops):
            yield shown, pixels(fitted)


def masks_of(
    dataset: Dataset, fitting: Boxes, crops: Crops | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """(crop's name, float32 tensor [high, wide] in [0, 1]) of every row: how opaque it is, fitted
    and cut as the picture is; 1 where it has no transparency. Raises like `pictures_of`."""
    for name, image in _decoded(dataset):
        alpha = Image.new("L", image.size, 255)
        if image.has_transparency_data:
            alpha = image.convert("RGBA").getchannel("A")
        for shown, fitted in _cut(name, alpha, fitting, crops):
            yield shown, torch.from_numpy(np.asarray(fitted, dtype=np.float32) / 255)


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
    ((_, fitted),) = _cut("", _on_white(image), Boxes((box,)), None)
    return fitted


def _cut(
    name: str, flat: Image.Image, fitting: Boxes, crops: Crops | None
) -> Iterator[tuple[str, Image.Image]]:
    middle = _framed(flat.size, fitting)
    size = _resized(middle)
    if flat.size != size:
        flat = flat.resize(size, Image.Resampling.LANCZOS)
    for number, at in enumerate((crops or {}).get(name, (middle,))):
        yield (
            crop_name(name, number),
            flat.crop((at.left, at.top, at.left + at.wide, at.top + at.high)),
        )


def frame(path: Path, fitting: Boxes) -> Frame:
    """How `fit` fits the picture in a file. Raises UnreadablePicture when it does not open."""
    try:
        with Image.open(path) as image:
            ImageOps.exif_transpose(image, in_place=True)  # a copy would be decoded for nothing
            own = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadablePicture("broken", f"{path.name[:16]} does not open: {error}") from error
    return _framed(own, fitting)


def cropped(middle: Frame, count: int) -> tuple[Frame, ...]:
    """The frames of at most `count` crops of the picture whose middle one has this frame, which
    is the first of them. `cuts` says why there may be fewer."""
    places = cuts(_slack(middle), count)
    return tuple(replace(middle, left=left, top=top) for left, top in places)


def mirrored(seen: Frame) -> Frame:
    """The frame of what a crop shows, in the mirrored picture."""
    return replace(seen, left=_slack(seen)[0] - seen.left)


def _framed(own: Box, fitting: Boxes) -> Frame:
    wide, high = fitting.nearest(own)
    whole = Frame(own[1], own[0], 0, 0, high, wide)
    ((left, top),) = cuts(_slack(whole), 1)
    return replace(whole, left=left, top=top)


def _slack(seen: Frame) -> Box:
    """How many pixels wider and higher than its box the resized picture is."""
    wide, high = _resized(seen)
    return wide - seen.wide, high - seen.high


def _resized(seen: Frame) -> Box:
    """Width and height that the picture is resized to."""
    own, box = (seen.width, seen.height), (seen.wide, seen.high)
    scale = max(side / mine for side, mine in zip(box, own, strict=True))
    wide, high = (max(side, round(mine * scale)) for side, mine in zip(box, own, strict=True))
    return wide, high


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
