"""How do pixels of any kind become 8 bits a channel, transparent ones or not?"""

from __future__ import annotations

import numpy as np
from PIL import Image

from picdeed.core.errors import UnreadablePicture


def eight_bit(image: Image.Image) -> Image.Image:
    """RGB or RGBA, whatever the file's pixels were.

    Raises UnreadablePicture (`unsupported`) on floats and on grey of more than 16 bits.
    """
    if image.mode in ("RGB", "RGBA"):
        return image.convert("RGBA") if _keyed(image) else image
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.mode == "F":
        raise UnreadablePicture("unsupported", "Pixels of 32-bit floats are not decoded.")
    transparent = image.mode in ("LA", "La", "PA", "RGBa") or _keyed(image)
    return image.convert("RGBA" if transparent else "RGB")


def _keyed(image: Image.Image) -> bool:
    """Whether a colour key or a palette makes pixels transparent."""
    return image.mode != "RGBA" and "transparency" in image.info


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits by its high byte: Pillow's own conversion clips instead of scaling."""
    values = np.asarray(image).astype(np.int64)
    if values.size and (values.min() < 0 or values.max() > 0xFFFF):  # noqa: PLR2004 (16 bits)
        raise UnreadablePicture("unsupported", "Grey of more than 16 bits is not decoded.")
    return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
