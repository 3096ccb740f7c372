"""Do the walkers see every block and stop where a file stops making sense?"""

from __future__ import annotations

import pytest
from PIL import Image

from picdeed.imaging.containers import (
    gif_extensions,
    has_gif_trailer,
    jpeg_segments,
    png_chunks,
    riff_chunks,
)


def test_png_chunks_leave_out_the_pixels(photo, encode):
    found = list(png_chunks(encode(photo(1), "PNG")))
    assert found[0][0] == b"IHDR"
    assert len(found[0][1]) == 13
    assert (b"IDAT", b"") in found
    assert found[-1] == (b"IEND", b"")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_jpeg_segments_step_over_the_scans(photo, encode, options):
    data = encode(photo(1), "JPEG", **options)
    found = list(jpeg_segments(data + b"\xff\xd8 more"))
    assert found[-1] == (0xD9, b"", len(data) - 2)
    scans = [marker for marker, _, _ in found].count(0xDA)
    assert scans > 1 if "progressive" in options else scans == 1
    assert all(data[at] == 0xFF for _, _, at in found)


def test_riff_chunks(photo, encode):
    data = encode(photo(1, 31, 31), "WEBP", xmp=b"odd", exif=b"Exif\0\0MM")
    found = dict(riff_chunks(data))
    assert found[b"XMP "] == b"odd"
    assert found[b"VP8 "] == b""


def test_gif_trailer(photo, encode):
    frames = [photo(seed, 40, 30) for seed in range(3)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"x;y;z")
    assert has_gif_trailer(data)
    assert not has_gif_trailer(data[:-1])
    assert not has_gif_trailer(data[: len(data) // 2] + b";" * 3)


@pytest.mark.parametrize("walk", [png_chunks, jpeg_segments, riff_chunks])
def test_walkers_end_on_every_cut(walk, encode):
    form = {png_chunks: "PNG", jpeg_segments: "JPEG", riff_chunks: "WEBP"}[walk]
    data = encode(Image.new("RGB", (9, 9)), form)
    whole = list(walk(data))
    for cut in range(len(data)):
        part = list(walk(data[:cut]))
        assert part == whole[: len(part)]
        assert not has_gif_trailer(data[:cut])


def test_gif_extensions(photo, encode):
    data = encode(photo(3, 40, 30), "GIF", comment="a" * 300)
    found = [(label, content) for label, content, _ in gif_extensions(data)]
    assert (0xFE, b"a" * 300) in found
    for cut in range(13, len(data), 7):
        list(gif_extensions(data[:cut]))
