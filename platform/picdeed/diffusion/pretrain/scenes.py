"""What stands behind a glyph? An even colour, or one of a few drawn places.

Places are drawn from random numbers, so that no two are alike: the base shall learn "on a beach",
not one picture of a beach. A place says where things in it stand.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Bytes = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
_Draw = Callable[[int, np.random.Generator], Image.Image]

STANDS = frozenset({"on grass", "on a beach", "in the snow", "in the desert", "in a room"})
"""The places with a ground, on which things stand; in the others they float."""


def scene(place: str, side: int, numbers: np.random.Generator) -> Bytes:
    """One picture of a place, (side, side, 3) bytes. Raises KeyError for an unknown place."""
    # Drawn twice as large: ImageDraw has no soft edges of its own.
    drawn = _PLACES[place](2 * side, numbers)
    return np.asarray(drawn.resize((side, side), Image.Resampling.BOX))


def places() -> tuple[str, ...]:
    """The phrases of all places that can be drawn, as captions name them."""
    return tuple(_PLACES)


def _sky(side: int, numbers: np.random.Generator) -> Image.Image:
    image = _gradient(side, _near((120, 185, 240), numbers), _near((205, 232, 250), numbers))
    pen = ImageDraw.Draw(image)
    for _ in range(int(numbers.integers(2, 5))):
        _cloud(pen, side, numbers, (0.05, 0.85))
    return image


def _grass(side: int, numbers: np.random.Generator) -> Image.Image:
    image = _sky(side, numbers)
    pen, line = ImageDraw.Draw(image), _horizon(side, numbers)
    green = _near((110, 180, 80), numbers)
    _hill(pen, side, line, green, numbers)
    for _ in range(30):
        x, y = numbers.uniform(0, side), numbers.uniform(line + 0.06 * side, side)
        blade = 0.02 * side
        pen.line((x, y, x + numbers.uniform(-1, 1) * blade, y - 2 * blade), _darker(green), 2)
    return image


def _beach(side: int, numbers: np.random.Generator) -> Image.Image:
    image = _gradient(side, _near((130, 200, 240), numbers), _near((215, 240, 250), numbers))
    pen, line = ImageDraw.Draw(image), _horizon(side, numbers)
    sea = line - numbers.uniform(0.12, 0.22) * side
    pen.rectangle((0, sea, side, side), _near((50, 150, 195), numbers))
    _hill(pen, side, line, _near((238, 214, 150), numbers), numbers)
    return image


def _snow(side: int, numbers: np.random.Generator) -> Image.Image:
    image = _gradient(side, _near((150, 180, 210), numbers), _near((200, 215, 230), numbers))
    pen = ImageDraw.Draw(image)
    _hill(pen, side, _horizon(side, numbers), (244, 248, 252), numbers)
    _dots(pen, side, numbers, 40, (255, 255, 255), (0.006, 0.014))
    return image


def _night(side: int, numbers: np.random.Generator) -> Image.Image:
    image = _gradient(side, _near((18, 24, 66), numbers), _near((52, 48, 110), numbers))
    _dots(ImageDraw.Draw(image), side, numbers, 36, (250, 244, 200), (0.004, 0.011))
    return image


def _sea(side: int, numbers: np.random.Generator) -> Image.Image:
    image = _gradient(side, _near((70, 170, 210), numbers), _near((15, 80, 140), numbers))
    pen = ImageDraw.Draw(image)
    for _ in range(int(numbers.integers(8, 16))):
        x, y = numbers.uniform(0, side, 2)
        size = numbers.uniform(0.012, 0.04) * side
        pen.ellipse((x - size, y - size, x + size, y + size), outline=(190, 225, 240), width=2)
    return image


def _desert(side: int, numbers: np.random.Generator) -> Image.Image:
    image = _gradient(side, _near((240, 190, 120), numbers), _near((250, 225, 180), numbers))
    pen, line = ImageDraw.Draw(image), _horizon(side, numbers)
    _hill(pen, side, line - 0.05 * side, _near((215, 150, 80), numbers), numbers)
    _hill(pen, side, line + 0.06 * side, _near((226, 170, 100), numbers), numbers)
    return image


def _room(side: int, numbers: np.random.Generator) -> Image.Image:
    wall, floor = _near((214, 200, 186), numbers), _near((150, 104, 70), numbers)
    image = Image.new("RGB", (side, side), wall)
    pen, line = ImageDraw.Draw(image), _horizon(side, numbers)
    pen.rectangle((0, line, side, side), floor)
    pen.rectangle((0, line, side, line + 0.03 * side), (240, 236, 230))
    for row in np.arange(line + 0.1 * side, side, 0.08 * side):
        pen.line((0, row, side, row), _darker(floor), 2)
    left, top = numbers.uniform(0.05, 0.65) * side, numbers.uniform(0.06, 0.14) * side
    box = (left, top, left + 0.28 * side, top + 0.3 * side)
    pen.rectangle(box, (176, 214, 236), (250, 250, 248), max(2, side // 40))
    pen.line((left + 0.14 * side, top, left + 0.14 * side, box[3]), (250, 250, 248), side // 60)
    return image


_PLACES: dict[str, _Draw] = {
    "in the sky": _sky,
    "on grass": _grass,
    "on a beach": _beach,
    "in the snow": _snow,
    "at night": _night,
    "under water": _sea,
    "in the desert": _desert,
    "in a room": _room,
}


def _gradient(side: int, top: Colour, bottom: Colour) -> Image.Image:
    share = np.linspace(0, 1, side)[:, None]
    column = np.array(top) * (1 - share) + np.array(bottom) * share
    return Image.fromarray(np.repeat(column[:, None], side, 1).round().astype(np.uint8))


def _horizon(side: int, numbers: np.random.Generator) -> float:
    return float(numbers.uniform(0.6, 0.74)) * side


def _hill(
    pen: ImageDraw.ImageDraw, side: int, line: float, fill: Colour, numbers: np.random.Generator
) -> None:
    """Ground up to a soft wave around `line`."""
    turn, waves = numbers.uniform(0, 2 * np.pi), numbers.uniform(0.4, 1.2)
    across = np.linspace(0, side, 33)
    wave = 0.02 * side * np.sin(turn + waves * 2 * np.pi * across / side)
    top = [(float(x), float(line + y)) for x, y in zip(across, wave, strict=True)]
    pen.polygon([*top, (side, side), (0, side)], fill)


def _cloud(
    pen: ImageDraw.ImageDraw, side: int, numbers: np.random.Generator, rows: tuple[float, float]
) -> None:
    x, y = numbers.uniform(0, side), numbers.uniform(*rows) * side
    for _ in range(4):
        across, up = numbers.uniform(-0.1, 0.1) * side, numbers.uniform(-0.02, 0.02) * side
        size = numbers.uniform(0.04, 0.08) * side
        pen.ellipse(
            (x + across - 1.4 * size, y + up - size, x + across + 1.4 * size, y + up + size),
            (248, 251, 254),
        )


def _dots(  # noqa: PLR0917 - what a dot is
    pen: ImageDraw.ImageDraw,
    side: int,
    numbers: np.random.Generator,
    count: int,
    fill: Colour,
    sizes: tuple[float, float],
) -> None:
    for _ in range(count):
        x, y = numbers.uniform(0, side, 2)
        size = numbers.uniform(*sizes) * side
        pen.ellipse((x - size, y - size, x + size, y + size), fill)


def _near(colour: Colour, numbers: np.random.Generator) -> Colour:
    moved = np.clip(np.array(colour) + numbers.normal(0, 7, 3), 0, 255).round()
    return int(moved[0]), int(moved[1]), int(moved[2])


def _darker(colour: Colour) -> Colour:
    return int(0.82 * colour[0]), int(0.82 * colour[1]), int(0.82 * colour[2])
