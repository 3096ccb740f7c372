"""Are hues compared where they lie after a turn and inside a border, and light left alone?"""

from __future__ import annotations

import numpy as np
import pytest
from picture_edits import framed, gamma, hue, jpeg
from PIL import Image

from picdeed.imaging.codes import Turn, code_of
from picdeed.imaging.colours import WHOLE, same_colours


def grid(image: Image.Image) -> np.ndarray:
    return code_of(image).colours


@pytest.mark.parametrize("turn", Turn)
def test_a_turned_copy_has_the_same_colours_where_they_went(photo, turn):
    image = photo(4, 240, 240)
    other = image if turn is Turn.NONE else image.transpose(Image.Transpose[turn.name])
    assert same_colours(grid(image), grid(other), turn)
    # The cells are laid the right way round: the turn undone wrongly moves every one of them.
    ramp = np.zeros((8, 8, 3), dtype=np.uint8)
    ramp[..., 1:] = np.arange(128).reshape(8, 8, 2)
    cells = Image.fromarray(ramp)
    moved = ramp if turn is Turn.NONE else np.asarray(cells.transpose(Image.Transpose[turn.name]))
    assert same_colours(ramp.reshape(-1), moved.reshape(-1), turn)
    if turn is not Turn.NONE:
        assert not same_colours(ramp.reshape(-1), moved.reshape(-1), Turn.NONE)


def test_tones_and_recompression_pass_and_other_hues_do_not(photo):
    image = photo(4)
    assert same_colours(grid(image), grid(jpeg(image, 30)))
    assert same_colours(grid(image), grid(gamma(image, 1.1)))
    assert not same_colours(grid(image), grid(hue(image, 90)))
    assert same_colours(grid(image), grid(image.convert("L").convert("RGB")))


def test_a_border_is_left_out(photo):
    image = photo(4)
    wide = framed(image, 0.2, "red")
    edge = (wide.width - image.width) / 2
    left, top = edge / wide.width, edge / wide.height
    inside = (left, top, 1 - left, 1 - top)
    assert not same_colours(grid(image), grid(wide))
    assert same_colours(grid(image), grid(wide), Turn.NONE, (WHOLE, inside))
    assert not same_colours(
        grid(image), grid(framed(hue(image, 90), 0.2)), Turn.NONE, (WHOLE, inside)
    )
