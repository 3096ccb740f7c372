"""Which XMP boxes does a file of boxes carry: JPEG 2000, AVIF, HEIF?

Boxes: ISO/IEC 14496-12 (BMFF) and 15444-1, annex I. XMP stands in a `uuid` box of its own
(ISO 16684-3).
"""

from __future__ import annotations

from collections.abc import Iterator

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_HEADER, _LONG_HEADER = 8, 16
_MOST = 100_000


def xmp_boxes(data: bytes) -> Iterator[bytes]:
    """The content of each XMP box on the file's own level; stops where boxes stop making sense."""
    at = 0
    for _ in range(_MOST):
        if at + _HEADER > len(data):
            return
        size = int.from_bytes(data[at : at + 4], "big")
        start = at + _HEADER
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
            start = at + _LONG_HEADER
        end = len(data) if size == 0 else at + size
        if end < start or end > len(data):
            return
        if data[at + 4 : at + 8] == b"uuid" and data[start : start + 16] == XMP_UUID:
            yield data[start + 16 : end]
        at = end
