"""Which blocks does a picture file consist of, without decoding a pixel of it?

PNG: the PNG specification (third edition), section 5.3. JPEG: ITU-T T.81, annex B. WebP:
RFC 9649, section 2.3. GIF: the GIF89a specification, appendix B. Walkers stop quietly where a
file stops making sense; whether a file is whole is asked elsewhere (`completeness`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PNG_HEADER = 8
_JPEG_SOS = 0xDA
_GIF_TRAILER, _GIF_IMAGE, _GIF_EXTENSION = 0x3B, 0x2C, 0x21
JPEG_EOI = 0xD9
_JPEG_BARE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length
_JPEG_NEXT = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # ends entropy-coded data


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of each PNG chunk; pictures' pixels are given as empty content."""
    at = _PNG_HEADER
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if at + 12 + size > len(data):
            return
        yield kind, b"" if kind in (b"IDAT", b"fdAT") else data[at + 8 : at + 8 + size]
        at += 12 + size


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """(marker, content, offset of the marker) of each JPEG segment up to and with EOI.

    Entropy-coded data are stepped over.
    """
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:  # noqa: PLR2004 (every marker's first byte)
            return
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 (fill bytes may stand before a marker)
            at += 1
            continue
        at += 2
        if marker == JPEG_EOI or marker in _JPEG_BARE:
            yield marker, b"", at - 2
            if marker == JPEG_EOI:
                return
            continue
        size = int.from_bytes(data[at : at + 2], "big")
        if size < 2 or at + size > len(data):  # noqa: PLR2004 (the length counts itself)
            return
        yield marker, data[at + 2 : at + size], at - 2
        at += size
        if marker == _JPEG_SOS:
            found = _JPEG_NEXT.search(data, at)
            if not found:
                return
            at = found.start()


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(four letters, content) of each chunk of a WebP file; pictures' pixels are left out."""
    at = 12
    while at + 8 <= len(data):
        kind = data[at : at + 4]
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            return
        heavy = kind in (b"VP8 ", b"VP8L", b"ANMF", b"ALPH")
        yield kind, b"" if heavy else data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def has_gif_trailer(data: bytes) -> bool:
    """Whether the blocks of a GIF lead to its trailer."""
    return any(kind == _GIF_TRAILER for kind, _, _ in _gif_blocks(data))


def gif_extensions(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(label, content, the bytes as they stand in the file) of each extension of a GIF.

    The content of an application extension begins with the eleven letters of its name.
    """
    for kind, start, end in _gif_blocks(data):
        if kind == _GIF_EXTENSION:
            raw = data[start + 2 : end]
            parts, at = [], 0
            while at < len(raw) and raw[at]:
                parts.append(raw[at + 1 : at + 1 + raw[at]])
                at += 1 + raw[at]
            yield data[start + 1], b"".join(parts), raw


def _gif_blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(first byte, start, end) of each block up to and with the trailer."""
    at = 13 + _gif_table(data[10:11])
    while at < len(data):
        kind, start = data[at], at
        if kind == _GIF_TRAILER:
            yield kind, start, at + 1
            return
        if kind == _GIF_IMAGE:
            at += 11 + _gif_table(data[at + 9 : at + 10])  # descriptor, table, LZW code size
        elif kind == _GIF_EXTENSION:
            at += 2
        else:
            return
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
        if kind == _GIF_EXTENSION and at <= len(data):
            yield kind, start, at


def _gif_table(flags: bytes) -> int:
    """Bytes of the colour table that a descriptor's flags announce."""
    announced = flags[0] if flags else 0
    return 3 << ((announced & 0x07) + 1) if announced & 0x80 else 0
