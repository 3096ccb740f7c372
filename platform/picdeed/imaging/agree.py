"""Two pictures lie on each other: which parts agree, which differ, and how do the colours relate?

Blocks of 16 pixels are compared after the best shift by at most one pixel, because an affine map
and two resizers are never exact. One curve of lightness for the whole picture (brightness,
contrast, gamma) and one strength of colour by lightness (saturation, grey) are allowed for; what
is left is a difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.align import cv

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

BLOCK = 16
AGREES = 0.6  # normalised cross-correlation of a block
_COVERED = 0.95  # of a block inside the overlap
_TEXTURE = 5.0  # spread of lightness, of 255, from which a block has something to compare
_SMALL = 160  # an overlap with a shorter side has blocks of 8 pixels
_LUMA: Floats = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_LUMA_709: Floats = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
_GREY = 8.0  # of 255: the widest a grey picture's channels are apart
_SMOOTH = 6.0  # lightness per pixel
_LEVELS = 32
_ENOUGH = 1 << 16  # pixels
_RICH = 8  # levels of lightness, of 32, that a photograph has and a flat drawing has not,
_FLAT = 0.78  # nor are this many of its pixels on three levels


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two frames of h x w pixels share where both are.

    `blocks` have texture on either side; `share` of them agrees, `sure` is their mean correlation.
    `parts` are boxes (left, top, right, bottom; shares of the frame) that differ, `differs` their
    share of all compared blocks. `colour` (0 to 1) is the largest difference of tint of one part
    once curve and strength are allowed for, `tint` before that; `curve` (0 to 1) what the curve
    leaves of the lightness; `shift` how far the curve moves it; `rich`, whether there are enough
    tones for a curve to mean something; `strength` of b's colours by a's.
    """

    blocks: int
    share: float
    sure: float
    parts: tuple[tuple[float, float, float, float], ...]
    differs: float
    colour: float
    tint: float
    curve: float
    shift: float
    rich: bool
    strength: float


def measure(a: Rgb, b: Rgb, mask: Mask) -> Agreement:
    """Compare uint8[h, w, 3] with uint8[h, w, 3] where `mask` bool[h, w] is true."""
    mask = _inner(mask)
    soft_a, soft_b = _soft(a), _soft(b)
    grey_a, grey_b, predicted, rich = _lightness(soft_a, soft_b, mask)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    extent = min(len(rows), len(columns))
    side = BLOCK if extent >= _SMALL else BLOCK // 2
    covered = block_means(mask.astype(np.float32), side) >= _COVERED
    best, residue = _best_of_shifts(grey_a, grey_b, predicted, side)
    spread = np.maximum(_spread(predicted, side), _spread(grey_b, side))
    textured = covered & (spread > _TEXTURE)
    differing = _differing(best, residue, spread, covered)
    alike = mask & ~_grown(differing, side, mask.shape)
    tint, colour, strength = _colours(soft_a, soft_b, predicted, alike)
    n = int(textured.sum())
    same = covered & ~differing
    error = np.abs(block_means(predicted, side) - block_means(grey_b, side))[same]
    moved = np.abs(block_means(grey_a, side) - block_means(grey_b, side))[same]
    return Agreement(
        blocks=n,
        share=float((best[textured] >= AGREES).mean()) if n else 0.0,
        sure=float(best[textured].mean()) if n else 0.0,
        parts=_boxes(differing, side, mask.shape),
        differs=float(differing.sum() / max(1, covered.sum())),
        colour=colour,
        tint=tint,
        curve=float(np.sqrt((error**2).mean()) / 255) if error.size else 1.0,
        shift=float(np.quantile(moved, 0.9) / 255) if moved.size else 1.0,
        rich=rich,
        strength=strength,
    )


def _lightness(a: Floats, b: Floats, mask: Mask) -> tuple[Floats, Floats, Floats, bool]:
    """Both as grey, and a's after the curve. Tools make grey by either of two standards."""
    greys = [(a @ _LUMA, b @ _LUMA)]
    if _is_grey(a) != _is_grey(b):
        greys.append((a @ _LUMA_709, b @ _LUMA_709))
    best: tuple[float, tuple[Floats, Floats, Floats, bool]] | None = None
    for one, other in greys:
        predicted, rich = _toned(one, other, mask)
        left = float(((predicted - other)[mask] ** 2).mean()) if mask.any() else 0.0
        if best is None or left < best[0]:
            best = (left, (one, other, predicted, rich))
    assert best is not None  # noqa: S101 (there is at least one standard)
    return best[1]


def _is_grey(rgb: Floats) -> bool:
    return bool(np.quantile(np.ptp(rgb[::4, ::4], axis=-1), 0.99) < _GREY)


def _differing(best: Floats, residue: Floats, spread: Floats, covered: Mask) -> Mask:
    """Blocks that differ by more than coding, resizing and noise explain.

    What those leave is measured on the picture itself: the median block that has texture.
    """
    textured = covered & (spread > _TEXTURE)
    usual = float(np.median(residue[textured])) if textured.any() else 0.0
    lost = (best < AGREES) & (residue > np.maximum(13.0 + 2 * usual, 0.45 * spread))
    changed = residue > np.maximum(16.0 + 3 * usual, 0.62 * spread)
    found: Mask = covered & (lost | changed)
    return found


def lightness(a: Rgb, b: Rgb, mask: Mask) -> tuple[Floats, Floats, Mask]:
    """Both as soft grey of one curve, float32[h, w] of 0 to 255, and where they may be compared."""
    inside = _inner(mask)
    _, grey_b, predicted, _ = _lightness(_soft(a), _soft(b), inside)
    return predicted, grey_b, inside


def _inner(mask: Mask) -> Mask:
    """The mask without its rim: there a warped picture is mixed with what lies beside it."""
    rim = 3 if min(mask.shape) >= _SMALL else 1
    kernel = np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)
    inner: Mask = cv().erode(mask.astype(np.uint8), kernel).astype(bool)
    return inner


def _grown(blocks: Mask, side: int, shape: tuple[int, ...]) -> Mask:
    """Blocks as pixels, with the blocks around them."""
    full = np.zeros(shape, dtype=bool)
    if not blocks.any():
        return full
    wide = cv().dilate(blocks.astype(np.uint8), np.ones((3, 3), np.uint8))
    pixels = np.kron(wide, np.ones((side, side), np.uint8)).astype(bool)
    full[: pixels.shape[0], : pixels.shape[1]] = pixels
    return full


def _soft(rgb: Rgb) -> Floats:
    soft: Floats = cv().GaussianBlur(rgb, (0, 0), 1.2).astype(np.float32)
    return soft


def block_means(field: Floats, side: int) -> Floats:
    """float32[h // side, w // side]: the means of whole blocks of a float32[h, w]."""
    rows, columns = field.shape[0] // side, field.shape[1] // side
    if not rows or not columns:
        return np.zeros((rows, columns), np.float32)
    cut = np.ascontiguousarray(field[: rows * side, : columns * side], dtype=np.float32)
    # Whole blocks: the area average is their mean, five times as fast as numpy's.
    means: Floats = cv().resize(cut, (columns, rows), interpolation=cv().INTER_AREA)
    return means


def _spread(field: Floats, side: int) -> Floats:
    mean = block_means(field, side)
    spread: Floats = np.sqrt(np.maximum(block_means(field * field, side) - mean * mean, 0))
    return spread


def _best_of_shifts(a: Floats, b: Floats, predicted: Floats, side: int) -> tuple[Floats, Floats]:
    """Per block: the best correlation of a with b, and the least residue of the prediction."""
    wide_a = np.pad(a, 1, mode="edge")
    wide_p = np.pad(predicted, 1, mode="edge")
    mean_b, spread_b = block_means(b, side), _spread(b, side)
    best = np.full(mean_b.shape, -1, np.float32)
    residue = np.full(mean_b.shape, np.inf, np.float32)
    height, width = a.shape
    for down, across in product(range(3), range(3)):
        moved = wide_a[down : down + height, across : across + width]
        both = block_means(moved * b, side) - block_means(moved, side) * mean_b
        best = np.maximum(best, both / (_spread(moved, side) * spread_b + 1.0))
        rest = wide_p[down : down + height, across : across + width] - b
        residue = np.minimum(residue, np.sqrt(block_means(rest * rest, side)))
    return best, residue


def _toned(a: Floats, b: Floats, mask: Mask) -> tuple[Floats, bool]:
    """a's lightness after the one rising curve that takes it nearest to b's."""
    curve = _curve(a[mask], b[mask])
    if curve is None or _drawn(a, mask):
        return a, False
    return _bent(a, curve), True


def _bent(levels: Floats, curve: NDArray[np.float64]) -> Floats:
    """Levels of 0 to 255 after a curve float64[256], straight between whole levels."""
    table = np.append(curve, curve[-1]).astype(np.float32)
    below = levels.astype(np.int32)
    low = table[below]
    bent: Floats = low + (levels - below) * (table[below + 1] - low)
    return bent


def _drawn(grey: Floats, mask: Mask) -> bool:
    """Whether what is not an edge has few tones: letters have greys at their edges only."""
    slope = np.hypot(*np.gradient(grey)) if min(grey.shape) > 1 else np.zeros_like(grey)
    smooth = grey[mask & (slope < _SMOOTH)]
    if smooth.size < 0.15 * mask.sum():  # texture all over
        return False
    levels = np.clip(smooth * (_LEVELS / 256), 0, _LEVELS - 1).astype(np.int64)
    most = np.sort(np.bincount(levels, minlength=_LEVELS))[-3:].sum()
    return bool(most >= _FLAT * smooth.size)


def _curve(own: Floats, target: Floats) -> NDArray[np.float64] | None:
    """float64[256], rising: what each level becomes. None on few tones: it could explain all."""
    # A curve of 32 levels is known from some thousands of pixels.
    step = 1 + own.size // _ENOUGH
    own, target = own[::step], target[::step]
    levels = np.clip(own * (_LEVELS / 256), 0, _LEVELS - 1).astype(np.uint8)
    counts = np.bincount(levels, minlength=_LEVELS)
    used = np.flatnonzero(counts >= max(8, 0.004 * levels.size))
    if len(used) < _RICH or np.sort(counts)[-3:].sum() >= _FLAT * levels.size:
        return None
    order = np.argsort(levels, kind="stable")
    starts = np.concatenate(([0], np.cumsum(counts)))
    values = []
    for level in used:
        some = order[starts[level] : starts[level + 1]]
        values.append((float(np.median(own[some])), float(np.median(target[some]))))
    x, y = np.array(values).T
    curve = np.interp(np.arange(256), x, np.maximum.accumulate(y))
    low, high = int(x[0]), int(x[-1]) + 1
    # Beyond the tones that were seen the curve goes on in parallel.
    curve[:low] = np.clip(curve[low] + np.arange(low) - low, 0, 255)
    curve[high:] = np.clip(curve[min(high, 255)] + np.arange(256 - high), 0, 255)
    return curve


def _colours(a: Floats, b: Floats, predicted: Floats, mask: Mask) -> tuple[float, float, float]:
    """Largest difference of tint over parts: as is, and after one strength by lightness."""
    side = max(8, min(mask.shape) // 12)
    weight = block_means(mask.astype(np.float32), side)
    seen = weight > 0.6  # noqa: PLR2004 (mostly inside)
    if not seen.any():
        return 1.0, 1.0, 1.0
    other = _tints(b, mask, side)[seen]
    one = _tints(a, mask, side)[seen]
    light = block_means(predicted, side)[seen]
    strength = float((one * other).sum() / ((one * one).sum() + 1e-9))
    left = _left(one, other, light)
    # Brightness, contrast and gamma put every channel through one curve, which bends hues.
    curve = _curve(a[mask].reshape(-1), b[mask].reshape(-1))
    if curve is not None:
        left = min(left, _left(_tints(_bent(a, curve), mask, side)[seen], other, light))
    plain = float(np.sqrt(((one - other) ** 2).sum(-1)).max())
    return plain, min(plain, left), max(0.0, strength)


def _tints(rgb: Floats, mask: Mask, side: int) -> Floats:
    """Mean colour without its lightness of each part, where the mask is: float32[n, m, 3]."""
    chroma = rgb - (rgb @ _LUMA)[..., None]
    weight = np.maximum(block_means(mask.astype(np.float32), side), 1e-6)
    means = [block_means(chroma[..., c] * mask, side) / weight for c in range(3)]
    tints: Floats = (np.stack(means, -1) / 255).astype(np.float32)
    return tints


def _left(one: Floats, other: Floats, light: Floats) -> float:
    """The largest difference of a part that one strength per band of lightness leaves.

    More or less of the same hue counts half: saturation clips where a hue does not turn.
    """
    allowed = one * max(0.0, float((one * other).sum() / ((one * one).sum() + 1e-9)))
    for low in range(0, 256, 64):  # clipped lights and deep shadows lose colour first
        band = (light >= low) & (light < low + 64)
        power = float((one[band] ** 2).sum())
        if power > 1e-3:  # noqa: PLR2004 (some colour in this band)
            fit = float((one[band] * other[band]).sum()) / power
            allowed[band] = one[band] * np.clip(fit, 0.0, 3.0)
    way = one / np.maximum(np.sqrt((one**2).sum(-1, keepdims=True)), 0.02)
    rest = other - allowed
    along = (rest * way).sum(-1, keepdims=True) * way
    return float(np.sqrt(((rest - along) ** 2).sum(-1) + (along**2).sum(-1) / 4).max())


def _boxes(
    differing: Mask, side: int, shape: tuple[int, ...]
) -> tuple[tuple[float, float, float, float], ...]:
    """The largest five groups of touching blocks, as shares of the frame."""
    if not differing.any():
        return ()
    count, _, stats, _ = cv().connectedComponentsWithStats(differing.astype(np.uint8), None, 8)
    found = sorted(stats[1:count].tolist(), key=lambda row: -row[4])[:5]
    height, width = shape[:2]
    return tuple(
        (
            round(x * side / width, 3),
            round(y * side / height, 3),
            round((x + w) * side / width, 3),
            round((y + h) * side / height, 3),
        )
        for x, y, w, h, _ in found
    )
