"""Do these bytes decode to a whole picture, within the limits, and what is on it?

Refusals (`UnreadablePicture.reason`):
`empty`            no bytes at all
`not-a-picture`    no picture format's magic bytes
`svg`              a drawing in SVG: a program to run, not pixels to read
`unsupported`      a known format or pixel type that picdeed does not decode (HEIC, 32-bit float)
`too-large`        more bytes than limits.picture_bytes
`too-many-pixels`  more pixels than a limit allows; the message names the limit
`truncated`        the file ends, or its pixels end, before the picture does
`broken`           everything else that is not a well-formed picture
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageOps

from picdeed.core import ids
from picdeed.core.errors import UnreadablePicture
from picdeed.core.limits import DEFAULT, Limits
from picdeed.imaging.completeness import why_incomplete
from picdeed.imaging.sniff import DECODABLE, SVG, sniff

__all__ = ["Decoded", "decode", "flatten", "pixels_sha256", "to_rgb"]

# Below this many pixels a picture is cheap whatever it promises per byte, and blank pictures
# compress without bound (a white megapixel in WebP is 50 bytes).
_BOMB_FROM_PIXELS = 16_777_216

_ON_THEIR_SIDE = (5, 6, 7, 8)  # EXIF orientations that swap width and height

# What Pillow's parsers and codecs raise on hostile bytes, found by fuzzing. Warnings are in it
# because a picture about which Pillow warns is not one to build evidence on.
_PILLOW_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A whole picture: upright, 8 bits a channel, mode RGB, or RGBA where it is transparent."""

    image: Image.Image
    media_type: str
    width: int
    height: int


def decode(data: bytes, limits: Limits = DEFAULT, *, at_least: int | None = None) -> Decoded:
    """The first frame of a picture file, EXIF orientation applied, as RGB or RGBA.

    Raises UnreadablePicture (reasons above). Sizes are checked in the header, before a pixel is
    decoded. Colour profiles are not applied: pixels are taken as sRGB.

    With `at_least`, `image` may be smaller than `width` x `height`, its sides not below
    `at_least` pixels: a JPEG of one scan is scaled by 1/2, 1/4 or 1/8 while it is decoded. It
    is refused as ever, but for a file that lost only fine detail of its last 16 pixels: what
    enters the registry is decoded whole.
    """
    media_type = _recognise(data, limits)
    with _refusals(media_type, limits):
        image = Image.open(io.BytesIO(data), formats=[DECODABLE[media_type]])
        _check_size(image.size, len(data), limits)
        whole = image.size
        # The later scans of a progressive file refine what a scaled decode does not look at, so
        # that it would not notice that they are cut.
        if media_type != "image/jpeg" or image.info.get("progressive"):
            at_least = None
        if at_least is not None:
            image.draft(None, (at_least, at_least))
        image.load()
        if why := why_incomplete(data, media_type, image, at_least):
            raise UnreadablePicture("truncated", f"The {media_type} picture is incomplete: {why}.")
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _ON_THEIR_SIDE
        upright = _eight_bit(ImageOps.exif_transpose(image))
    if image.size == whole:
        return Decoded(upright, media_type, upright.width, upright.height)
    return Decoded(upright, media_type, *(whole[::-1] if turned else whole))


@contextmanager
def opened(data: bytes, limits: Limits = DEFAULT) -> Iterator[Image.Image]:
    """The picture's header and metadata without its pixels; raises as `decode` does."""
    media_type = _recognise(data, limits)
    with _refusals(media_type, limits):
        image = Image.open(io.BytesIO(data), formats=[DECODABLE[media_type]])
        _check_size(image.size, len(data), limits)
        yield image


def flatten(image: Image.Image, grey: int = 128) -> Image.Image:
    """RGB over an even grey: the one background on which drawings differ least by accident."""
    return to_rgb(image, (grey, grey, grey))


def to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """RGB over a background colour (0 to 255 each)."""
    if image.mode == "RGB":
        return image
    rgba = image.convert("RGBA")
    below = Image.new("RGBA", rgba.size, (*background, 255))
    return Image.alpha_composite(below, rgba).convert("RGB")


def pixels_sha256(image: Image.Image) -> str:
    """SHA-256 of what is seen: `WIDTHxHEIGHT` and a zero byte, then RGBA rows, 8 bits each.

    An opaque RGBA picture hashes like the same RGB one, and the colour of wholly transparent
    pixels, which nobody sees, counts as black.
    """
    rgba = np.asarray(image.convert("RGBA")).copy()
    rgba[rgba[..., 3] == 0] = 0
    return ids.sha256(f"{image.width}x{image.height}".encode() + b"\0" + rgba.tobytes())


def _recognise(data: bytes, limits: Limits) -> str:
    if not data:
        raise UnreadablePicture("empty", "The file is empty.")
    if len(data) > limits.picture_bytes:
        raise UnreadablePicture(
            "too-large",
            f"{len(data):,} bytes are more than the limit picture_bytes "
            f"({limits.picture_bytes:,}).",
        )
    media_type = sniff(data)
    if media_type is None:
        raise UnreadablePicture("not-a-picture", "The bytes are of no known picture format.")
    if media_type == SVG:
        raise UnreadablePicture("svg", "SVG is refused: draw it as PNG first.")
    if media_type not in DECODABLE:
        raise UnreadablePicture("unsupported", f"picdeed does not decode {media_type}.")
    return media_type


def _check_size(size: tuple[int, int], n_bytes: int, limits: Limits) -> None:
    width, height = size
    pixels = width * height
    shown = f"{width:,} x {height:,} pixels"
    if pixels > limits.picture_pixels:
        said = f"{shown} are more than the limit picture_pixels ({limits.picture_pixels:,})."
    elif max(size) > limits.picture_side:
        said = f"{shown}: a side is longer than the limit picture_side ({limits.picture_side:,})."
    elif pixels > _BOMB_FROM_PIXELS and pixels > limits.pixels_per_byte * n_bytes:
        said = (
            f"{shown} in {n_bytes:,} bytes are more than the limit pixels_per_byte "
            f"({limits.pixels_per_byte:,}): a decompression bomb."
        )
    elif not pixels:
        raise UnreadablePicture("broken", f"The picture has no pixels ({shown}).")
    else:
        return
    raise UnreadablePicture("too-many-pixels", said)


@contextmanager
def _refusals(media_type: str, limits: Limits) -> Iterator[None]:
    """Everything that Pillow raises or warns about becomes an UnreadablePicture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Our own limit decides; Pillow's warning at half of its own is not a refusal.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    except UnreadablePicture:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadablePicture(
            "too-many-pixels",
            f"More pixels than the limit picture_pixels ({limits.picture_pixels:,}): {error}",
        ) from error
    except _PILLOW_ERRORS as error:
        said = str(error) or type(error).__name__
        cut = any(word in said.lower() for word in ("truncated", "end of file", "not enough"))
        raise UnreadablePicture(
            "truncated" if cut else "broken", f"The {media_type} picture does not decode: {said}"
        ) from error


def _eight_bit(image: Image.Image) -> Image.Image:
    """RGB or RGBA, whatever the file's pixels were."""
    if image.mode in ("RGB", "RGBA"):
        return image.convert("RGBA") if _keyed(image) else image
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.mode == "F":
        raise UnreadablePicture("unsupported", "Pixels of 32-bit floats are not decoded.")
    transparent = image.mode in ("LA", "La", "PA", "RGBa") or _keyed(image)
    return image.convert("RGBA" if transparent else "RGB")


def _keyed(image: Image.Image) -> bool:
    """Whether a colour key or a palette makes pixels transparent."""
    return image.mode != "RGBA" and "transparency" in image.info


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits by its high byte: Pillow's own conversion clips instead of scaling."""
    values = np.asarray(image).astype(np.int64)
    if values.size and (values.min() < 0 or values.max() > 0xFFFF):  # noqa: PLR2004 (16 bits)
        raise UnreadablePicture("unsupported", "Grey of more than 16 bits is not decoded.")
    return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
