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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picdeed.imaging.decode import Decoded, Flat, flat_of
from picdeed.imaging.fields import luma_of

ALGORITHM = "phash64+dhash64/2"

_PHASH_SIDE, _FREQUENCIES = 32, 8
_DHASH_SIZE = (9, 8)
_LOBES = 3  # of Pillow's Lanczos filter

_Floats = NDArray[np.float32]
Shrunk = tuple[_Floats, _Floats]  # 32 x 32 and 8 x 9 levels, rounded or not


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
    return fingerprints_from([shrunk(flat_of(picture))])[0]


def shrunk(flat: Flat) -> Shrunk:
    """What a flat picture's codes are made of."""
    return _filtered(flat) if flat.scaled else _resized(flat.grey)


def fingerprints_from(small: Sequence[Shrunk]) -> list[Fingerprint]:
    """The codes of shrunk pictures; the transforms are done for all together."""
    if not small:
        return []
    squares, rows = (
        np.rint(np.stack(one)).clip(0, 255).astype(np.uint8) for one in zip(*small, strict=True)
    )
    phashes, dhashes = _as_ints(_low(squares)), _as_ints(rows[:, :, 1:] > rows[:, :, :-1])
    return [Fingerprint(ALGORITHM, *both) for both in zip(phashes, dhashes, strict=True)]


def _low(squares: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """pHash's bits (Zauner 2010, as imagehash has them): frequencies above their median.

    bool[n, 64] of uint8[n, 32, 32].
    """
    from scipy import fftpack

    down = fftpack.dct(squares, axis=1)[:, :_FREQUENCIES]
    field = fftpack.dct(down, axis=2)[:, :, :_FREQUENCIES].reshape(len(squares), -1)
    half = field.shape[1] // 2
    middle = np.sort(field, axis=1)[:, half - 1 : half + 1].mean(axis=1, keepdims=True)
    bits: NDArray[np.bool_] = field > middle
    return bits


def _resized(grey: Image.Image) -> Shrunk:
    """float32[32, 32] and float32[8, 9], as imagehash shrinks them."""
    sizes = ((_PHASH_SIDE, _PHASH_SIDE), _DHASH_SIZE)
    square, row = (
        np.asarray(grey.resize(one, Image.Resampling.LANCZOS), dtype=np.float32) for one in sizes
    )
    return square, row


def _filtered(flat: Flat) -> Shrunk:
    """The same of a small picture that stands for a larger one; not rounded."""
    left, top, right, bottom = flat.box
    across = _weights(flat.size[0], left, right, (_PHASH_SIDE, _DHASH_SIZE[0]))
    down = _weights(flat.size[1], top, bottom, (_PHASH_SIDE, _DHASH_SIZE[1]))
    narrow = luma_of(flat) @ across.T
    return (
        down[:_PHASH_SIDE] @ narrow[:, :_PHASH_SIDE],
        down[_PHASH_SIDE:] @ narrow[:, _PHASH_SIDE:],
    )


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


def _as_ints(bits: NDArray[np.bool_]) -> list[int]:
    """Of 64 bits a picture, the first being the highest."""
    found: list[int] = np.packbits(bits.reshape(len(bits), -1), axis=1).view(">u8")[:, 0].tolist()
    return found
