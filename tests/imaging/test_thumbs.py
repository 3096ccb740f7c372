"""Are thumbnails small, whole and free of metadata?"""

from __future__ import annotations

import io

import pytest
from PIL import Image

from picdeed.imaging.decode import decode
from picdeed.imaging.thumbs import thumbnail


@pytest.mark.parametrize(
    ("size", "small"),
    [((1024, 512), (256, 128)), ((100, 50), (100, 50)), ((5000, 1), (256, 1)), ((1, 1), (1, 1))],
)
def test_sizes(size, small):
    picture = decode(thumbnail(Image.new("RGB", size, "teal")))
    assert (picture.media_type, picture.image.size) == ("image/webp", small)


def test_transparency_stays_and_metadata_goes():
    drawn = Image.new("RGBA", (200, 200), (10, 200, 10, 0))
    drawn.info["xmp"] = b"<x:xmpmeta/>"
    drawn.info["exif"] = b"Exif\0\0secret"
    drawn.info["icc_profile"] = b"x" * 200
    data = thumbnail(drawn)
    again = Image.open(io.BytesIO(data))
    assert again.mode == "RGBA"
    assert not {"xmp", "exif", "icc_profile"} & set(again.info)
    assert b"secret" not in data
