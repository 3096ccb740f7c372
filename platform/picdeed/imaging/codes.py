"""Which 256 bits does a picture keep through re-encoding, resizing, turning and framing?

PDQ's layout (Facebook's ThreatExchange, pdq/README): a grey picture of 64 x 64, the 16 x 16 lowest
frequencies of its cosine transform without the constant ones, each bit set where a frequency
exceeds their median. The grey (ITU-R BT.601, 8 bits) is an exact area average instead of PDQ's
filters, so that copies of other sizes differ by fewer bits; codes of PDQ itself lie some bits away
and are never mixed with these. Turned and mirrored pictures have the same frequencies with other
signs: their codes come without a second decode.

A JPEG may be decoded at 1/2, 1/4 or 1/8 (libjpeg's scaled inverse cosine transform, `decode`) as
long as its shorter side keeps `SHORTEST` pixels: its code then lies within some four bits of that
of the whole picture, mostly at none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picdeed.imaging.decode import Decoded, Flat, flat_of
from picdeed.imaging.fields import SIDE, Box, Fields, Floats, fields_of

Words = NDArray[np.uint64]
Picture = Image.Image | Decoded | Flat

ALGORITHM = "pdq256/2"
FREQUENCIES = 16
WORDS = 4
BITS = 256

# Sums of rounded floats of an even field: far below what one grey level in one cell makes (0.03).
_NOTHING = 1e-3


class Turn(IntEnum):
    """What was done to a picture, by Pillow's words; the order of `variants`."""

    NONE = 0
    FLIP_LEFT_RIGHT = 1
    FLIP_TOP_BOTTOM = 2
    ROTATE_180 = 3
    TRANSPOSE = 4
    ROTATE_90 = 5
    ROTATE_270 = 6
    TRANSVERSE = 7

    @property
    def undone(self) -> Turn:
        """The turn that leads back; all but the quarter turns are their own."""
        return {Turn.ROTATE_90: Turn.ROTATE_270, Turn.ROTATE_270: Turn.ROTATE_90}.get(self, self)


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """One picture's codes, all of `ALGORITHM`.

    `plain` and `trimmed` are uint64[4]; bit 16 i + j of the 256 (from the lowest of the first
    word) is frequency i + 1 down, j + 1 across. `trimmed` is of the picture inside `trim_box`
    (left, top, right, bottom, in the whole picture's pixels), None where there is no even border.
    `quality`, 0 to 100, is PDQ's: below 50 there is hardly anything on the picture. `colours` is
    uint8[192], 8 x 8 cells of CIE L*a*b* (D65; L scaled to 255, a and b moved by 128), by rows.
    `coefficients` are float32[256], what `variants` needs.
    """

    plain: Words
    trimmed: Words | None
    trim_box: Box | None
    quality: int
    colours: NDArray[np.uint8]
    coefficients: Floats
    trimmed_coefficients: Floats | None


def code_of(picture: Picture) -> Code:
    """The codes of a decoded, upright picture of any size and mode."""
    return codes_of([picture])[0]


def codes_of(pictures: Sequence[Picture]) -> list[Code]:
    """The codes of decoded, upright pictures; the transforms are done for all together."""
    return codes_from([fields_of(flat_of(picture)) for picture in pictures])


def codes_from(seen: Sequence[Fields]) -> list[Code]:
    """The codes of pictures whose fields are there."""
    if not seen:
        return []
    framed = [one.inner for one in seen if one.inner is not None]
    greys = np.stack([one.grey for one in seen] + framed)
    spectra = spectrum(greys)
    bits = _bits(spectra)
    qualities = _quality(greys[: len(seen)])
    colours = _lab(np.stack([one.colours for one in seen]))
    inner = iter(range(len(seen), len(greys)))
    found = []
    for at, one in enumerate(seen):
        within = next(inner) if one.inner is not None else None
        found.append(
            Code(
                plain=bits[at],
                trimmed=None if within is None else bits[within],
                trim_box=one.box,
                quality=qualities[at],
                colours=colours[at],
                coefficients=spectra[at],
                trimmed_coefficients=None if within is None else spectra[within],
            )
        )
    return found


def spectrum(greys: Floats) -> Floats:
    """float32[n, 256]: the lowest 16 x 16 cosine frequencies of float32[n, 64, 64] grey fields.

    Without the constant ones; a frequency that is only rounding noise is 0.
    """
    basis = _waves()
    level = greys - greys.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    found: Floats = basis @ level @ basis.T
    found[np.abs(found) < _NOTHING] = 0
    return found.reshape(len(greys), -1)


def variants(coefficients: Floats) -> Words:
    """uint64[..., 8, 4]: the codes of the turned pictures, in the order of `Turn`.

    `coefficients` is float32[..., 256]. Row t is what `code_of` gives for the picture after
    `image.transpose(t)`, but for bits at the median.
    """
    field = coefficients.reshape(*coefficients.shape[:-1], FREQUENCIES, FREQUENCIES)
    odd = np.where(np.arange(1, FREQUENCIES + 1) % 2, -1, 1).astype(np.float32)
    across, down = odd[None, :], odd[:, None]
    turned = np.swapaxes(field, -1, -2)
    made = [
        *(field, field * across, field * down, field * across * down),
        *(turned, turned * down, turned * across, turned * across * down),
    ]
    return _bits(np.stack(made, axis=-3).reshape(*coefficients.shape[:-1], len(Turn), BITS))


def to_hex(code: Words) -> str:
    """64 hex digits as PDQ writes them: the highest bit first."""
    return "".join(f"{int(word):016x}" for word in code[::-1])


def from_hex(text: str) -> Words:
    """A code from its 64 hex digits; raises ValueError on anything else."""
    if len(text) != WORDS * 16 or not text.isalnum():
        raise ValueError(f"{text!r} is not a code of {WORDS * 16} hex digits")
    return np.array([int(text[at : at + 16], 16) for at in (48, 32, 16, 0)], dtype=np.uint64)


def _bits(coefficients: Floats) -> Words:
    """uint64[..., 4] of float32[..., 256]: a bit where a coefficient exceeds their median."""
    middle = np.partition(coefficients, (BITS // 2 - 1, BITS // 2), axis=-1)
    median = middle[..., BITS // 2 - 1 : BITS // 2 + 1].mean(axis=-1, keepdims=True)
    above = coefficients > median
    return np.packbits(above, axis=-1, bitorder="little").view("<u8").astype(np.uint64)


@lru_cache(maxsize=1)
def _waves() -> Floats:
    """float32[16, 64]: the lowest cosines, without the constant one."""
    waves = np.arange(1, FREQUENCIES + 1)[:, None] * (2 * np.arange(SIDE) + 1)
    basis: Floats = (np.sqrt(2 / SIDE) * np.cos(np.pi / (2 * SIDE) * waves)).astype(np.float32)
    basis.setflags(write=False)
    return basis


def _quality(greys: Floats) -> list[int]:
    """PDQ's, of float32[n, 64, 64]: how much neighbouring cells' grey levels differ, 0 to 100."""
    total = np.zeros(len(greys), np.float32)
    for apart in (greys[:, 1:] - greys[:, :-1], greys[:, :, 1:] - greys[:, :, :-1]):
        steps = np.multiply(apart, np.float32(100 / 255), out=apart)
        total += np.abs(np.trunc(steps, out=steps), out=steps).sum(axis=(1, 2))
    return [min(100, int(one / 90)) for one in total.tolist()]


def _lab(rgb: Floats) -> NDArray[np.uint8]:
    """uint8[n, 192] of float32[n, 8, 8, 3] sRGB, 0 to 255 (CIE 15, IEC 61966-2-1)."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 (sRGB)
    xyz = linear @ _to_xyz()
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    # L*, a* and b* are sums of the three roots.
    mix = np.array([[0, 500, 0], [1.16 * 255, -500, 200], [0, 0, -200]], dtype=np.float32)
    cells = root @ mix + np.array([-0.16 * 255, 128, 128], dtype=np.float32)
    grids: NDArray[np.uint8] = np.rint(cells).clip(0, 255).astype(np.uint8)
    return grids.reshape(len(rgb), -1)


@lru_cache(maxsize=1)
def _to_xyz() -> Floats:
    """float32[3, 3]: linear sRGB by rows to CIE XYZ by columns, each against D65's white."""
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    scaled: Floats = (to_xyz.T / to_xyz.sum(axis=1)).astype(np.float32)
    return scaled
