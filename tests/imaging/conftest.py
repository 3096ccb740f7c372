"""Tiny real pictures: photograph-like ones and prints of one family, all from a seed."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

PAPER, INK = (238, 229, 208), (38, 34, 40)


def photograph(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """Soft fields of colour with texture and a few hard edges, as photographs have them."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cells, weight in ((3, 1.0), (8, 0.5), (24, 0.25), (80, 0.12)):
        field = rng.normal(size=(cells, cells, 3))
        small = [
            np.asarray(Image.fromarray(field[..., c].astype(np.float32)).resize((width, height)))
            for c in range(3)
        ]
        total += weight * (0.7 * np.stack([small[0]] * 3, -1) + 0.5 * np.stack(small, -1))
    total = (total - total.min()) / (total.max() - total.min()) * 255
    picture = Image.fromarray(total.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(4):
        x, y = rng.integers(0, width), rng.integers(0, height)
        size = int(rng.integers(20, 80))
        pen.ellipse((x, y, x + size, y + size * 0.7), fill=tuple(rng.integers(0, 255, 3).tolist()))
    return picture


def linocut(
    seed: int, side: int = 256, paper: tuple[int, ...] = PAPER, ink: tuple[int, ...] = INK
) -> Image.Image:
    """A print: shared paper, shared frame, hatched shapes of its own."""
    rng = np.random.default_rng(seed)
    big = Image.new("RGB", (2 * side, 2 * side), paper)
    pen = ImageDraw.Draw(big)
    unit = 2 * side / 100
    pen.rectangle((5 * unit, 5 * unit, 95 * unit, 95 * unit), outline=ink, width=int(2 * unit))
    for _ in range(int(rng.integers(3, 6))):
        x, y = rng.uniform(25, 75, 2)
        corners = int(rng.integers(3, 8))
        turns = np.sort(rng.uniform(0, 2 * np.pi, corners))
        reach = rng.uniform(8, 22, corners)
        at = [
            ((x + r * np.cos(t)) * unit, (y + r * np.sin(t)) * unit)
            for t, r in zip(turns, reach, strict=True)
        ]
        pen.polygon(at, fill=ink)
        for cut in range(3):
            shift = (cut - 1) * 4
            pen.line(
                ((x - 10) * unit, (y + shift) * unit, (x + 10) * unit, (y + shift + 3) * unit),
                fill=paper,
                width=int(unit),
            )
    return big.resize((side, side), Image.Resampling.LANCZOS)


def textured(seed: int, width: int = 480, height: int = 360) -> Image.Image:
    """Clouds of colour, fine grain and many small things: something like a market square."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((4, 1.0), (12, 0.6), (60, 0.5), (160, 0.25)):
        field = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
        wide = Image.fromarray(field).resize((width, height), Image.Resampling.BICUBIC)
        total += weight * np.asarray(wide, dtype=np.float32)
    picture = Image.fromarray((total / 2.35).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = rng.integers(8, 50, 2).tolist()
        pen.rectangle((x, y, x + w, y + h), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """The picture's file in a Pillow format."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


@pytest.fixture
def photo() -> Callable[..., Image.Image]:
    return photograph


@pytest.fixture
def market() -> Callable[..., Image.Image]:
    return textured


@pytest.fixture
def lino() -> Callable[..., Image.Image]:
    return linocut


@pytest.fixture
def encode() -> Callable[..., bytes]:
    return encoded
