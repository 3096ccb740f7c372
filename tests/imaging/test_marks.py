"""Are marks of a group those of each file alone, in order, with every refusal in its place?"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from picdeed.core.errors import UnreadablePicture
from picdeed.core.limits import Limits
from picdeed.imaging import marks
from picdeed.imaging.codes import code_of
from picdeed.imaging.decode import decode_small
from picdeed.imaging.fingerprints import fingerprint
from picdeed.imaging.marks import Marks, marks_of


@pytest.fixture
def files(photo, lino, encode) -> dict[str, bytes]:
    """Of many kinds, framed and cut ones among them; more than two groups."""
    framed = Image.new("RGB", (700, 500), "white")
    framed.paste(photo(1, 600, 400), (50, 50))
    clear = lino(2).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    exif = Image.Exif()
    exif[0x0112] = 6
    made = {
        "framed": encode(framed, "JPEG", quality=90),
        "clear": encode(clear, "PNG"),
        "turned": encode(photo(3, 900, 700), "JPEG", exif=exif),
        "no picture": b"words",
        "cut": encode(photo(4, 900, 700), "JPEG")[:-400],
        "grey": encode(photo(5).convert("L"), "JPEG"),
        "cmyk": encode(photo(6).convert("CMYK"), "JPEG"),
        "webp": encode(photo(7), "WEBP"),
        "empty": b"",
        "progressive": encode(photo(8, 1500, 1100), "JPEG", progressive=True),
    }
    return made | {
        f"{n}": encode(photo(n, 400 + 40 * n, 300), "JPEG", quality=90) for n in range(20)
    }


def test_a_group_gives_what_each_file_gives_alone(files):
    found = list(marks_of(files.items()))
    assert [name for name, _ in found] == list(files)
    for name, one in found:
        data = files[name]
        if name in ("no picture", "cut", "empty"):
            with pytest.raises(UnreadablePicture) as alone:
                decode_small(data)
            assert isinstance(one, UnreadablePicture)
            assert (one.reason, str(one)) == (alone.value.reason, str(alone.value))
            continue
        assert isinstance(one, Marks)
        small = decode_small(data)
        known = code_of(small)
        assert one.sha256 == hashlib.sha256(data).hexdigest()
        assert one.data == data
        assert one.decoded.image.tobytes() == small.image.tobytes()
        assert (one.decoded.width, one.decoded.box) == (small.width, small.box)
        assert np.array_equal(one.code.plain, known.plain)
        assert np.array_equal(one.code.colours, known.colours)
        assert (one.code.trim_box, one.code.quality) == (known.trim_box, known.quality)
        assert (one.code.trimmed is None) == (known.trimmed is None)
        if known.trimmed is not None:
            assert np.array_equal(one.code.trimmed, known.trimmed)
        assert one.fingerprint == fingerprint(small)
    assert dict(found)["framed"].code.trimmed is not None


def test_limits_hold_in_a_group(files):
    small = Limits(picture_pixels=200_000)
    found = dict(marks_of(files.items(), small))
    assert isinstance(found["0"], Marks)
    assert isinstance(found["progressive"], UnreadablePicture)
    assert found["progressive"].reason == "too-many-pixels"


def asked_before_each(files: dict[str, bytes]) -> list[int]:
    """How many files had been read when each picture was given."""
    read = 0

    def reading():
        nonlocal read
        for item in files.items():
            read += 1
            yield item

    return [read for _ in marks_of(reading())]


def test_no_more_pixels_are_held_than_a_group_may(files, encode, photo):
    # One more is read before a group is known to be full.
    assert max(n - at for at, n in enumerate(asked_before_each(files))) == marks._PICTURES + 1
    large = encode(Image.new("RGB", (2000, 1800), "teal"), "PNG")
    others = [large, encode(photo(1), "PNG"), large, large]
    assert asked_before_each({str(n): one for n, one in enumerate(others)}) == [3, 3, 4, 4]


def test_nothing_gives_nothing():
    assert list(marks_of([])) == []
