"""Under which published codes do other tools know a picture: imagehash's pHash and dHash?

They only name a picture, and decide nothing here: catalogue shots share them by accident, and
cropped or turned copies do not (`codes` does better).

imagehash shrinks the grey picture with Pillow's Lanczos filter, pHash to 32 x 32 (then the lowest
8 x 8 cosine frequencies against their median), dHash to 9 x 8 (then each pixel against its left
neighbour). A picture that was decoded whole has exactly imagehash's codes; one that was scaled
while it was decoded (`decode`, the whole picture's frame being kept) mostly the same, otherwise
within some two bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picdeed.imaging.decode import Decoded, Flat, flat_of

ALGORITHM = "phash64+dhash64/2"

_PHASH_SIDE, _FREQUENCIES = 32, 8
_DHASH_SIZE = (9, 8)
_LOBES = 3  # of Pillow's Lanczos filter

_Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """imagehash's 64-bit pHash and dHash of the picture on even grey.

    `algorithm` stands for the recipe: codes of different algorithms are never compared.
    """

    algorithm: str
    phash: int
    dhash: int

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


def fingerprint(picture: Image.Image | Decoded | Flat) -> Fingerprint:
    """The codes of a decoded picture of any size and mode."""
    flat = flat_of(picture)
    square, row = _filtered(flat) if flat.scaled else _resized(flat.grey)
    return Fingerprint(ALGORITHM, _as_int(_low(square)), _as_int(row[:, 1:] > row[:, :-1]))


def _low(square: _Grey) -> NDArray[np.bool_]:
    """pHash's bits (Zauner 2010, as imagehash has them): frequencies above their median."""
    from scipy import fftpack

    field = fftpack.dct(fftpack.dct(square, axis=0), axis=1)[:_FREQUENCIES, :_FREQUENCIES]
    middle = np.sort(field, axis=None)[field.size // 2 - 1 : field.size // 2 + 1]
    bits: NDArray[np.bool_] = field > middle.mean()
    return bits


def _resized(grey: Image.Image) -> tuple[_Grey, _Grey]:
    """uint8[32, 32] and uint8[8, 9], as imagehash shrinks them."""
    sizes = ((_PHASH_SIDE, _PHASH_SIDE), _DHASH_SIZE)
    square, row = (np.asarray(grey.resize(one, Image.Resampling.LANCZOS)) for one in sizes)
    return square, row


def _filtered(flat: Flat) -> tuple[_Grey, _Grey]:
    """The same of a small picture that stands for a larger one."""
    left, top, right, bottom = flat.box
    across = _weights(flat.grey.width, left, right, (_PHASH_SIDE, _DHASH_SIZE[0]))
    down = _weights(flat.grey.height, top, bottom, (_PHASH_SIDE, _DHASH_SIZE[1]))
    narrow = np.asarray(flat.grey).astype(np.float32) @ across.T
    small = (
        down[:_PHASH_SIDE] @ narrow[:, :_PHASH_SIDE],
        down[_PHASH_SIDE:] @ narrow[:, _PHASH_SIDE:],
    )
    square, row = (np.rint(one).clip(0, 255).astype(np.uint8) for one in small)
    return square, row


@lru_cache(maxsize=128)  # collections have few sizes; up to 80 KB each
def _weights(n: int, begin: float, end: float, sizes: tuple[int, int]) -> NDArray[np.float32]:
    """float32[sum of sizes, n]: Pillow's Lanczos weights for each size, one below the other."""
    made = []
    for size in sizes:
        scale = (end - begin) / size
        wide = max(scale, 1.0)
        centres = begin + (np.arange(size) + 0.5) * scale
        first = np.trunc(centres - _LOBES * wide + 0.5).clip(0).astype(np.int64)
        last = np.trunc(centres + _LOBES * wide + 0.5).clip(max=n).astype(np.int64)
        taps = first[:, None] + np.arange(int((last - first).max()))
        away = (taps - centres[:, None] + 0.5) / wide
        bell = np.where(np.abs(away) < _LOBES, np.sinc(away) * np.sinc(away / _LOBES), 0)
        bell[taps >= last[:, None]] = 0
        rows = np.zeros((size, n + taps.shape[1]), np.float32)
        np.put_along_axis(rows, taps, bell / bell.sum(axis=1, keepdims=True), axis=1)
        made.append(rows[:, :n])
    weights = np.concatenate(made)
    weights.setflags(write=False)
    return weights


def _as_int(bits: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits.reshape(-1)).tobytes(), "big")
