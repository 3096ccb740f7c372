"""Which bytes are taken for a picture?"""

from __future__ import annotations

import pytest
from PIL import Image

from picdeed.imaging.sniff import has_picture_suffix, is_picture, sniff


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("TIFF", "image/tiff"),
        ("BMP", "image/bmp"),
        ("AVIF", "image/avif"),
        ("JPEG2000", "image/jp2"),
    ],
)
def test_sixty_four_bytes_tell_every_format_that_decodes(encode, form, media_type):
    data = encode(Image.new("RGB", (20, 20), "red"), form)
    assert sniff(data[:64]) == media_type
    assert sniff(data) == media_type
    assert is_picture(data[:64])


@pytest.mark.parametrize(
    "text",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b'<?xml version="1.0"?>\n<!-- drawn by hand -->\n<svg>',
        b"\xef\xbb\xbf\n  <svg:svg xmlns:svg='x'>",
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">\n<svg width="1">',
    ],
)
def test_svg_is_recognised_so_that_it_can_be_refused_by_name(text):
    assert sniff(text) == "image/svg+xml"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BM is how this letter opens, it is no bitmap.",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        b"<html><body><svg></svg></body></html>",
        b"GIF is a format",
    ],
)
def test_other_bytes_are_no_picture(data):
    assert sniff(data) is None


def test_known_formats_that_cannot_be_decoded_have_a_name():
    assert sniff(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic") == "image/heic"
    assert sniff(b"\0\0\0\x0cJXL \r\n\x87\n") == "image/jxl"


def test_suffixes_count_in_any_case():
    assert has_picture_suffix("A.JPG")
    assert has_picture_suffix("drawing.svg")
    assert not has_picture_suffix("notes.txt")
    assert not has_picture_suffix("png")
