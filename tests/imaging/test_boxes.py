"""Are XMP boxes found, and do lengths that lie lead nowhere?"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.imaging.boxes import XMP_UUID, xmp_boxes


def box(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I", len(content) + 8 if size is None else size) + kind + content


XMP = box(b"uuid", XMP_UUID + b"<x/>")
LONG = struct.pack(">I4sQ", 1, b"uuid", 16 + 20) + XMP_UUID + b"<x/>"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (box(b"ftyp", b"avif") + XMP, 1),
        (XMP + box(b"mdat", b"") + XMP, 2),
        (LONG, 1),
        (box(b"uuid", XMP_UUID + b"<x/>", size=0), 1),
        (box(b"uuid", b"another one 1234"), 0),
        (box(b"free", b"x", size=4) + XMP, 0),
        (XMP[:-1], 0),
        (struct.pack(">I4sQ", 1, b"uuid", 3), 0),
        (b"", 0),
    ],
)
def test_boxes(data, found):
    assert list(xmp_boxes(data)) == [b"<x/>"] * found


@given(st.binary(max_size=60))
def test_nothing_raises(data):
    assert len(list(xmp_boxes(XMP + data))) >= 1
