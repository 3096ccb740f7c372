"""Is a picture file whole, where Pillow or its codecs would not say that it is cut?

Pillow refuses most cut files by itself. It accepts a PNG without its end, a GIF without its
trailer, a JPEG that was cut and closed with an end marker (libjpeg fills the rest with grey),
and compressed data whose end was never written and reads as zeros.
"""

from __future__ import annotations

import io

from PIL import Image, ImageChops

from picdeed.imaging.containers import JPEG_EOI, has_gif_trailer, jpeg_segments, png_chunks
from picdeed.imaging.jpegs import complains

_SOS = 0xDA
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1, 0xC9), (0xC2, 0xCA)
_ZERO_TAIL = 64  # entropy-coded data do not end in this many zero bytes
# Without 0xFF they hold no marker; the restart markers wake a decoder that waits for one. The first
# begins with zeros, the other with a one: a few missing bits may happen to be either.
_PIECES = tuple(bytes((i * 167 + first) % 251 for i in range(256)) for first in (13, 173))
_NOISES = tuple(
    piece + b"".join(bytes((0xFF, 0xD0 + n)) + piece for n in range(8)) for piece in _PIECES
)


def why_incomplete(data: bytes, media_type: str, image: Image.Image) -> str:
    """What is missing, as a clause for a message; empty when the file is whole.

    `image` is what Pillow decoded from `data`, whole and as the file has it (not yet upright).
    """
    if media_type == "image/png":
        whole = any(kind == b"IEND" for kind, _ in png_chunks(data))
        return "" if whole else "its last chunk (IEND) is missing"
    if media_type == "image/gif":
        return "" if has_gif_trailer(data) else "its trailer is missing"
    if media_type in ("image/webp", "image/avif"):
        return "it ends in zeros" if data.endswith(bytes(_ZERO_TAIL)) else ""
    if media_type == "image/jpeg":
        return _why_jpeg(data, image)
    return ""


def why_scans_missing(data: bytes) -> str:
    """The same of a JPEG whose pixels a strict decoder read to the end.

    It does not know how many scans there should be. Most files have all in the first one, which
    is found without walking further.
    """
    frame: bytes | None = None
    scans: list[bytes] = []
    progressive = False
    for marker, content, _ in jpeg_segments(data):
        if marker in (*_SEQUENTIAL, *_PROGRESSIVE):
            frame, progressive = content, marker in _PROGRESSIVE
        elif marker == _SOS:
            scans.append(content)
            if frame is not None and not progressive and _every_component_there(frame, scans):
                return ""
    if frame is None:
        return ""
    there = _every_scan_there if progressive else _every_component_there
    return "" if there(frame, scans) else "its last scans are missing"


def _why_jpeg(data: bytes, image: Image.Image) -> str:
    end = 0
    for marker, _, at in jpeg_segments(data):
        end = at if marker == JPEG_EOI else 0
    if not end:
        return "its end marker is missing"
    if why := why_scans_missing(data):
        return why
    if not complains(data, image) or _nothing_invented(data[:end], image):
        return ""
    return "its pixels end before the picture does"


def _every_component_there(frame: bytes, scans: list[bytes]) -> bool:
    """Whether a sequential JPEG has a scan for each of its components (T.81, B.2.3)."""
    wanted = {frame[6 + 3 * c] for c in range(frame[5])}
    return wanted <= {scan[1 + 2 * c] for scan in scans for c in range(scan[0])}


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


def _nothing_invented(scans: bytes, image: Image.Image) -> bool:
    """Whether a JPEG, given up to its end marker, has all its pixels; libjpeg only warns.

    Noise is put between the scan and the end marker. A decoder that has all its pixels steps
    over it; one that still misses some takes it for pixels, and the picture changes.
    """
    for noise in _NOISES:
        noisy = Image.open(io.BytesIO(scans + noise + b"\xff\xd9"), formats=["JPEG"])
        if ImageChops.difference(noisy, image).getbbox() is not None:
            return False
    return True
