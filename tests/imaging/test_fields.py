"""Are cells true means, is the luma Pillow's, and does nobody write over what is still in use?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from picdeed.imaging import fields
from picdeed.imaging.decode import Flat, decode_small, flat_of
from picdeed.imaging.fields import COLOURS, SIDE, as_floats, fields_of, luma_of


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (63, 64), (65, 321), (223, 140), (320, 255)])
def test_cells_are_means_of_the_pixels_under_them(photo, size):
    flat = flat_of(photo(1, *size))
    found = fields_of(flat)
    for made, pixels, cells in (
        (found.grey[..., None], np.asarray(flat.grey)[..., None], SIDE),
        (found.colours, flat.pixels, COLOURS),
    ):
        # Each pixel written out so often that cells hold whole ones.
        wide = pixels.astype(np.float64)
        for axis in (0, 1):
            n = wide.shape[axis]
            wide = np.repeat(wide, cells, axis=axis)
            shape = (*wide.shape[:axis], cells, n, *wide.shape[axis + 1 :])
            wide = wide.reshape(shape).mean(axis=axis + 1)
        assert np.abs(made - wide).max() < 1e-3


@pytest.mark.parametrize("pixels", [64, 65, 100, 223, 320])
def test_parts_hold_every_weight(pixels):
    for left, whole in ((0.0, pixels), (0.9, 8 * pixels - 5)):
        axis = fields._axis(pixels, 1, left, pixels - 0.4, whole)
        for cells in (axis.fine, axis.coarse):
            assert len(cells.parts) == 4
            rng = np.random.default_rng(0)
            field = rng.integers(0, 256, (pixels, pixels)).astype(np.float32)
            assert np.allclose(cells.across(field), field @ cells.weights.T, atol=1e-3)
            assert np.allclose(cells.down(field), cells.weights @ field, atol=1e-3)
            assert cells.parts.sum() == pytest.approx(cells.weights.sum())


def test_the_luma_of_every_colour_is_pillows():
    steps = np.arange(256, dtype=np.uint8)
    for red in range(0, 256, 5):
        pixels = np.empty((256, 256, 3), np.uint8)
        pixels[..., 0], pixels[..., 1], pixels[..., 2] = red, steps[:, None], steps[None]
        pixels = pixels[:200]  # few enough that no side is halved
        flat = Flat(pixels, 256, 200, (0.0, 0.0, 256.0, 200.0))
        assert np.array_equal(luma_of(flat), np.asarray(Image.fromarray(pixels).convert("L")))


def test_room_is_used_again_and_what_lies_there_is_known_by_its_picture(photo):
    one, other = flat_of(photo(1, 200, 150)), flat_of(photo(2, 200, 150))
    first = luma_of(one)
    assert np.array_equal(luma_of(one), np.asarray(one.grey))
    assert np.shares_memory(first, luma_of(other))
    assert np.array_equal(luma_of(other), np.asarray(other.grey))
    fields_of(one)
    assert np.array_equal(luma_of(other), np.asarray(other.grey))
    large = np.zeros((1200, 1200), np.uint8)  # too many pixels to keep room for
    assert not np.shares_memory(as_floats(large), as_floats(large))


def test_what_was_made_does_not_change_when_the_next_is(photo):
    found = fields_of(flat_of(photo(3)))
    kept = found.grey.copy(), found.colours.copy()
    fields_of(flat_of(photo(4)))
    assert np.array_equal(found.grey, kept[0])
    assert np.array_equal(found.colours, kept[1])


def test_threads_do_not_write_over_each_other(photo):
    flats = [flat_of(photo(seed, 250, 180)) for seed in range(12)]
    alone = [fields_of(flat).grey for flat in flats]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            together = list(pool.map(lambda flat: fields_of(flat).grey, flats))
            assert all(map(np.array_equal, alone, together))


def test_pixels_and_their_image_have_the_same_fields(photo, encode):
    small = decode_small(encode(photo(5, 1400, 1100), "JPEG", quality=90))
    flat = flat_of(small)
    assert not isinstance(flat.source, Image.Image)
    image = Flat(small.image, flat.width, flat.height, flat.box)
    one, other = fields_of(flat), fields_of(image)
    assert np.array_equal(one.grey, other.grey)
    assert np.array_equal(one.colours, other.colours)
