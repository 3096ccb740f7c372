"""Does a map show its picture where it is large, and darkness where it is not?"""

import numpy as np
import pytest
from PIL import Image

from picdeed.diffusion.inside.heat import INK, laid_over


def test_the_picture_shows_where_the_map_is_large():
    picture = Image.new("RGB", (32, 32), (200, 0, 0))
    values = np.zeros((2, 2), np.float32)
    values[0, 0] = 0.7
    laid = np.asarray(laid_over(picture, values)).astype(int)
    assert np.abs(laid[0, 0] - (200, 0, 0)).max() <= 8
    assert np.abs(laid[-1, -1] - INK).max() <= 30


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_an_even_map_shows_all_of_it(value):
    picture = Image.new("RGB", (8, 8), (200, 0, 0))
    laid = laid_over(picture, np.full((2, 2), value, np.float32))
    assert laid.tobytes() == picture.tobytes()
