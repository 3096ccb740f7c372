"""What short codes say that two pictures may look alike?

They only propose: pictures of one layout share codes by accident, so that every pair they find
is looked at again on its pixels (`verify`).
"""

from __future__ import annotations

from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from picdeed.imaging.decode import flatten

ALGORITHM = "phash64+dhash64/1"
COLOUR_SIDE = 4


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """imagehash's 64-bit pHash and dHash of the picture on even grey, and a 4 x 4 colour grid.

    `colour` is 48 bytes, RGB by rows, empty when it was not stored. `algorithm` stands for the
    recipe: codes of different algorithms are never compared.
    """

    algorithm: str
    phash: int
    dhash: int
    colour: bytes = b""

    @property
    def phash_hex(self) -> str:
        """16 hex digits, the same as `str(imagehash.phash(...))`."""
        return f"{self.phash:016x}"

    @property
    def dhash_hex(self) -> str:
        """16 hex digits, the same as `str(imagehash.dhash(...))`."""
        return f"{self.dhash:016x}"

    @classmethod
    def from_hex(cls, algorithm: str, phash: str, dhash: str) -> Fingerprint:
        """A stored fingerprint; raises ValueError on anything but hex digits."""
        return cls(algorithm, int(phash, 16), int(dhash, 16))


def fingerprint(image: Image.Image) -> Fingerprint:
    """The codes of a decoded picture of any size and mode."""
    flat = flatten(image)
    colour = flat.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX)
    return Fingerprint(
        ALGORITHM,
        _as_int(imagehash.phash(flat).hash),
        _as_int(imagehash.dhash(flat).hash),
        colour.tobytes(),
    )


def _as_int(bits: np.ndarray) -> int:
    return int.from_bytes(np.packbits(np.asarray(bits, dtype=bool).reshape(-1)).tobytes(), "big")
