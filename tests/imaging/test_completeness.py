"""Is a whole file never called cut? (That cut ones are refused: test_decode.)"""

from __future__ import annotations

import io

import pytest
from PIL import Image

from picdeed.imaging.completeness import why_incomplete

FORMS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
}


def why(data: bytes, form: str) -> str:
    image = Image.open(io.BytesIO(data))
    image.load()
    return why_incomplete(data, FORMS[form], image)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(1, 1), (17, 300), (300, 17), (64, 64)])
def test_whole_files_are_whole(form, size, photo, encode):
    for image in (photo(1, *size), Image.new("RGB", size), Image.new("L", size, 255)):
        assert why(encode(image, form), form) == ""


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_every_kind_of_jpeg(mode, progressive, subsampling, photo, encode):
    for options in ({}, {"optimize": True}, {"restart_marker_rows": 1}, {"quality": 5}):
        data = encode(
            photo(2, 133, 77).convert(mode),
            "JPEG",
            progressive=progressive,
            subsampling=subsampling,
            **options,
        )
        assert why(data, "JPEG") == ""
        assert why(data + bytes(100), "JPEG") == ""  # some cameras pad their files


def test_missing_progressive_scans_are_named(photo, encode):
    data = encode(photo(3), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert "scans" in why(data[:last] + b"\xff\xd9", "JPEG")
