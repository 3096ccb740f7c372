"""How is a JPEG decoded smaller than it is, and does the decoder complain about any of it?

libjpeg-turbo gives 1/2, 1/4 or 1/8 of a picture's sides from its cosine coefficients, for little
more than it costs to read them. It still reads the file to its end, every scan of it, and strict
decoding (simplejpeg) raises on what libjpeg only warns of: pixels or scans that end early, codes
that mean nothing. The pixels are those of Pillow's `draft`, which is the same library.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picdeed.imaging.containers import jpeg_segments

_SCALES = (8, 4, 2)
# Baseline, extended and progressive Huffman coding; what is rarer is left to Pillow.
_FRAMES = frozenset((0xC0, 0xC1, 0xC2))
_NO_FRAMES = frozenset((0xC4, 0xC8, 0xCC))  # tables, between the markers that begin a frame
_COLOURS = {"RGB": "RGB", "L": "GRAY"}  # Pillow's mode: simplejpeg's word


def scale_for(size: tuple[int, int], at_least: int | None, long_side: int = 0) -> int:
    """By how much a JPEG of this size may be divided: 8, 4, 2 or 1.

    Its shorter side stays at `at_least` pixels or more (None: whole), its longer one at
    `long_side` or more.
    """
    if at_least is None:
        return 1
    short, long = sorted(size)
    fits = (s for s in _SCALES if -(-short // s) >= at_least and -(-long // s) >= long_side)
    return next(fits, 1)


def drafted(image: Image.Image, scale: int) -> Image.Image:
    """The opened, not yet loaded JPEG, told to decode at this scale."""
    if scale > 1:
        image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
    return image


@dataclass(frozen=True, slots=True)
class Plan:
    """How a JPEG will be decoded: `size` is its width and height then.

    `colours` is what the strict decoder shall give, None where it cannot be asked.
    """

    scale: int
    size: tuple[int, int]
    colours: str | None


def plan(data: bytes, opened: Image.Image, scale: int) -> Plan:
    """A plan for 1/`scale`; `opened` is what Pillow read in the header of the same bytes."""
    size = (-(-opened.width // scale), -(-opened.height // scale))
    return Plan(scale, size, _COLOURS.get(opened.mode) if _askable(data, opened.size) else None)


def without_complaint(data: bytes, planned: Plan) -> NDArray[np.uint8] | None:
    """uint8[height, width, 3], or without the 3 of a grey picture, not turned.

    None where libjpeg complains or cannot be asked; that is no refusal: some whole files are odd,
    and CMYK and rare codings are not tried.
    """
    pixels = _strict(data, planned)
    return pixels if pixels is None or planned.colours == "RGB" else pixels[..., 0]


def complains(data: bytes, opened: Image.Image) -> bool:
    """Whether libjpeg warns of anything in a JPEG, or cannot be asked.

    Everything is read, and the fewest pixels are made of it.
    """
    planned = plan(data, opened, _SCALES[0])
    return _strict(data, replace(planned, colours=planned.colours and "GRAY")) is None


def _askable(data: bytes, size: tuple[int, int]) -> bool:
    """Whether simplejpeg is there, decodes this coding and sees a picture of this size.

    Both have to mean the same picture: the limits were held against Pillow's size.
    """
    try:
        import simplejpeg
    except ImportError:  # no wheel for this machine: Pillow alone decides, and takes longer
        return False
    if _frame(data) not in _FRAMES:
        return False
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    except (ValueError, KeyError, RuntimeError, MemoryError):
        return False
    return (width, height) == size


def _strict(data: bytes, planned: Plan) -> NDArray[np.uint8] | None:
    """uint8[height, width, 1 or 3], or None."""
    if planned.colours is None:
        return None
    import simplejpeg

    width, height = planned.size
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, planned.colours, min_width=width, min_height=height, strict=True
        )
    except (ValueError, KeyError, RuntimeError, MemoryError):
        return None
    return pixels if pixels.shape[1::-1] == planned.size else None


def _frame(data: bytes) -> int | None:
    """The marker that begins the frame: it says how the pixels are coded (T.81, table B.1)."""
    return next(
        (
            marker
            for marker, _, _ in jpeg_segments(data)
            if marker & 0xF0 == 0xC0 and marker not in _NO_FRAMES  # noqa: PLR2004 (C0 to CF)
        ),
        None,
    )
