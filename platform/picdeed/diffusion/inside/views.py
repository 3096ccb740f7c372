"""What can be seen of how a base draws? Pictures and plain numbers; no torch in here.

Pictures are RGB of the base's size. A time counts from 0 (hardly any noise) up to the last step of
the base's schedule (nothing but noise). `seconds` are of CPU time, of all threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Mixed:
    """A picture's latents with noise: `signal` times the latents plus `noise` times the noise.

    The squares of the two shares add up to 1.
    """

    time: int
    signal: float
    noise: float
    picture: Image.Image


@dataclass(frozen=True, slots=True)
class Noised:
    """One picture along the base's schedule. `decoded` went through the autoencoder alone.

    `signal`: float32 [times], how much of the latents is left at every time of the schedule.
    """

    picture: Image.Image
    decoded: Image.Image
    mixed: tuple[Mixed, ...]
    signal: Floats
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """One step of drawing: what the network was shown, and which clean picture it expected."""

    time: float
    signal: float
    noise: float
    noisy: Image.Image
    expected: Image.Image


@dataclass(frozen=True, slots=True)
class Denoised:
    """A picture on its way out of the noise; `picture` is exactly what `sample.draw` draws."""

    steps: tuple[Step, ...]
    picture: Image.Image
    seconds: float


@dataclass(frozen=True, slots=True)
class Guided:
    """The picture under one guidance. 1 is the prompt alone: nothing is subtracted."""

    guidance: float
    picture: Image.Image
    seconds: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """The picture by one sampler in so many steps.

    `apart`: root mean square difference, in shades of 0 to 255, from the same sampler's picture in
    the most steps that were asked for.
    """

    sampler: str
    steps: int
    picture: Image.Image
    apart: float
    seconds: float


class Role(StrEnum):
    """What a place in the prompt's row of tokens is for."""

    START = "start"
    WORD = "word"
    END = "end"
    PADDING = "padding"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the prompt, or a mark around it, and where the picture read it.

    `tokens` are its places in the row. `maps`: float32 [steps, side, side], the share of each
    place's attention that the word got, averaged over heads and layers; all words' maps add up
    to 1.
    """

    text: str
    role: Role
    tokens: tuple[int, ...]
    maps: Floats

    @property
    def map(self) -> Floats:
        """float32 [side, side]: the mean over the steps."""
        return np.asarray(self.maps.mean(axis=0), np.float32)

    @property
    def share(self) -> float:
        """The part of all attention that it got."""
        return float(self.maps.mean())


@dataclass(frozen=True, slots=True)
class Attention:
    """Which places of the picture read which words. `sides`: of each layer's map, in its order."""

    words: tuple[Word, ...]
    picture: Image.Image
    sides: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of the latents. `map` is grey: black -`span`, white `span`.

    `without` is decoded with this channel alone multiplied by the factor, `apart` how far that is
    from the plain decoding (root mean square, in shades of 0 to 255).
    """

    number: int
    map: Image.Image
    mean: float
    deviation: float
    without: Image.Image
    apart: float


@dataclass(frozen=True, slots=True)
class Channels:
    """A picture's latents, channel by channel, each `side` x `side` numbers.

    `decoded` is the decoding of all, unchanged.
    """

    picture: Image.Image
    decoded: Image.Image
    channels: tuple[Channel, ...]
    side: int
    factor: float
    span: float
    seconds: float


def apart(one: Image.Image, other: Image.Image) -> float:
    """Root mean square difference of two RGB pictures of one size, in shades of 0 to 255."""
    a, b = (np.asarray(image, dtype=np.float64) for image in (one, other))
    return float(np.sqrt(np.square(a - b).mean()))
