"""Which edit may lie between two pictures? A guess in words, for the person who reviews them."""

from __future__ import annotations

from typing import Any

from picdeed.imaging.agree import Agreement
from picdeed.imaging.classes import WHOLE, PairKind
from picdeed.imaging.placing import Whole

_STEP = 3.0  # degrees
_SHIFT, _DULL, _VIVID = 0.04, 0.8, 1.25


def edit_words(
    kind: PairKind,
    whole: Whole,
    seen: Agreement,
    coarse: dict[str, Any],
    sizes: tuple[tuple[int, int], tuple[int, int]],
) -> str:
    """Such as "mirrored, resized" or "cropped 36 %"; `sizes` are the pictures' (width, height)."""
    words = [*_geometry(kind, whole, sizes), *_tones(seen, coarse)]
    for left, top, right, bottom in seen.parts[:2]:
        across, down = (left + right) / 2, (top + bottom) / 2
        words.append(f"another part at {100 * across:.0f} % across, {100 * down:.0f} % down")
    return ", ".join(words) or "recompressed"


def _geometry(
    kind: PairKind, whole: Whole, sizes: tuple[tuple[int, int], tuple[int, int]]
) -> list[str]:
    words = []
    if whole.mirrored:
        words.append("mirrored")
    if abs(whole.turn) > _STEP / 3:
        quarter = round(whole.turn / 90) * 90
        near = abs(whole.turn - quarter) < _STEP / 3
        words.append(f"turned by {abs(quarter if near else round(whole.turn))} degrees")
    covered = whole.covered()
    if kind in (PairKind.CROP_OF, PairKind.CONTAINS):
        lost = 1 - covered[1 if kind is PairKind.CROP_OF else 0]
        words.append(f"cropped {100 * lost:.0f} %")
    elif kind is PairKind.NEAR and min(covered) < WHOLE:
        words.append("framed")
    if sorted(sizes[0]) != sorted(sizes[1]) and not (words and words[-1] == "framed"):
        words.append("resized")
    return words


def _tones(seen: Agreement, coarse: dict[str, Any]) -> list[str]:
    words = []
    if coarse.get("grey_copy"):
        words.append("grey")
    elif seen.strength < _DULL or seen.strength > _VIVID:
        words.append("other saturation")
    if seen.rich and seen.shift > _SHIFT:
        words.append("other tones")
    return words
