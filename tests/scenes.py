"""Pictures with texture everywhere and things in them, and what is done to copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from picture_edits import cropped, framed, jpeg
from PIL import Image, ImageDraw, ImageOps

from picdeed.flow import pipeline
from picdeed.flow.statements import Given
from picdeed.registry.session import Registry

COPIES = {
    "crop of 10 %": lambda image: cropped(image, 0.1),
    "crop of 30 %": lambda image: cropped(image, 0.3),
    "mirrored": ImageOps.mirror,
    "mirrored crop": lambda image: ImageOps.mirror(cropped(image, 0.2)),
    "border": lambda image: framed(image, 0.1),
    "recompressed": lambda image: jpeg(image, 40),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


def scene(seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """The same pixels for a seed; two seeds are strangers."""
    chance = np.random.default_rng(seed)
    field = chance.integers(0, 255, (size[1] // 12, size[0] // 12, 3), dtype=np.uint8)
    image = Image.fromarray(field).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = chance.integers(0, size[0]), chance.integers(0, size[1])
        r = int(chance.integers(4, 40))
        fill = tuple(int(v) for v in chance.integers(0, 255, 3))
        draw.ellipse((x - r, y - r // 2, x + r, y + r), fill=fill)
    return image


def keep(folder: Path, **images: Image.Image) -> Path:
    """A folder of PNGs by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        image.save(folder / f"{name}.png")
    return folder


def register(registry: Registry, folder: Path, dataset: str) -> pipeline.Registered:
    return pipeline.register(registry, folder, dataset, given=Given(license="CC0-1.0"))


def one_id(registry: Registry, folder: Path, dataset: str) -> str:
    """Register a folder with one picture in it."""
    (found,) = register(registry, folder, dataset).ingested.pictures
    return found.id
