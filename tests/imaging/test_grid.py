"""Does a contact sheet hold every picture in its place?"""

from __future__ import annotations

import pytest
from PIL import Image

from picdeed.imaging.grid import contact_sheet


def test_rows_columns_and_gaps():
    colours = ["red", "lime", "blue"]
    sheet = contact_sheet([Image.new("RGB", (10, 8), c) for c in colours], columns=2, gap=4)
    assert sheet.size == (4 + 2 * 14, 4 + 2 * 12)
    assert sheet.getpixel((4, 4)) == (255, 0, 0)
    assert sheet.getpixel((18, 4)) == (0, 255, 0)
    assert sheet.getpixel((4, 16)) == (0, 0, 255)
    assert sheet.getpixel((18, 16)) == (255, 255, 255)


def test_smaller_and_transparent_pictures_are_centred_on_the_background():
    clear = Image.new("RGBA", (2, 2), (9, 9, 9, 0))
    sheet = contact_sheet([Image.new("RGB", (6, 6)), clear], 9, gap=0, background=(1, 2, 3))
    assert sheet.size == (12, 6)
    assert sheet.getpixel((8, 2)) == (1, 2, 3)


def test_nothing_to_show_is_an_error():
    with pytest.raises(ValueError):
        contact_sheet([], 3)
    with pytest.raises(ValueError):
        contact_sheet([Image.new("RGB", (1, 1))], 0)
