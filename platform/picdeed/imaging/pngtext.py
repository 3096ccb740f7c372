"""Which texts does a PNG carry, wherever they stand and however they are packed?

PNG specification (third edition), section 11.3.3 (tEXt, zTXt, iTXt) and 11.3.4.5 (eXIf);
ImageMagick's `Raw profile type NAME` texts hold other metadata in hex.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from picdeed.imaging.containers import png_chunks

_XMP_KEYWORD = b"XML:com.adobe.xmp"
_RAW_PROFILE = b"Raw profile type "
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class PngText:
    """One text: `raw` as it stands in the file, `content` unpacked, None where that failed."""

    keyword: bytes
    raw: bytes
    content: bytes | None
    compressed: bool

    @property
    def is_xmp(self) -> bool:
        return self.keyword == _XMP_KEYWORD

    @property
    def is_exif(self) -> bool:
        return self.keyword == b"eXIf"


def png_texts(data: bytes, most: int) -> Iterator[PngText]:
    """Every text chunk in front of and behind the pixels; `most` bytes are unpacked at most."""
    for kind, chunk in png_chunks(data):
        if kind == b"eXIf":
            yield PngText(b"eXIf", chunk, chunk, compressed=False)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            yield _unprofiled(_unpacked(kind, chunk, most))


def _unpacked(kind: bytes, chunk: bytes, most: int) -> PngText:
    keyword, _, rest = chunk.partition(b"\0")
    if kind == b"tEXt":
        return PngText(keyword, rest, rest, compressed=False)
    if kind == b"zTXt":
        return PngText(keyword, rest, _inflate(rest[1:], most), compressed=True)
    packed, body = rest[:1] == b"\1", rest[2:]
    text = body.partition(b"\0")[2].partition(b"\0")[2]  # language and translated keyword
    content = _inflate(text, most) if packed else text
    return PngText(keyword, text, content, compressed=packed)


def _unprofiled(text: PngText) -> PngText:
    """ImageMagick: a line break, the name, the length, then hex digits in lines."""
    if not text.keyword.startswith(_RAW_PROFILE) or text.content is None:
        return text
    name = text.keyword.removeprefix(_RAW_PROFILE)
    try:
        content = bytes.fromhex("".join(text.content.decode("ascii").split()[2:]))
    except ValueError:
        return PngText(text.keyword, text.raw, None, compressed=True)
    if content.startswith(_JPEG_XMP):
        name, content = b"xmp", content.removeprefix(_JPEG_XMP)
    keyword = {b"xmp": _XMP_KEYWORD, b"exif": b"eXIf", b"APP1": b"eXIf"}.get(name, text.keyword)
    if keyword == b"eXIf":
        content = content.removeprefix(_EXIF)
    return PngText(keyword, text.raw, content, compressed=True)


def _inflate(packed: bytes, most: int) -> bytes | None:
    """zlib data of up to `most` bytes; None beyond that, and for what is no zlib data."""
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(packed, most + 1)
    except zlib.error:
        return None
    return content if len(content) <= most else None
