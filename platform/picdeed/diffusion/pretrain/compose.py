"""Which pixels and words does training slot s of step t see? Everything is drawn from (seed, t, s).

The registered pictures are glyphs with transparency. Backgrounds, flips, shifts, crops and the
sentence around the subject are the recipe's augmentation, made here while training runs.
Pixels are float32 in -1..1, channels first, unless said otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from picdeed.core.errors import UsageError
from picdeed.diffusion.pretrain.recipe import AutoencoderPart, DenoiserPart, TrainingPicture

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

CROPS, LATENTS, PAIRS = 1, 2, 3
"""First word of a stream of random numbers: so that two uses never share one."""


def stream(seed: int, *place: int) -> np.random.Generator:
    """The random numbers of one place, for example (CROPS, step, slot)."""
    return np.random.default_rng([seed, *place])


def number(seed: int, *place: int) -> int:
    """One whole number of that place: a seed for a generator of another library."""
    return int(stream(seed, *place).integers(2**62))


def load(pictures: Sequence[TrainingPicture], side: int) -> Bytes:
    """All pictures as (pictures, side, side, 4) RGBA bytes. Raises UsageError on another size."""
    stack = np.empty((len(pictures), side, side, 4), np.uint8)
    for slot, picture in enumerate(pictures):
        with Image.open(picture.path) as opened:
            if opened.size != (side, side):
                raise UsageError(f"{picture.path} is not {side} x {side} pixels.")
            stack[slot] = np.asarray(opened.convert("RGBA"))
    return stack


def over(rgba: Bytes, colour: Sequence[int]) -> Floats:
    """One RGBA picture over a flat colour (three bytes): (3, side, side)."""
    values = rgba.astype(np.float32)
    alpha = values[..., 3:] / 255
    flat = values[..., :3] * alpha + np.asarray(colour, np.float32) * (1 - alpha)
    return np.ascontiguousarray((flat / 127.5 - 1).transpose(2, 0, 1))


def crop(
    stack: Bytes,
    part: AutoencoderPart,
    colours: Mapping[str, tuple[int, int, int]],
    numbers: np.random.Generator,
) -> Floats:
    """One training crop for the autoencoder: (3, crop, crop).

    Of three random windows one is taken in proportion to its gradient energy: most of a glyph's
    picture is flat, and flat crops teach nothing.
    """
    flat = over(stack[numbers.integers(len(stack))], _background(part, colours, numbers))
    if numbers.random() < part.ink:
        flat = _ink(flat, numbers)
    corners = numbers.integers(0, flat.shape[-1] - part.crop + 1, (3, 2))
    windows = [flat[:, y : y + part.crop, x : x + part.crop] for y, x in corners]
    energy = np.array([_energy(window) for window in windows]) + 1e-6
    window = windows[int(numbers.choice(3, p=energy / energy.sum()))]
    if numbers.random() < part.flip:
        window = window[..., ::-1]
    if numbers.random() < part.permute:
        window = window[numbers.permutation(3)]
    return np.ascontiguousarray(window)


def jittered(rgba: Bytes, part: DenoiserPart, numbers: np.random.Generator | None) -> Bytes:
    """The glyph a little smaller and moved, or as it is where `numbers` is None."""
    if numbers is None:
        return rgba
    side = rgba.shape[0]
    small = round(side * (1 - part.scale * numbers.random()))
    room = side - small
    move = np.rint((numbers.random(2) * 2 - 1) * part.shift * side) + room / 2
    left, top = (int(value) for value in move)
    # Premultiplied by Pillow's own resize in RGBa, so that clear pixels lend no colour.
    shrunk = Image.fromarray(rgba).resize((small, small), Image.Resampling.LANCZOS)
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    sheet.paste(shrunk, (left, top))
    return np.asarray(sheet)


def held_out(concept: str, colours: Sequence[str], count: int) -> frozenset[str]:
    """Colours never trained behind this concept: the test of following a prompt."""
    ranked = sorted(
        colours, key=lambda colour: hashlib.sha256(f"{concept}/{colour}".encode()).digest()
    )
    return frozenset(ranked[:count])


def sentence(
    caption: str, style: str, colour: str, part: DenoiserPart, numbers: np.random.Generator
) -> str:
    """A training caption, such as `noto style cat on a red background`; empty for guidance.

    `caption` is the picture's registered caption, `style` its set's word.
    """
    if numbers.random() < part.empty:
        return ""
    words = caption
    if numbers.random() < part.say_set:
        words = f"{style} style {words}"
    elif numbers.random() < 0.5:
        words = f"a {words}"
    if colour != "white" or numbers.random() < part.say_white:
        words = f"{words} on a {colour} background"
    return words


def trained_set(pictures: Sequence[TrainingPicture]) -> list[TrainingPicture]:
    """The pictures in an order that does not depend on where they lie or how they were listed."""
    return sorted(pictures, key=lambda picture: (picture.set, Path(picture.path).name))


def _background(
    part: AutoencoderPart,
    colours: Mapping[str, tuple[int, int, int]],
    numbers: np.random.Generator,
) -> Sequence[int]:
    kind = numbers.random()
    if kind < part.white:
        return (255, 255, 255)
    if kind < part.white + part.palette:
        return list(colours.values())[int(numbers.integers(len(colours)))]
    return [int(value) for value in numbers.integers(0, 256, 3)]


def _ink(flat: Floats, numbers: np.random.Generator) -> Floats:
    """A two-tone print of the picture: adapters for line art need hard edges decoded well."""
    grey = flat.mean(0, keepdims=True)
    low, high = np.quantile(grey, (0.05, 0.95))
    paper = 1 - 0.3 * numbers.random((3, 1, 1)).astype(np.float32) * (numbers.random() < 0.4)
    tint = -1 + 0.6 * numbers.random((3, 1, 1)).astype(np.float32) * (numbers.random() < 0.4)
    dark = 1 / (1 + np.exp((grey - (low + (high - low) * numbers.uniform(0.3, 0.7))) * 30))
    return np.asarray(dark * tint + (1 - dark) * paper, np.float32)


def _energy(window: Floats) -> float:
    return float(np.abs(np.diff(window, axis=1)).mean() + np.abs(np.diff(window, axis=2)).mean())
