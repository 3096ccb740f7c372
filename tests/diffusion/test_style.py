"""Do the numbers tell a black print from a coloured drawing?"""

import pytest
from PIL import Image, ImageDraw

from picdeed.diffusion.style import style_of


def disc(colour, ground="white"):
    image = Image.new("RGB", (64, 64), ground)
    ImageDraw.Draw(image).ellipse((16, 16, 48, 48), fill=colour)
    return image


def test_colour_counts_where_something_stands_out_from_the_ground():
    assert style_of([disc("red", "#8080ff")]).chroma == pytest.approx(1.0)
    assert style_of([disc("black", "#8080ff")]).chroma == 0
    assert style_of([disc("gray")]).chroma == 0


def test_dark_is_a_share_of_everything_and_ink_of_what_stands_out():
    found = style_of([disc("black")])
    assert found.dark == pytest.approx(3.14 * 16 * 16 / 64 / 64, rel=0.1)
    assert found.ink == 1
    assert style_of([disc("yellow")]).ink == 0


def test_hatching_has_more_edges_than_a_flat_disc():
    hatched = Image.new("RGB", (64, 64), "white")
    for row in range(0, 64, 4):
        ImageDraw.Draw(hatched).line((0, row, 64, row), fill="black")
    assert style_of([hatched]).edges > 3 * style_of([disc("black")]).edges > 0


def test_an_empty_picture_is_measured_whole_and_several_are_averaged():
    assert style_of([Image.new("RGB", (8, 8), "red")]).chroma == 1
    both = style_of([Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "white")])
    assert both.chroma == 0.5
    with pytest.raises(ValueError, match="at least one"):
        style_of([])
