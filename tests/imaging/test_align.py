"""Is the affine map between two frames found, and none where there is none?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from picdeed.imaging.align import align, hull_mask, mirrored, orb_corners, sift_corners


def grain(seed: int, width: int = 400, height: int = 300) -> np.ndarray:
    field = np.random.default_rng(seed).integers(0, 256, (40, 50)).astype(np.uint8)
    return np.asarray(Image.fromarray(field).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("corners", [orb_corners, sift_corners])
def test_a_crop_is_placed_to_the_pixel(corners):
    whole = grain(1)
    found = align(corners(whole), corners(whole[60:260, 100:360]))
    assert found is not None
    assert found.affine == pytest.approx(np.array([[1, 0, 100], [0, 1, 60]]), abs=0.6)


def test_a_mirrored_copy_is_placed_by_its_mirrored_corners():
    whole = grain(2)
    copy = whole[:, ::-1]
    assert align(orb_corners(whole), orb_corners(copy)) is None
    found = align(orb_corners(whole), orb_corners(copy[:, ::-1]))
    assert mirrored(found.affine, 400) == pytest.approx(
        np.array([[-1, 0, 399], [0, 1, 0]]), abs=0.6
    )


def test_strangers_and_plain_or_tiny_frames_have_no_map():
    one = orb_corners(grain(3))
    for other in (grain(4), np.zeros((200, 200), np.uint8), grain(3, 31, 31), grain(3, 400, 1)):
        assert align(one, orb_corners(other)) is None
        assert align(sift_corners(grain(3)), sift_corners(other)) is None


def test_the_answer_is_always_the_same():
    one, other = orb_corners(grain(5)), orb_corners(grain(5)[20:280, 30:])
    assert np.array_equal(align(one, other).affine, align(one, other).affine)


def test_a_hull_is_filled():
    mask = hull_mask(np.array([[2, 2], [8, 2], [2, 8]], np.float32), (12, 12))
    assert mask[3, 3]
    assert not mask[9, 9]
    assert not hull_mask(np.zeros((2, 2), np.float32), (5, 5)).any()
