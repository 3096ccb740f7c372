"""Do two small views of pictures, laid on each other as they are, show the same?

Views are squares of at most 64 pixels. `near` asks for four things at once: no part differs much,
the whole differs little, the structure agrees, and the colours agree, or one of the two is a grey
copy of the other. The thresholds lie between what was measured on re-encoded, resized and grey
copies of photographs, prints and drawings and on the most alike drawings of one family; tests
hold both. What a view is too small to show (a digit), `agree` looks for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from picdeed.imaging.classes import PairKind

Floats = NDArray[np.float32]

_PART, _COLOUR_PART = 4, 8  # sides of a part, of at most 64
_LUMA_601: Floats = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_LUMA_709: Floats = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)

# Copies measured: part 0.058, whole 0.019, colour 0.077, structure 0.91 (halving without a filter:
# part 0.069). Strangers nearest to them, of 1,763 emoji: part 0.079 with colour 0.100, part 0.090
# with colour 0.088, part 0.109 with less colour. Grey copies measured: part 0.017, whole 0.005.
_NEAR_PART, _NEAR_WHOLE, _NEAR_COLOUR, _NEAR_STRUCTURE = 0.07, 0.03, 0.08, 0.85
_GREY_PART, _GREY_WHOLE = 0.03, 0.012
_PLAIN_PART, _PLAIN_COLOUR, _PLAIN_SPREAD = 0.01, 0.02, 0.01
_VARIANT_OUTLINE = 0.9
_GREY_CHROMA, _COLOURED_CHROMA = 0.03, 0.06
_MOST_SHIFT = 0.75  # of a pixel at the compared detail: resizers disagree by less


def judge_coarse(evidence: dict[str, float | bool], *, plain: bool) -> PairKind:
    part, whole, colour = evidence["part"], evidence["whole"], evidence["colour"]
    if plain:  # nothing on either picture: only the colour can be compared
        same = part <= _PLAIN_PART and colour <= _PLAIN_COLOUR
        return PairKind.NEAR if same else PairKind.UNRELATED
    if evidence["structure"] >= _NEAR_STRUCTURE:
        if part <= _NEAR_PART and whole <= _NEAR_WHOLE and colour <= _NEAR_COLOUR:
            return PairKind.NEAR
        if evidence["grey_copy"] and part <= _GREY_PART and whole <= _GREY_WHOLE:
            return PairKind.NEAR
    return PairKind.VARIANT if evidence["outline"] >= _VARIANT_OUTLINE else PairKind.UNRELATED


def distance_of(evidence: dict[str, float | bool]) -> float:
    worst = evidence["part"] if evidence["grey_copy"] else max(evidence["part"], evidence["colour"])
    # Never 0: that would say that the pixels are the same.
    return round(min(1.0, max(0.0001, float(worst))), 4)


def measure_coarse(left: Floats, right: Floats) -> dict[str, float | bool]:
    tints = _tint(left), _tint(right)
    chroma = sorted(float(np.abs(tint).max()) for tint in tints)
    grey_copy = chroma[0] < _GREY_CHROMA and chroma[1] > _COLOURED_CHROMA
    # Tools turn colours into grey by either of two standards.
    greys = [(left @ luma, right @ luma) for luma in (_LUMA_601, _LUMA_709)[: 1 + grey_copy]]
    residues = [_aligned_difference(*pair) for pair in greys]
    best = min(range(len(greys)), key=lambda at: float((residues[at] ** 2).mean()))
    tinted = _parts(tints[0], _COLOUR_PART) - _parts(tints[1], _COLOUR_PART)
    return {
        "part": float(_parts(np.abs(residues[best])[..., None], _PART).max()),
        "whole": float(np.sqrt((residues[best] ** 2).mean())),
        "colour": float(np.sqrt((tinted**2).sum(-1)).max()),
        "structure": correlation(*greys[best]) if grey_copy else correlation(left, right),
        "outline": correlation(edges(left), edges(right)),
        "grey_copy": grey_copy,
    }


def _tint(rgb: Floats) -> Floats:
    """What is left of a colour without its lightness."""
    tint: Floats = rgb - (rgb @ _LUMA_601)[..., None]
    return tint


def _aligned_difference(left: Floats, right: Floats) -> Floats:
    """left - right after the best shift by less than a pixel (Lucas and Kanade, one step)."""
    difference = left - right
    slopes = np.stack(_slopes((left + right) / np.float32(2)), axis=-1).reshape(-1, 2)
    normal = slopes.T @ slopes
    if np.linalg.det(normal) < 1e-9:  # noqa: PLR2004 (no edges in two directions)
        return difference
    shift = np.linalg.solve(normal, slopes.T @ difference.reshape(-1))
    shift = np.clip(shift, -_MOST_SHIFT, _MOST_SHIFT)
    aligned: Floats = difference - (slopes @ shift).reshape(difference.shape)
    return aligned


def _slopes(field: Floats) -> tuple[Floats, Floats]:
    across, down = np.zeros_like(field), np.zeros_like(field)
    across[:, 1:-1] = (field[:, 2:] - field[:, :-2]) / 2
    down[1:-1] = (field[2:] - field[:-2]) / 2
    return across, down


def edges(rgb: Floats) -> Floats:
    """Strength of the edges, of all colours together: float32[side, side]."""
    across, down = _slopes(rgb)
    strength: Floats = np.sqrt((across**2 + down**2).sum(-1))
    return strength


def correlation(left: Floats, right: Floats) -> float:
    """Pearson's, over all pixels (and channels, each around its own mean); 0 for plain fields."""
    one: Floats = left - left.mean((0, 1), dtype=np.float32)
    other: Floats = right - right.mean((0, 1), dtype=np.float32)
    norm = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / norm if norm > 1e-6 else 0.0  # noqa: PLR2004 (rounding)


def is_plain(rgb: Floats) -> bool:
    return bool(rgb.std((0, 1)).max() < _PLAIN_SPREAD)


def _parts(field: Floats, side: int) -> Floats:
    """Means of square parts: float32[n, n, channels]."""
    n = field.shape[0] // side
    means: Floats = field.reshape(n, side, n, side, -1).mean((1, 3)).astype(np.float32)
    return means


def blur(field: Floats) -> Floats:
    """(1, 2, 1) / 4 in both directions, edges repeated."""
    wide = np.pad(field, ((1, 1), (1, 1), (0, 0)), mode="edge")
    quarter, half = np.float32(0.25), np.float32(0.5)
    rows = quarter * wide[:-2] + half * wide[1:-1] + quarter * wide[2:]
    blurred: Floats = quarter * rows[:, :-2] + half * rows[:, 1:-1] + quarter * rows[:, 2:]
    return blurred
