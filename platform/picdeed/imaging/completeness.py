"""Is a picture file whole, where Pillow or its codecs would not say that it is cut?

Pillow refuses most cut files by itself. It accepts a PNG without its end, a GIF without its
trailer, a JPEG that was cut and closed with an end marker (libjpeg fills the rest with grey),
and compressed data whose end was never written and reads as zeros.
"""

from __future__ import annotations

import io

from PIL import Image, ImageChops

from picdeed.imaging.containers import JPEG_EOI, has_gif_trailer, jpeg_segments, png_chunks

_SOS, _PROGRESSIVE = 0xDA, 0xC2
_ZERO_TAIL = 64  # entropy-coded data do not end in this many zero bytes
# Without 0xFF it holds no marker; the restart markers wake a decoder that waits for one.
_PIECE = bytes((i * 167 + 13) % 251 for i in range(256))
_NOISE = _PIECE + b"".join(bytes((0xFF, 0xD0 + n)) + _PIECE for n in range(8))


def why_incomplete(
    data: bytes, media_type: str, image: Image.Image, at_least: int | None = None
) -> str:
    """What is missing, as a clause for a message; empty when the file is whole.

    `image` is what Pillow decoded from `data`, as the file has it (not yet turned upright);
    `at_least` is the side for which a JPEG was scaled while it was decoded.
    """
    if media_type == "image/png":
        whole = any(kind == b"IEND" for kind, _ in png_chunks(data))
        return "" if whole else "its last chunk (IEND) is missing"
    if media_type == "image/gif":
        return "" if has_gif_trailer(data) else "its trailer is missing"
    if media_type in ("image/webp", "image/avif"):
        return "it ends in zeros" if data.endswith(bytes(_ZERO_TAIL)) else ""
    if media_type == "image/jpeg":
        return _why_jpeg(data, image, at_least)
    return ""


def _why_jpeg(data: bytes, image: Image.Image, at_least: int | None) -> str:
    segments = list(jpeg_segments(data))
    if not segments or segments[-1][0] != JPEG_EOI:
        return "its end marker is missing"
    frame = next((content for marker, content, _ in segments if marker == _PROGRESSIVE), None)
    scans = [content for marker, content, _ in segments if marker == _SOS]
    if frame is not None and not _every_scan_there(frame, scans):
        return "its last scans are missing"
    return (
        ""
        if _nothing_invented(data[: segments[-1][2]], image, at_least)
        else "its pixels end before the picture does"
    )


def _every_scan_there(frame: bytes, scans: list[bytes]) -> bool:
    """Whether a progressive JPEG refines all coefficients to their last bit (T.81, G.1.1.1)."""
    wanted = {(frame[6 + 3 * c], k) for c in range(frame[5]) for k in range(64)}
    for scan in scans:
        count = scan[0]
        first, last, bits = scan[1 + 2 * count : 4 + 2 * count]
        if bits & 0x0F:
            continue
        for c in range(count):
            wanted -= {(scan[1 + 2 * c], k) for k in range(first, last + 1)}
    return not wanted


def _nothing_invented(scans: bytes, image: Image.Image, at_least: int | None) -> bool:
    """Whether a JPEG, given up to its end marker, has all its pixels; libjpeg only warns.

    Noise is put between the scan and the end marker. A decoder that has all its pixels steps
    over it; one that still misses some takes it for pixels, and the picture changes.
    """
    noisy = Image.open(io.BytesIO(scans + _NOISE + b"\xff\xd9"), formats=["JPEG"])
    if at_least is not None:
        noisy.draft(None, (at_least, at_least))
    return ImageChops.difference(noisy, image).getbbox() is None
