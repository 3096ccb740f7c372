"""Has a picture corners at three sizes, each with a code and a place in one frame?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from picdeed.imaging.local import CORNERS, SIDE, both_ways, code_distances, descriptors


def test_corners_have_codes_and_places(photo):
    found = descriptors(photo(1, 640, 480))
    assert found.codes.shape == found.geometry.shape == (CORNERS, 4)
    assert (found.codes.dtype, found.geometry.dtype) == (np.uint64, np.float32)
    assert (np.diag(code_distances(found, found)) == 0).all()
    again = descriptors(photo(1, 640, 480))
    assert np.array_equal(found.codes, again.codes)


def test_the_three_sizes_speak_of_one_frame(photo):
    found = descriptors(photo(1, 640, 480))
    for part in np.split(found.geometry, [256, 352]):
        assert part[:, 0].max() > 0.6 * SIDE
        assert part[:, 0].max() < SIDE
        assert part[:, 1].max() < 0.75 * SIDE


def test_a_small_picture_is_not_looked_at_twice(photo):
    found = descriptors(photo(1, 100, 80))
    assert len(np.unique(found.geometry, axis=0)) == len(found.geometry)
    assert 0 < len(found.codes) <= 256


def test_mirrored_corners_are_those_of_the_mirrored_picture(photo):
    image = photo(2, 448, 336)
    upright, mirrored = both_ways(image)
    assert np.array_equal(upright.codes, descriptors(image).codes)
    assert np.array_equal(mirrored.codes, descriptors(ImageOps.mirror(image)).codes)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (200, 200)])
def test_plain_and_thin_pictures_have_no_corners(size):
    found = descriptors(Image.new("RGBA", size, (0, 0, 0, 0)))
    assert found.codes.shape == found.geometry.shape == (0, 4)
