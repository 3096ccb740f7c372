"""Which picture format do these bytes claim to be, by their first bytes alone?"""

from __future__ import annotations

import re
from pathlib import PurePath

SNIFFED_BYTES = 4096

SVG = "image/svg+xml"

# Media type -> the name by which Pillow knows the format.
DECODABLE = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/avif": "AVIF",
    "image/jp2": "JPEG2000",
}

PICTURE_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("png", "apng", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "tif", "tiff", "bmp", "dib"),
        *("avif", "avifs", "jp2", "j2k", "jpx", "jpf", "jpc", "svg", "svgz"),
        *("heic", "heif", "jxl", "psd", "ico", "tga"),
    )
)

_PREFIXES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
)
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"))
_BMP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))
_SVG_OPENING = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>\s*)*"
    rb"<(?:[A-Za-z_][\w.-]*:)?svg[\s>/]",
    re.DOTALL,
)


def sniff(data: bytes) -> str | None:
    """Media type by magic bytes, None when no picture format is recognised.

    64 bytes are enough for every binary format; SVG is searched in the first 4,096. Formats
    that picdeed knows but cannot decode (SVG, HEIC, JPEG XL) are named too, so that they are
    refused by name instead of being skipped.
    """
    for prefix, media_type in _PREFIXES:
        if data.startswith(prefix):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return _isobmff(data)
    # "BM" alone opens many a text file: the header's length must be a known one too.
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    if _SVG_OPENING.match(data[:SNIFFED_BYTES]):
        return SVG
    return None


def _isobmff(data: bytes) -> str | None:
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, size, 4)}
    if brands & {b"avif", b"avis"}:
        return "image/avif"
    return "image/heic" if brands & _HEIF_BRANDS else None


def is_picture(head: bytes) -> bool:
    """Whether a file's first bytes are those of a picture format, decodable or not."""
    return sniff(head) is not None


def has_picture_suffix(name: str) -> bool:
    """Whether the file's name promises a picture (`.png`, `.JPG`, `.svg`, ...)."""
    return PurePath(name).suffix.lower() in PICTURE_SUFFIXES
