"""How colourful, how dark, how edgy are pictures? Plain numbers that tell a print from a drawing.

They say nothing about content and need no downloaded encoder; show them beside the same numbers
of real pictures and of the base's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
BINS, TURNS = 64, 18
_DARK = 0.25
_EDGE = 0.25
_GROUND = 0.12


@dataclass(frozen=True, slots=True)
class Style:
    """Means over pictures, each in [0, 1].

    `chroma`: largest minus smallest of R, G, B, over what stands out from the border's colour
    (everything, when nothing does). `dark`: share of all pixels with luma below 0.25. `edges`:
    share of neighbouring pixels whose luma differs by more than 0.25. `ink`: share of what
    stands out that is dark.
    """

    chroma: float
    dark: float
    edges: float
    ink: float


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """What a set of pictures has in common, each array summing to 1.

    `chroma` and `light`: shares of pixels by chroma and luma, [BINS] over 0 to 1. `turns`: how
    edges lie, [TURNS] over half a turn, by their strength. `slope`: of the logarithm of power over
    that of frequency, the mean over pictures: about -2 for photographs, nearer 0 for hatching.
    """

    chroma: Floats
    light: Floats
    turns: Floats
    slope: float


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two sets of pictures lie apart; 0 is equal.

    `chroma`, `light`: the first Wasserstein distance of the histograms, in [0, 1]. `turns`: the
    share of edges that lie otherwise, in [0, 1]. `slope`: the slopes' difference.
    """

    chroma: float
    light: float
    turns: float
    slope: float


def traits_of(images: Sequence[Image.Image]) -> Traits:
    """The traits of at least one RGB picture; each picture counts alike whatever its size."""
    if not images:
        raise ValueError("traits need at least one picture")
    rows = [_traits(image) for image in images]
    return Traits(
        chroma=np.mean([row.chroma for row in rows], axis=0),
        light=np.mean([row.light for row in rows], axis=0),
        turns=np.mean([row.turns for row in rows], axis=0),
        slope=float(np.mean([row.slope for row in rows])),
    )


def distance(one: Traits, other: Traits) -> Distance:
    """How far two sets lie apart; the order does not matter."""
    return Distance(
        chroma=_moved(one.chroma, other.chroma),
        light=_moved(one.light, other.light),
        turns=float(np.abs(one.turns - other.turns).sum() / 2),
        slope=abs(one.slope - other.slope),
    )


def _moved(one: Floats, other: Floats) -> float:
    """Wasserstein-1 of two histograms over 0 to 1: the area between their sums."""
    return float(np.abs(np.cumsum(one - other)).sum() / len(one))


def _traits(image: Image.Image) -> Traits:
    rgb = np.asarray(image.convert("RGB"), dtype=np.float64) / 255.0
    luma = rgb @ np.array(LUMA)
    down, across = np.gradient(luma) if min(luma.shape) > 1 else (luma * 0, luma * 0)
    # An edge and its opposite lie alike: half a turn.
    angle = np.arctan2(down, across) % np.pi / np.pi
    strength = np.hypot(down, across)
    turns, _ = np.histogram(angle, bins=TURNS, range=(0, 1), weights=strength)
    return Traits(
        chroma=_shares(rgb.max(axis=2) - rgb.min(axis=2)),
        light=_shares(luma),
        turns=turns / turns.sum() if turns.sum() > 0 else np.full(TURNS, 1 / TURNS),
        slope=_slope(luma),
    )


def _shares(values: Floats) -> Floats:
    counts, _ = np.histogram(values, bins=BINS, range=(0, 1 + 1e-9))
    return counts / values.size


def _slope(luma: Floats) -> float:
    """0 of an even picture, and of one too small for two frequencies."""
    power = np.abs(np.fft.fft2(luma - luma.mean())) ** 2
    fy, fx = (np.fft.fftfreq(side) * min(luma.shape) for side in luma.shape)
    ring = np.rint(np.hypot(fy[:, None], fx[None, :])).astype(int)
    sums = np.bincount(ring.ravel(), power.ravel())
    means = sums / np.maximum(np.bincount(ring.ravel()), 1)
    at = np.arange(1, min(luma.shape) // 2)
    at = at[means[at] > 1e-12] if len(at) else at
    if len(at) < 2:
        return 0.0
    return float(np.polyfit(np.log(at), np.log(means[at]), 1)[0])


def style_of(images: Iterable[Image.Image]) -> Style:
    """The mean style of at least one RGB picture."""
    rows = [_one(image) for image in images]
    if not rows:
        raise ValueError("style needs at least one picture")
    return Style(*(float(value) for value in np.mean(rows, axis=0)))


def _one(image: Image.Image) -> tuple[float, float, float, float]:
    rgb = np.asarray(image.convert("RGB"), dtype=np.float64) / 255.0
    luma = rgb @ np.array(LUMA)
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    stands_out = np.abs(rgb - np.median(border, axis=0)).max(axis=2) > _GROUND
    if not stands_out.any():
        stands_out[:] = True
    chroma = rgb.max(axis=2) - rgb.min(axis=2)
    edges = np.concatenate(
        [np.abs(np.diff(luma, axis=0)).ravel(), np.abs(np.diff(luma, axis=1)).ravel()]
    )
    return (
        float(chroma[stands_out].mean()),
        float((luma < _DARK).mean()),
        float((edges > _EDGE).mean()),
        float((luma[stands_out] < _DARK).mean()),
    )
