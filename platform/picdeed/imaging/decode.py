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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from picdeed.core import ids
from picdeed.core.errors import UnreadablePicture
from picdeed.core.limits import DEFAULT, Limits
from picdeed.imaging.completeness import why_incomplete, why_scans_missing
from picdeed.imaging.eightbit import eight_bit
from picdeed.imaging.jpegs import Plan, drafted, plan, scale_for, without_complaint
from picdeed.imaging.sniff import DECODABLE, SVG, sniff

__all__ = [
    "Decoded",
    "Flat",
    "Header",
    "decode",
    "decode_small",
    "decoded",
    "flat_of",
    "flatten",
    "header",
    "pixels_sha256",
    "to_rgb",
    "whole_pixels_sha256",
]

# What codes need of a picture's shorter side, and a thumbnail of its longer one, in pixels.
SHORTEST, LONGEST = 128, 256

# EXIF orientations (CIPA DC-008, tag 274) that swap width and height, and those that put what
# the file has last at the left and at the top.
_ON_THEIR_SIDE = (5, 6, 7, 8)
_LEFT_IS_LAST = (2, 3, 6, 7)
_TOP_IS_LAST = (3, 4, 7, 8)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Below this many pixels a picture is cheap whatever it promises per byte, and blank pictures
# compress without bound (a white megapixel in WebP is 50 bytes).
_BOMB_FROM_PIXELS = 16_777_216

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


Box = tuple[float, float, float, float]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)  # no slots: its picture is made when somebody asks for it
class Decoded:
    """A whole picture: upright, 8 bits a channel, mode RGB, or RGBA where it is transparent.

    `width` and `height` are the file's own, turned upright. `image` may be smaller; `box` (left,
    top, right, bottom, in its pixels) is then what the picture fills of it: the pixels at one
    edge may stand for fewer of the file's than the others do. `source` is `image`, or where the
    decoder gave no more its pixels, uint8[height, width, 3].
    """

    source: Image.Image | Pixels
    media_type: str
    width: int
    height: int
    box: Box

    @cached_property
    def image(self) -> Image.Image:
        return _image(self.source)


@dataclass(frozen=True)  # no slots: as above
class Flat:
    """A decoded picture on even grey: in RGB, and its luma (ITU-R BT.601) in mode L.

    `source` is an image in RGB or its pixels, as in `Decoded`.
    """

    source: Image.Image | Pixels
    width: int
    height: int
    box: Box

    @cached_property
    def colours(self) -> Image.Image:
        return _image(self.source)

    @cached_property
    def grey(self) -> Image.Image:
        return self.colours.convert("L")

    @property
    def pixels(self) -> Pixels:
        """uint8[height, width, 3]."""
        return np.asarray(self.source)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of these pixels."""
        if isinstance(self.source, Image.Image):
            return self.source.size
        return self.source.shape[1], self.source.shape[0]

    @property
    def scaled(self) -> bool:
        """Whether these are fewer pixels than the file's."""
        return self.size != (self.width, self.height)


def _image(source: Image.Image | Pixels) -> Image.Image:
    return source if isinstance(source, Image.Image) else Image.fromarray(source)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its picture before a pixel is decoded; it is within `limits`.

    A JPEG that may be scaled has a `plan`; whether it has all its scans is seen here if it can be.
    """

    data: bytes
    image: Image.Image
    media_type: str
    limits: Limits
    turn: int = 1
    plan: Plan | None = None
    every_scan: bool = False

    @property
    def pixels(self) -> int:
        """How many will be decoded."""
        width, height = self.image.size if self.plan is None else self.plan.size
        return width * height


def header(
    data: bytes, limits: Limits = DEFAULT, *, at_least: int | None = None, long_side: int = 0
) -> Header:
    """The first half of `decode`, with its arguments and refusals."""
    media_type = _recognise(data, limits)
    with _refusals(media_type, limits):
        image = _open(data, media_type)
        _check_size(image.size, len(data), limits)
        if at_least is None or media_type != "image/jpeg":
            return Header(data, image, media_type, limits)
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
        planned = plan(data, image, scale_for(image.size, at_least, long_side))
        every_scan = False
        with suppress(LookupError):  # odd segments: its pixels are tried first
            every_scan = not why_scans_missing(data)
        return Header(data, image, media_type, limits, turn, planned, every_scan)


def decode(
    data: bytes, limits: Limits = DEFAULT, *, at_least: int | None = None, long_side: int = 0
) -> Decoded:
    """The first frame of a picture file, EXIF orientation applied, as RGB or RGBA.

    Raises UnreadablePicture (reasons above). Sizes are checked in the header, before a pixel is
    decoded. Colour profiles are not applied: pixels are taken as sRGB.

    With `at_least` a JPEG is scaled by 1/2, 1/4 or 1/8 while it is decoded, as long as its
    shorter side keeps that many pixels and its longer one `long_side`. It is refused as ever;
    other formats come whole.
    """
    return decoded(header(data, limits, at_least=at_least, long_side=long_side))


def decoded(read: Header) -> Decoded:
    """The second half of `decode`; a header is decoded once."""
    planned, turn = read.plan, read.turn
    width, height = read.image.size
    if planned is None:
        with _refusals(read.media_type, read.limits):
            _load(read.data, read.media_type, read.image)
            upright = eight_bit(ImageOps.exif_transpose(read.image))
        return Decoded(upright, read.media_type, *upright.size, _box_of(upright))
    pixels = without_complaint(read.data, planned)
    small: Image.Image | Pixels
    if pixels is not None and pixels.ndim > 2 and turn not in _TURNS and read.every_scan:  # noqa: PLR2004 (colours)
        small, right, bottom = pixels, *planned.size
    else:
        with _refusals(read.media_type, read.limits):
            small = _by_pillow(read, planned.scale, pixels)
            small = eight_bit(small.transpose(_TURNS[turn]) if turn in _TURNS else small)
        right, bottom = small.size
    if turn in _ON_THEIR_SIDE:
        width, height = height, width
    across, down = width / planned.scale, height / planned.scale
    left = right - across if turn in _LEFT_IS_LAST else 0.0
    top = bottom - down if turn in _TOP_IS_LAST else 0.0
    return Decoded(small, read.media_type, width, height, (left, top, left + across, top + down))


def decode_small(data: bytes, limits: Limits = DEFAULT) -> Decoded:
    """As much of a picture as its codes, fingerprints and thumbnail are made of, whole or not.

    Whoever keeps codes takes them from here, so that one file has one code.
    """
    return decode(data, limits, at_least=SHORTEST, long_side=LONGEST)


def _open(data: bytes, media_type: str) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=[DECODABLE[media_type]])


def _load(data: bytes, media_type: str, image: Image.Image) -> None:
    """Decode an opened picture whole; raises UnreadablePicture when it is not."""
    image.load()
    if why := why_incomplete(data, media_type, image):
        raise UnreadablePicture("truncated", f"The {media_type} picture is incomplete: {why}.")


def _by_pillow(read: Header, scale: int, pixels: Pixels | None) -> Image.Image:
    """A JPEG at 1/`scale`, as the file has it; without `pixels` refused like the whole one."""
    if pixels is None:
        _load(read.data, read.media_type, read.image)
        return read.image if scale == 1 else drafted(_open(read.data, read.media_type), scale)
    if why := why_scans_missing(read.data):
        raise UnreadablePicture("truncated", f"The image/jpeg picture is incomplete: {why}.")
    return Image.fromarray(pixels)


@contextmanager
def opened(data: bytes, limits: Limits = DEFAULT) -> Iterator[Image.Image]:
    """The picture's header and metadata without its pixels; raises as `decode` does."""
    media_type = _recognise(data, limits)
    with _refusals(media_type, limits):
        image = _open(data, media_type)
        _check_size(image.size, len(data), limits)
        yield image


def flat_of(picture: Image.Image | Decoded | Flat) -> Flat:
    """What codes and fingerprints look at; a bare picture counts as decoded whole."""
    if isinstance(picture, Flat):
        return picture
    if not isinstance(picture, Decoded):
        return Flat(flatten(picture), *picture.size, _box_of(picture))
    source = picture.source
    if isinstance(source, Image.Image):
        source = flatten(source)
    return Flat(source, picture.width, picture.height, picture.box)


def _box_of(image: Image.Image) -> Box:
    return (0.0, 0.0, float(image.width), float(image.height))


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


def whole_pixels_sha256(data: bytes, decoded: Decoded, limits: Limits = DEFAULT) -> str:
    """`pixels_sha256` of a file that was decoded, small or not; a JPEG is decoded once more."""
    if decoded.media_type == "image/jpeg":
        decoded = decode(data, limits)
    return pixels_sha256(decoded.image)


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
