"""Do poses, boxes and overlaps say where one frame lies on another?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from picdeed.imaging.placing import Pose, Whole, poses, trim_box


def frame(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


def test_plain_borders_are_cut_and_pictures_are_not(photo):
    framed = ImageOps.expand(photo(1, 300, 200), (30, 20, 30, 20), "white")
    assert trim_box(frame(framed)) == pytest.approx(
        (30 / 360, 20 / 240, 330 / 360, 220 / 240), abs=0.01
    )
    assert trim_box(frame(photo(1, 300, 200))) == (0, 0, 1, 1)
    assert trim_box(np.zeros((3, 500, 3), np.uint8)) == (0, 0, 1, 1)


def test_a_crop_covers_all_of_itself_and_a_part_of_the_whole():
    whole = Whole.of_pixels(np.array([[1.0, 0, 100], [0, 1, 50]]), (400, 400), (200, 200))
    assert whole.covered() == pytest.approx((0.25, 1.0), abs=1e-6)
    assert whole.inverse().covered() == pytest.approx((1.0, 0.25), abs=1e-6)
    assert not whole.mirrored
    assert whole.turn == pytest.approx(0)


@pytest.mark.parametrize("pose", list(poses(trim_a=False, trim_b=False)))
def test_every_pose_places_the_pixels_it_turns(pose, photo):
    view = np.asarray(photo(2, 64, 64), dtype=np.float32)
    everything = (0.0, 0.0, 1.0, 1.0)
    matrix = pose.whole((view, everything), (view, everything)).pixels((64, 64), (64, 64))
    turned = pose.turned(view)
    for x, y in ((3, 10), (60, 31)):
        at = matrix @ (x, y, 1)
        assert (turned[round(at[1]), round(at[0])] == view[y, x]).all()


def test_as_they_are_comes_first_and_costs_nothing():
    first = next(iter(poses(trim_a=True, trim_b=True)))
    assert first == Pose(0, trim_a=False, trim_b=False)
    assert first.effort == 0
    assert len(list(poses(trim_a=True, trim_b=True))) == 32
