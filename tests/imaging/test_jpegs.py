"""Is a small JPEG what Pillow's draft gives, and is every loss complained of?"""

from __future__ import annotations

import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from picdeed.imaging.jpegs import complains, drafted, plan, scale_for, without_complaint


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def small_of(data: bytes, header: bytes, scale: int) -> Image.Image | None:
    """What the strict decoder makes of the bytes, planned by a header's."""
    pixels = without_complaint(data, plan(header, opened(header), scale))
    return None if pixels is None else Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("size", "least", "long_side", "scale"),
    [
        ((4000, 3000), None, 0, 1),
        ((4000, 3000), 128, 0, 8),
        ((4000, 3000), 376, 0, 4),
        ((1018, 2000), 128, 0, 8),  # 127.25 pixels are 128: the last one is not full
        ((1016, 2000), 128, 0, 4),
        ((1800, 1200), 128, 256, 4),
        ((2047, 1100), 128, 256, 8),
        ((300, 250), 128, 256, 1),
        ((5, 9000), 128, 256, 1),
    ],
)
def test_scales(size, least, long_side, scale):
    assert scale_for(size, least, long_side) == scale
    assert scale_for(size[::-1], least, long_side) == scale


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", ["444", "422", "420", "440", "411", "Gray"])
@pytest.mark.parametrize("size", [(97, 61), (64, 64), (3, 130), (1, 1)])
def test_the_pixels_are_those_of_pillows_draft(photo, scale, kind, size):
    colours = "GRAY" if kind == "Gray" else "RGB"
    pixels = np.asarray(photo(1, *size).convert("L" if kind == "Gray" else "RGB"))
    data = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], -1)),
        colorspace=colours,
        colorsubsampling=kind,
    )
    small = small_of(data, data, scale)
    assert small is not None
    whole = drafted(opened(data), scale)
    assert small.size == tuple(-(-side // scale) for side in size)
    if whole.size == small.size:  # Pillow knows no eighth of a side of a few pixels
        assert small.mode == whole.mode
        assert small.tobytes() == whole.tobytes()
    assert not complains(data, opened(data))


def test_progressive_files_too(photo, encode):
    data = encode(photo(2, 333, 222), "JPEG", progressive=True)
    small = small_of(data, data, 4)
    assert small is not None
    assert small.tobytes() == drafted(opened(data), 4).tobytes()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str
)
def test_every_loss_is_complained_of(photo, encode, options):
    data = encode(photo(3, 333, 222), "JPEG", **options)
    begun = data.rindex(b"\xff\xda") + 20
    for cut in range(begun, len(data) - 3, max(1, (len(data) - begun) // 60)):
        for given in (data[:cut], data[:cut] + b"\xff\xd9", data[:cut] + bytes(len(data) - cut)):
            assert complains(given, opened(data)), cut
            assert small_of(given, data, 8) is None


def test_what_cannot_be_asked_is_left_to_pillow(photo, encode):
    cmyk = encode(photo(4).convert("CMYK"), "JPEG")
    assert plan(cmyk, opened(cmyk), 2).colours is None
    assert small_of(cmyk, cmyk, 2) is None
    # Another picture's header: the limits were held against another size.
    small, large = (encode(photo(4, side, side), "JPEG") for side in (64, 128))
    assert plan(large, opened(small), 1).colours is None
    # Extended coding (SOF3 is lossless) is not tried, whatever the library would make of it.
    assert plan(small.replace(b"\xff\xc0", b"\xff\xc3"), opened(small), 1).colours is None
