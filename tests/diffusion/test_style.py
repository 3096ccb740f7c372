"""Do the numbers tell a black print from a coloured drawing?"""

import pytest
from PIL import Image, ImageDraw

from picdeed.diffusion.style import distance, style_of, traits_of


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


def lines(upright=True, step=4, colour="black"):
    image = Image.new("RGB", (64, 64), "white")
    for at in range(0, 64, step):
        where = (at, 0, at, 63) if upright else (0, at, 63, at)
        ImageDraw.Draw(image).line(where, fill=colour)
    return image


def apart(one, other):
    return distance(traits_of(one), traits_of(other))


def test_equal_sets_lie_nowhere_apart_and_order_does_not_matter():
    some = [disc("red"), lines()]
    same = apart(some, some[::-1])
    assert (same.chroma, same.light, same.turns, same.slope) == (0, 0, 0, 0)
    others = [disc("gray"), lines(upright=False)]
    assert apart(some, others) == apart(others, some)


def test_each_trait_tells_its_own_difference():
    grey = apart([disc("black")], [disc("white")])
    assert grey.chroma == 0
    assert grey.light == pytest.approx(3.14 / 16, rel=0.1)
    coloured = apart([Image.new("RGB", (8, 8), "red")], [Image.new("RGB", (8, 8), "white")])
    assert coloured.chroma == pytest.approx(1.0, abs=0.02)
    crossed = apart([lines()], [lines(upright=False)])
    assert crossed.turns == pytest.approx(1.0, abs=0.05)
    assert (crossed.chroma, crossed.light, crossed.slope) == (0, 0, pytest.approx(0, abs=1e-9))
    assert apart([lines(step=3)], [disc("black")]).slope > 1


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (64, 2)])
def test_the_smallest_pictures_have_traits(size):
    found = traits_of([Image.new("RGB", size, "teal")])
    assert found.turns.sum() == pytest.approx(1)
    assert found.light.sum() == pytest.approx(1)
    assert found.slope == 0
    with pytest.raises(ValueError, match="at least one"):
        traits_of([])
