"""Do the ceilings hold what the bad-input promises need, and can nobody raise them in passing?"""

import dataclasses

import pytest

from picdeed.core.limits import DEFAULT, Limits


def test_limits_cannot_be_changed_in_place():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT.picture_bytes = 1


def test_every_ceiling_is_a_positive_whole_number():
    for field in dataclasses.fields(Limits):
        value = getattr(DEFAULT, field.name)
        assert isinstance(value, int)
        assert value > 0, field.name


def test_a_20000_by_20000_png_of_50_kb_is_over_two_ceilings():
    pixels = 20_000 * 20_000
    assert pixels > DEFAULT.picture_pixels
    assert pixels > DEFAULT.pixels_per_byte * 50_000


def test_the_largest_cameras_and_flat_drawings_pass():
    assert DEFAULT.picture_pixels > 150_000_000  # medium format backs
    assert DEFAULT.pixels_per_byte * 4_000 > 4_000_000  # a flat 4 MP drawing in 4 kB


def test_a_tighter_set_leaves_the_default_alone():
    tight = dataclasses.replace(DEFAULT, picture_pixels=10)
    assert tight.picture_pixels == 10
    assert Limits() == DEFAULT
