"""Does every kind of pixel become RGB, or RGBA where it is transparent?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from picdeed.core.errors import UnreadablePicture
from picdeed.imaging.eightbit import eight_bit


@pytest.mark.parametrize(
    ("mode", "becomes"),
    [
        *(("RGB", "RGB"), ("L", "RGB"), ("1", "RGB"), ("P", "RGB"), ("CMYK", "RGB")),
        *(("YCbCr", "RGB"), ("RGBA", "RGBA"), ("LA", "RGBA"), ("PA", "RGBA")),
    ],
)
def test_modes(mode, becomes):
    assert eight_bit(Image.new(mode, (3, 2))).mode == becomes


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_colour_key_makes_it_transparent(mode):
    keyed = Image.new(mode, (3, 2))
    keyed.info["transparency"] = (0, 0, 0) if mode == "RGB" else 0
    assert eight_bit(keyed).getpixel((0, 0))[3] == 0


def test_sixteen_bits_by_their_high_byte_and_no_more():
    deep = Image.fromarray(np.array([[0, 255, 256, 65535]], np.uint16))
    assert np.asarray(eight_bit(deep))[0, :, 0].tolist() == [0, 0, 1, 255]
    for wrong in (Image.new("F", (2, 2)), Image.fromarray(np.array([[70_000]], np.int32))):
        with pytest.raises(UnreadablePicture) as refusal:
            eight_bit(wrong)
        assert refusal.value.reason == "unsupported"
