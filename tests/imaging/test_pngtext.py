"""Are PNG texts unpacked within their limit?"""

from __future__ import annotations

import struct
import tracemalloc
import zlib

from picdeed.imaging.pngtext import png_texts


def png(kind: bytes, content: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(content)) + kind + content + bytes(4)


def only(data: bytes, most: int = 1000):
    (text,) = png_texts(data, most)
    return text


def test_the_three_kinds_of_text():
    assert only(png(b"tEXt", b"Author\0Ada")).content == b"Ada"
    assert only(png(b"zTXt", b"Author\0\0" + zlib.compress(b"Ada"))).content == b"Ada"
    assert only(png(b"iTXt", b"Author\0\0\0en\0Autor\0Ada")).content == b"Ada"
    packed = only(png(b"iTXt", b"Author\0\1\0en\0Autor\0" + zlib.compress(b"Ada")))
    assert (packed.keyword, packed.content, packed.compressed) == (b"Author", b"Ada", True)


def test_a_bomb_is_never_unpacked():
    bomb = zlib.compress(bytes(50_000_000), 9)
    tracemalloc.start()
    assert only(png(b"zTXt", b"Comment\0\0" + bomb), 1_000_000).content is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
    exact = zlib.compress(b"x" * 1000)
    assert only(png(b"zTXt", b"Comment\0\0" + exact), 1000).content == b"x" * 1000
    assert only(png(b"zTXt", b"Comment\0\0" + exact), 999).content is None


def test_raw_profiles():
    hexed = b"\nexif\n       8\n" + b"4d4d002a" + b"\n" + b"00000008"
    exif = only(png(b"tEXt", b"Raw profile type exif\0" + hexed))
    assert exif.is_exif
    assert exif.content == b"MM\0*\0\0\0\x08"
    broken = only(png(b"tEXt", b"Raw profile type xmp\0\nxmp\n 3\nzz"))
    assert broken.content is None
