"""Which pixels and words does training slot s of step t see? Everything is drawn from (seed, t, s).

The registered pictures are glyphs with transparency. Backgrounds, tints, flips, turns, shifts,
crops and the sentence around the subject are the recipe's augmentation, made here while training
runs. Pixels are float32 in -1..1, channels first, unless said otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from picdeed.core.errors import UsageError
from picdeed.diffusion.pretrain import scenes
from picdeed.diffusion.pretrain.recipe import (
    AutoencoderPart,
    DenoiserPart,
    Recipe,
    TrainingPicture,
)

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

_WHITE = (255, 255, 255)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SIZE_IN_A_PLACE = (0.5, 0.8)  # of the side
_FOOT = (0.78, 0.95)  # where things stand, from the top
_SEEN, _HALF = 16, 128  # of 255 opaque
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


def over(rgba: Bytes, behind: Sequence[int] | Bytes) -> Floats:
    """One RGBA picture over a flat colour (three bytes) or a picture: (3, side, side)."""
    values = rgba.astype(np.float32)
    alpha = values[..., 3:] / 255
    flat = values[..., :3] * alpha + np.asarray(behind, np.float32) * (1 - alpha)
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


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to show a glyph. `tint` is the colour that it was given ("" its own); `behind` is
    "white", a colour's name or a place's phrase."""

    tint: str = ""
    behind: str = "white"


AS_DRAWN = Variant()


def variant(recipe: Recipe, concept: str, numbers: np.random.Generator) -> Variant:
    """How the next picture of a glyph of this concept is made; never in a held-out way."""
    part = recipe.denoiser
    tint, behind = "", "white"
    colours = list(recipe.colours)
    if numbers.random() < part.tint:
        tint = _one_of(_trained(concept, colours, part.held_out, "tint"), numbers)
    kind = numbers.random()
    if kind < part.colour:
        behind = _one_of(_trained(concept, colours, part.held_out, ""), numbers)
    elif kind < part.colour + part.place:
        behind = _one_of(_trained(concept, recipe.places, part.held_out, ""), numbers)
    return Variant(tint, behind)


def shown(rgba: Bytes, how: Variant, recipe: Recipe, numbers: np.random.Generator | None) -> Floats:
    """The glyph as a variant shows it: (3, side, side). Without `numbers` exactly where it was
    drawn; with them turned, smaller and moved, as far as the recipe allows."""
    part, side = recipe.denoiser, rgba.shape[0]
    if how.tint:
        rgba = tinted(rgba, recipe.colours[how.tint])
    if how.behind not in recipe.places:
        if numbers is not None:
            size = numbers.uniform(part.smallest, 1.0)
            rgba = _moved(rgba, part.turn, size, _around_middle(part, side, size, numbers), numbers)
        return over(rgba, recipe.colours.get(how.behind, _WHITE))
    numbers = numbers or np.random.default_rng(0)
    ground = scenes.scene(how.behind, side, numbers)
    size = numbers.uniform(*_SIZE_IN_A_PLACE)
    place = _around_middle(part, side, size, numbers)
    if how.behind in scenes.STANDS:
        foot = side * numbers.uniform(*_FOOT)
        rows = np.flatnonzero(rgba[..., 3].max(1) > _SEEN)
        below = (rows[-1] + 1) * size if len(rows) else side * size
        place = (place[0], round(foot - below))
    return over(_moved(rgba, part.turn / 2, size, place, numbers), ground)


def tinted(rgba: Bytes, colour: Sequence[int]) -> Bytes:
    """The glyph in shades of one colour (three bytes): its lights stay light, its darks dark.

    A gamma first brings its median lightness to the colour's: else a dark car would be olive, and
    not yellow.
    """
    light = rgba[..., :3].astype(np.float32) @ _LUMA / 255
    wanted = np.asarray(colour, np.float32) / 255
    middle = float(wanted @ _LUMA)
    seen = rgba[..., 3] > _HALF
    typical = float(np.median(light[seen])) if seen.any() else middle
    light = light ** np.clip(np.log(middle) / np.log(np.clip(typical, 0.02, 0.98)), 0.25, 4)
    below = wanted * (light / middle)[..., None]
    above = 1 - (1 - wanted) * ((1 - light) / (1 - middle))[..., None]
    toned = np.where(light[..., None] < middle, below, above)
    found = rgba.copy()
    found[..., :3] = np.rint(255 * np.clip(toned, 0, 1))
    return found


def held_out(concept: str, names: Sequence[str], count: int, kind: str = "") -> frozenset[str]:
    """Colours, places or (kind "tint") tints never trained with this concept: the test of
    following a prompt."""
    ranked = sorted(
        names, key=lambda name: hashlib.sha256(f"{concept}/{kind}{name}".encode()).digest()
    )
    return frozenset(ranked[:count])


def sentence(
    picture: TrainingPicture, how: Variant, recipe: Recipe, numbers: np.random.Generator
) -> str:
    """A training caption, such as `noto style blue cat on a beach, animal`; empty for guidance."""
    part = recipe.denoiser
    if numbers.random() < part.empty:
        return ""
    words = f"{how.tint} {picture.caption}".strip()
    if numbers.random() < part.say_set:
        words = f"{picture.set} style {words}"
    elif numbers.random() < 0.5:
        words = f"{_article(words)} {words}"
    if how.behind != "white" or numbers.random() < part.say_white:
        words = f"{words} {where(how, recipe)}"
    also = recipe.also.get(picture.concept, ())
    if also and numbers.random() < part.say_also:
        words = f"{words}, {_one_of(also, numbers)}"
    return words


def where(how: Variant, recipe: Recipe) -> str:
    """What a caption says of what is behind: `on a red background`, or the place's phrase."""
    if how.behind in recipe.places:
        return how.behind
    return f"on {_article(how.behind)} {how.behind} background"


def prompt(word: str, how: Variant, recipe: Recipe) -> str:
    """The plainest caption of a variant: `blue cat on a red background`; white goes unsaid."""
    words = f"{how.tint} {word}".strip()
    return words if how.behind == "white" else f"{words} {where(how, recipe)}"


def trained_set(pictures: Sequence[TrainingPicture]) -> list[TrainingPicture]:
    """The pictures in an order that does not depend on where they lie or how they were listed."""
    return sorted(pictures, key=lambda picture: (picture.set, Path(picture.path).name))


def _trained(concept: str, names: Sequence[str], count: int, kind: str) -> list[str]:
    banned = held_out(concept, names, count, kind)
    return [name for name in names if name not in banned]


def _article(words: str) -> str:
    return "an" if words[0] in "aeiou" and not words.startswith("uni") else "a"


def _one_of(names: Sequence[str], numbers: np.random.Generator) -> str:
    return names[int(numbers.integers(len(names)))]


def _around_middle(
    part: DenoiserPart, side: int, size: float, numbers: np.random.Generator
) -> tuple[int, int]:
    """Left and top of a glyph of `size` sides, moved from the middle."""
    room = side * (1 - size)
    left, top = np.rint((numbers.random(2) * 2 - 1) * part.shift * side + room / 2)
    return int(left), int(top)


def _moved(
    rgba: Bytes,
    turn: float,
    size: float,
    place: tuple[int, int],
    numbers: np.random.Generator,
) -> Bytes:
    side = rgba.shape[0]
    image = Image.fromarray(rgba)
    if numbers.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if turn and numbers.random() < 0.5:
        image = image.rotate(numbers.uniform(-turn, turn), Image.Resampling.BICUBIC)
    small = max(1, round(side * size))
    # Pillow resizes and turns RGBA premultiplied, so that clear pixels lend no colour.
    shrunk = image.resize((small, small), Image.Resampling.LANCZOS)
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    sheet.paste(shrunk, place)
    return np.asarray(sheet)


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
