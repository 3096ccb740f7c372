"""Do crops, pages and mirrored pictures share votes, and strangers none?"""

from __future__ import annotations

import numpy as np
import pytest
from picture_edits import cropped, jpeg, screenshot
from PIL import Image, ImageOps

from picdeed.imaging.local import CORNERS, Local, candidates_by_votes, code_distances, descriptors


def test_crops_and_screenshots_become_candidates_and_strangers_do_not(photo):
    originals = [photo(seed, 640, 480) for seed in range(8)]
    edited = [
        cropped(originals[0], 0.1),
        jpeg(cropped(originals[1], 0.2), 60),
        screenshot(originals[2], 0.95),
        originals[3].rotate(90, expand=True),
    ]
    found = candidates_by_votes([descriptors(image) for image in originals + edited])
    assert found.tolist() == [[at, 8 + at] for at in range(4)]


def test_a_mirrored_picture_is_found_by_its_mirrored_corners(photo):
    one = photo(3, 640, 480)
    copy = ImageOps.mirror(one)
    assert candidates_by_votes([descriptors(one), descriptors(copy)]).tolist() == []
    assert len(candidates_by_votes([descriptors(one), descriptors(ImageOps.mirror(copy))])) == 1


def test_corners_have_codes_and_places(photo):
    found = descriptors(photo(1, 640, 480))
    assert found.codes.shape == found.geometry.shape == (CORNERS, 4)
    assert (found.codes.dtype, found.geometry.dtype) == (np.uint64, np.float32)
    assert (np.diag(code_distances(found, found)) == 0).all()
    again = descriptors(photo(1, 640, 480))
    assert np.array_equal(found.codes, again.codes)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (200, 200)])
def test_plain_and_thin_pictures_have_no_corners(size):
    found = descriptors(Image.new("RGBA", size, (0, 0, 0, 0)))
    assert found.codes.shape == (0, 4)
    assert candidates_by_votes([found, found]).tolist() == []


def test_a_corner_that_everybody_has_is_no_witness():
    rng = np.random.default_rng(1)
    shared = rng.integers(0, 2**63, (3, 4)).astype(np.uint64)
    place = np.array([[10, 10, 31, 0], [90, 40, 31, 0], [30, 80, 31, 0]], np.float32)
    pictures = []
    for _ in range(40):
        own = rng.integers(0, 2**63, (61, 4)).astype(np.uint64)
        spread = rng.uniform(0, 300, (61, 4)).astype(np.float32) + np.float32(1)
        pictures.append(Local(np.concatenate((shared, own)), np.concatenate((place, spread))))
    assert len(candidates_by_votes(pictures[:2])) == 1
    assert candidates_by_votes(pictures).tolist() == []
