"""How is a picture shown small?"""

from __future__ import annotations

import io

from PIL import Image

from picdeed.imaging.decode import flatten

_QUALITY = 80


def thumbnail(image: Image.Image, side: int = 256) -> bytes:
    """WebP of at most `side` pixels a side, transparency kept, no metadata; never enlarged.

    A picture that is far too long for its width keeps at least one pixel of it.
    """
    small = image if image.mode in ("RGB", "RGBA") else flatten(image)
    scale = min(1.0, side / max(small.size))
    if scale < 1:
        size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
        small = small.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    small.save(stream, "WEBP", quality=_QUALITY, method=2, exif=b"", xmp=b"", icc_profile=b"")
    return stream.getvalue()
