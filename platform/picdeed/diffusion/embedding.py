"""How does a vision model that the user brought make vectors of pictures?

A local folder: `config.json`, `model.safetensors` (or shards with their index) and
`preprocessor_config.json`, as transformers saves them (`towers` says which models). Nothing is
downloaded, no pickle and no code of the folder is read. Two vectors are compared only when their
algorithm is one: it names the model type and what weights, config and preprocessing hash to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from picdeed.core.errors import UsageError
from picdeed.core.ids import hash_json
from picdeed.diffusion.devices import pick_device, quiet, repeatable, threads_for
from picdeed.diffusion.modelfiles import part_tensors, plain, read_json, refuse_code
from picdeed.diffusion.tensors import tensors_hash
from picdeed.diffusion.towers import THRESHOLDS, Tower, tower_of

_VERSION = 1  # of what is done to a picture before the model's own preprocessing sees it
_WHAT = "embedding"
_CONFIGS = ("config.json", "preprocessor_config.json")
_CODE_KEYS = ("auto_map", "custom_pipelines", "trust_remote_code")
_SUFFIX = "ImageProcessor"
_PROCESSORS = ("CLIPImageProcessor", "BitImageProcessor", "ViTImageProcessor",
               "ConvNextImageProcessor", "DeiTImageProcessor")  # fmt: skip
_LARGEST = 1_024  # pixels of a side
_LONGEST = 8  # times its width: of longer pictures the middle is seen
_MOST_NUMBERS = 4_096
# One at a time on a CPU: a vector then does not depend on its neighbours.
_BATCH = {"cpu": 1}
_BATCH_ELSEWHERE = 32


@dataclass(frozen=True, slots=True)
class Embedder:
    """A loaded model. `threshold` is the cosine from which on a pair of its kind is worth a look.

    `numbers` is d, `side` the pixels that its preprocessing makes of a picture, `batch` how many
    pictures are best given at once.
    """

    model: str
    algorithm: str
    threshold: float
    numbers: int
    side: int
    batch: int
    device: torch.device
    tower: Tower
    processor: Any

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """float32[n, d], rows of length one, of n RGB pictures.

        On a CPU the same picture gives the same numbers whatever it is given with.
        """
        with repeatable(threads_for(self.tower.parameters)):
            found = _seen(self.tower, self.processor, images, self.device)
        if not np.isfinite(found).all():
            raise UsageError(f"The {self.model} gave numbers that are not finite.")
        length = np.linalg.norm(found, axis=1, keepdims=True)
        if not length.all():
            raise UsageError(f"The {self.model} gave a vector of no length.")
        unit: NDArray[np.float32] = (found / length).astype(np.float32)
        return unit


def open_embedder(folder: Path, device: torch.device | None = None) -> Embedder:
    """Read a folder without trusting it and load its model in fp32.

    Raises UsageError naming the file that is missing, is a pickle or code, asks for remote code, is
    broken or not finite, or does not fit the others, and the model type that is not known.
    """
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}; nothing was compared.",
            hint="An embedding is a local folder: docs/duplicates.md tells how to get one.",
        )
    refuse_code(folder, _WHAT)
    config, preprocessing = (_config(folder / name) for name in _CONFIGS)
    quiet()
    processor, side = _processor(folder / _CONFIGS[1], preprocessing)
    tensors = part_tensors(folder, "model", _WHAT)
    named = [_VERSION, config, preprocessing, tensors_hash(tensors)]
    tower = tower_of(folder, config, tensors)
    kind = str(config["model_type"])
    where = device or pick_device()
    tower.module.to(where)
    try:
        with repeatable(threads_for(tower.parameters)):
            numbers = _seen(tower, processor, [Image.new("RGB", (96, 64), "grey")], where).shape[1]
    except (ValueError, RuntimeError, TypeError) as error:
        raise UsageError(
            f"{folder / _CONFIGS[1]} does not fit the model: {error} Nothing was compared."
        ) from error
    if not 0 < numbers <= _MOST_NUMBERS:
        raise UsageError(f"{folder} gives vectors of {numbers} numbers; at most {_MOST_NUMBERS}.")
    return Embedder(
        model=kind,
        algorithm=f"embed:{kind}:{hash_json(named)[:16]}",
        threshold=THRESHOLDS[kind],
        numbers=numbers,
        side=side,
        batch=_BATCH.get(where.type, _BATCH_ELSEWHERE),
        device=where,
        tower=tower,
        processor=processor,
    )


def _config(path: Path) -> dict[str, Any]:
    found = read_json(path, _WHAT)
    for key in _CODE_KEYS:
        if found.get(key):
            raise UsageError(
                f"{path} asks for code of its own ({key}), which is never run; the embedding is "
                "refused.",
                hint="Take a model that transformers knows without remote code.",
            )
    return plain(found)


def _processor(path: Path, config: Mapping[str, Any]) -> tuple[Any, int]:
    """What makes numbers of a picture, with Pillow whatever else is installed; and its side."""
    named = str(config.get("image_processor_type") or config.get("feature_extractor_type"))
    bare = named.removesuffix("Fast").removesuffix("Pil").replace("FeatureExtractor", _SUFFIX)
    if bare not in _PROCESSORS:
        raise UsageError(
            f"{path} prepares pictures by {named}, which is not supported; known are "
            f"{', '.join(_PROCESSORS)}. Nothing was compared."
        )
    sides = [one for key in ("size", "crop_size") for one in _numbers(config.get(key))]
    if not sides or not all(type(one) is int and 0 < one <= _LARGEST for one in sides):
        raise UsageError(f"{path}: size and crop_size are no pixels from 1 to {_LARGEST}.")
    kind = getattr(transformers, f"{bare}Pil", None) or getattr(transformers, bare)
    try:
        return kind.from_dict(dict(config)), max(sides)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path} describes no preprocessing: {error}.") from error


def _numbers(size: Any) -> list[Any]:
    if size is None:
        return []
    return list(size.values()) if isinstance(size, dict) else [size]


@torch.no_grad()
def _seen(
    tower: Tower, processor: Any, images: Sequence[Image.Image], device: torch.device
) -> NDArray[np.float32]:
    """float32[n, d]; pictures that come out of the preprocessing in one shape go together."""
    prepared = [processor(_middle(image), return_tensors="pt")["pixel_values"] for image in images]
    found: dict[int, NDArray[np.float32]] = {}
    for some in _alike([tuple(one.shape) for one in prepared], _BATCH.get(device.type)):
        pixels = torch.cat([prepared[at] for at in some]).float().to(device)
        rows = tower.see(pixels).float().cpu().numpy()
        found.update(zip(some, rows, strict=True))
    return np.stack([found[at] for at in range(len(images))])


def _alike(shapes: Sequence[tuple[int, ...]], most: int | None) -> Iterator[list[int]]:
    """Positions of equal shapes, at most so many together."""
    of: dict[tuple[int, ...], list[int]] = {}
    for at, shape in enumerate(shapes):
        of.setdefault(shape, []).append(at)
    for some in of.values():
        step = most or _BATCH_ELSEWHERE
        yield from (some[at : at + step] for at in range(0, len(some), step))


def _middle(image: Image.Image) -> Image.Image:
    """The picture; of one that is longer than eight times its width the middle.

    A line of 1 x 30,000 pixels, its shorter side brought to 224, would be billions of numbers.
    """
    short, long = sorted(image.size)
    if long <= _LONGEST * short:
        return image
    wide, high = (min(side, _LONGEST * short) for side in image.size)
    left, top = (image.width - wide) // 2, (image.height - high) // 2
    return image.crop((left, top, left + wide, top + high))
