import math

import pytest

from picdeed.sources.linocut_shapes import blob, box, ellipse, half, mirror, path, star, turned


def test_curves_pass_through_their_points():
    through = ((10, 10), (80, 20), (60, 90), (20, 70))
    assert set(through) <= set(blob(*through))
    assert set(through) <= set(path(*through))


def test_halves_are_symmetric():
    shape = half((50, 10), (80, 40), (50, 90))
    rounded = [sorted((round(x, 6), round(y, 6)) for x, y in one) for one in (mirror(shape), shape)]
    assert rounded[0] == rounded[1]


def test_turning_keeps_distances():
    for x, y in turned(ellipse(50, 50, 20), 33):
        assert math.hypot(x - 50, y - 50) == pytest.approx(20)
    assert turned([(50, 0)], 90)[0] == pytest.approx((100, 50))


def test_stars_and_boxes_have_their_corners():
    assert len(star(50, 50, 40, 20, 5)) == 10
    assert len(box(0, 0, 10, 10)) == 4
    assert len(box(0, 0, 10, 10, 2)) == 8
