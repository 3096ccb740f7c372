"""How do two pictures look when one is laid on the other, and where do they differ?

For the eyes of the person who decides about a pair. The place comes from the recorded evidence of
`verify.compare`; the boxes are measured anew here, so that they lie where they are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picdeed.imaging.align import SIDE, Affine, cv
from picdeed.imaging.decode import flatten
from picdeed.imaging.placing import Box, Frame, Whole, laid

Floats = NDArray[np.float32]
Point = tuple[float, float]

SHOWN = 1024  # pixels of the longer side of what is shown
_FAINT, _STRONG = 10.0, 90.0  # of 255: where the heat begins, and where it is full
_PAPER = np.array((251, 248, 241), np.float32)
_AMBER = np.array((240, 170, 40), np.float32)
_RED = np.array((163, 35, 26), np.float32)
_UNIT = np.array([(0.0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)])
_NUMBERS = 6  # of an affine map


@dataclass(frozen=True, slots=True)
class Overlay:
    """Two pictures on the first one's frame, and what is left between them.

    `first` (RGB), `second` (RGBA, transparent where it does not reach) and `difference` (RGB) have
    one size, at most SHOWN pixels a side. `boxes` are the parts that differ, in shares of the
    first's frame, `boxes_second` the same ones in shares of the second's; `outline` is where the
    second's corners lie, in shares of the first's frame, clockwise from its own top left.
    """

    first: Image.Image
    second: Image.Image
    difference: Image.Image
    boxes: tuple[Box, ...]
    boxes_second: tuple[Box, ...]
    outline: tuple[Point, ...]

    @property
    def fills_frame(self) -> bool:
        """Whether the second's edges are the first's."""
        return all(min(abs(v), abs(1 - v)) < 0.02 for point in self.outline for v in point)  # noqa: PLR2004 (a hair at this size)


def is_placed(evidence: Mapping[str, Any]) -> bool:
    """Whether the evidence says where one picture lies on the other.

    Without an `affine` both frames coincide; evidence of views alone (`detail`, nothing of
    blocks) knows no place.
    """
    affine = evidence.get("affine")
    if affine is not None:
        return len(affine) == _NUMBERS and bool(np.isfinite(affine).all())
    return "overlap" in evidence or "detail" not in evidence


def overlay(
    first: Image.Image,
    second: Image.Image,
    evidence: Mapping[str, Any],
    *,
    swapped: bool = False,
    side: int = SHOWN,
) -> Overlay:
    """Lay the second decoded picture on the first, as the evidence of their comparison says.

    `swapped`: the evidence tells where the first lies on the second. One brightness and one
    contrast for the whole picture are allowed for in `difference`, colours are not. Raises
    ValueError where the evidence knows no place.
    """
    if not is_placed(evidence):
        raise ValueError("the evidence does not say where one picture lies on the other")
    small_a, small_b = _frame(first, SIDE), _frame(second, SIDE)
    whole = _whole(evidence, small_a, small_b, swapped=swapped)
    boxes = _boxes(small_a, small_b, whole, int(evidence.get("inliers", 0)))
    under, over = _frame(first, side), _frame(second, side)
    affine = whole.pixels(under.shape, over.shape)
    size = (under.shape[1], under.shape[0])
    moved = cv().warpAffine(
        _smoothed(over, affine),
        affine,
        size,
        flags=cv().INTER_LINEAR,
        borderMode=cv().BORDER_REPLICATE,
    )
    mask = cv().warpAffine(
        np.full(over.shape[:2], 255, np.uint8), affine, size, flags=cv().INTER_NEAREST
    )
    back = whole.inverse().matrix
    return Overlay(
        first=Image.fromarray(under),
        second=Image.fromarray(np.dstack((moved, mask))),
        difference=Image.fromarray(_heat(under, moved, mask > 0)),
        boxes=boxes,
        boxes_second=tuple(_box_of(_corners(box) @ back.T) for box in boxes),
        outline=tuple((float(x), float(y)) for x, y, _ in _UNIT @ whole.matrix.T),
    )


def _frame(image: Image.Image, side: int) -> Frame:
    """uint8[h, w, 3] of at most `side` pixels a side, as `verify` sees it."""
    flat = flatten(image)
    by = min(1.0, side / max(image.size))
    small = max(1, round(image.width * by)), max(1, round(image.height * by))
    return np.asarray(flat.resize(small, Image.Resampling.BILINEAR))


def _whole(evidence: Mapping[str, Any], a: Frame, b: Frame, *, swapped: bool) -> Whole:
    ratio = a.shape[1] / a.shape[0], b.shape[1] / b.shape[0]
    affine = evidence.get("affine")
    if affine is None:
        return Whole(np.eye(3), ratio)
    matrix: Affine = np.vstack((np.array(affine, np.float64).reshape(2, 3), (0.0, 0.0, 1.0)))
    return Whole(matrix, ratio[::-1]).inverse() if swapped else Whole(matrix, ratio)


def _boxes(a: Frame, b: Frame, whole: Whole, inliers: int) -> tuple[Box, ...]:
    """What differs, in shares of a's frame; `laid` measures on the coarser of the two."""
    _, found = laid(a, b, whole, inliers)
    affine = whole.pixels(a.shape, b.shape)
    if abs(np.linalg.det(affine[:, :2])) <= 1:
        return found.parts
    return tuple(_box_of(_corners(box) @ whole.matrix.T) for box in found.parts)


def _corners(box: Box) -> NDArray[np.float64]:
    left, top, right, bottom = box
    return np.array([(left, top, 1), (right, top, 1), (right, bottom, 1), (left, bottom, 1.0)])


def _box_of(corners: NDArray[np.float64]) -> Box:
    """The upright box around points, within the frame."""
    left, top = np.clip(corners[:, :2].min(0), 0, 1).tolist()
    right, bottom = np.clip(corners[:, :2].max(0), 0, 1).tolist()
    return (left, top, right, bottom)


def _smoothed(over: Frame, affine: Affine) -> Frame:
    """Softened before it is made smaller, so that its fine lines do not flicker."""
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if scale >= 0.8:  # noqa: PLR2004 (the warp itself is smooth enough)
        return over
    soft: Frame = cv().GaussianBlur(over, (0, 0), 0.45 / max(scale, 0.05))
    return soft


def _heat(a: Frame, b: Frame, mask: NDArray[np.bool_]) -> Frame:
    """The first in pale grey, amber to red where the second is another; paper where it is not."""
    soft_a, soft_b = _soft(a), _soft(b)
    left = np.minimum(_left(soft_a, _even(soft_b, soft_a, mask)), _left(soft_a, soft_b))
    heat = np.clip((left - _FAINT) / (_STRONG - _FAINT), 0, 1)[..., None] * mask[..., None]
    grey = a.astype(np.float32).mean(-1, keepdims=True)
    base = _PAPER * 0.45 + grey * 0.55
    base = np.where(mask[..., None], base, 0.75 * _PAPER + 0.25 * base)
    hot = np.where(heat < 0.5, _AMBER, _AMBER + (_RED - _AMBER) * (2 * heat - 1))  # noqa: PLR2004 (half way)
    seen = base + (hot - base) * np.minimum(1.0, 2 * heat) * 0.92
    pixels: Frame = seen.clip(0, 255).round().astype(np.uint8)
    return pixels


def _left(a: Floats, b: Floats) -> Floats:
    """float32[h, w]: how far the colours are apart, after the best shift by at most one pixel."""
    wide = np.pad(b, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = a.shape[:2]
    best = np.full((height, width), np.inf, np.float32)
    for down, across in product(range(3), range(3)):
        rest = wide[down : down + height, across : across + width] - a
        best = np.minimum(best, np.sqrt((rest * rest).mean(-1)))
    return best


def _even(own: Floats, target: Floats, mask: NDArray[np.bool_]) -> Floats:
    """`own` with one contrast and one brightness that take most of it nearest to `target`."""
    if mask.sum() < 64:  # noqa: PLR2004 (too few pixels to say)
        return own
    x, y = own[mask].reshape(-1), target[mask].reshape(-1)
    keep = np.ones(len(x), bool)
    gain, shift = 1.0, 0.0
    for _ in range(2):  # the second time without what differs most: a sticker is no tone
        spread = float(x[keep].var())
        if spread < 1:
            return own
        covariance = float(((x[keep] - x[keep].mean()) * (y[keep] - y[keep].mean())).mean())
        gain = min(2.5, max(0.4, covariance / spread))
        shift = float(y[keep].mean() - gain * x[keep].mean())
        rest = np.abs(gain * x + shift - y)
        keep = rest <= np.quantile(rest, 0.8)
    evened: Floats = (gain * own + shift).clip(0, 255).astype(np.float32)
    return evened


def _soft(frame: Frame) -> Floats:
    soft: Floats = cv().GaussianBlur(frame, (0, 0), 1.0).astype(np.float32)
    return soft
