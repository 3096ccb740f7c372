"""Are tone edits allowed for, and a changed part and a changed colour seen where they are?"""

from __future__ import annotations

import numpy as np
from picture_edits import gamma, hue, jpeg, toned
from PIL import Image, ImageDraw

from picdeed.imaging.agree import measure


def measured(one: Image.Image, other: Image.Image):
    a, b = np.asarray(one), np.asarray(other)
    return measure(a, b, np.ones(a.shape[:2], bool))


def test_tone_and_coding_leave_no_difference(photo):
    one = photo(3, 480, 360)
    for other in (
        jpeg(one, 30),
        gamma(one, 0.7),
        toned(one, "Contrast", 0.7),
        one.convert("L").convert("RGB"),
    ):
        found = measured(one, other)
        assert found.parts == ()
        assert found.share > 0.95
        assert found.colour < 0.1
        assert found.curve < 0.03


def test_a_part_is_seen_where_it_is(photo):
    one = photo(3, 480, 360)
    other = one.copy()
    ImageDraw.Draw(other).rectangle((240, 180, 300, 230), fill="white")
    ImageDraw.Draw(other).line((240, 180, 300, 230), fill="black", width=6)
    ((left, top, right, bottom), *_) = measured(one, other).parts
    assert left < 0.55 < right
    assert top < 0.57 < bottom


def test_a_turned_hue_leaves_colour(photo):
    assert measured(photo(3, 480, 360), hue(photo(3, 480, 360), 90)).colour > 0.15


def test_nothing_in_common_is_no_error():
    nothing = np.zeros((40, 60, 3), np.uint8)
    found = measure(nothing, nothing, np.zeros((40, 60), bool))
    assert (found.blocks, found.share, found.parts) == (0, 0.0, ())
    measure(nothing[:1, :1], nothing[:1, :1], np.ones((1, 1), bool))
