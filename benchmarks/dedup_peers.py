"""Which codes do other tools give a picture? Beside ours in `dedup.py`, as bits: bool[k, n]."""

from __future__ import annotations

from functools import cache
from typing import Any

import imagehash
import numpy as np
from PIL import Image


def peer_codes(flat: Image.Image) -> dict[str, np.ndarray]:
    """Of an RGB picture, by tool; what is not installed is left out."""
    return {
        "phash64": imagehash.phash(flat).hash.reshape(1, -1),
        "dhash64": imagehash.dhash(flat).hash.reshape(1, -1),
        "phash256": imagehash.phash(flat, hash_size=16).hash.reshape(1, -1),
        **imagededup_code(flat),
        **pdq_codes(flat),
    }


def bits_apart(one: np.ndarray, other: np.ndarray) -> int:
    """The fewest bits from any turn of one (bool[k, n]) to the other as it is."""
    return int((one != other[:1]).sum(1).min())


@cache
def imagededup_hasher() -> Any:
    try:
        from imagededup.methods import PHash
    except ImportError:
        return None
    return PHash(verbose=False)


def imagededup_code(flat: Image.Image) -> dict[str, np.ndarray]:
    hasher = imagededup_hasher()
    if hasher is None:
        return {}
    digits = hasher.encode_image(image_array=np.asarray(flat))
    return {"imagededup": np.unpackbits(np.frombuffer(bytes.fromhex(digits), np.uint8))[None] > 0}


def pdq_codes(flat: Image.Image) -> dict[str, np.ndarray]:
    try:
        import pdqhash
    except ImportError:
        return {}
    turned, _ = pdqhash.compute_dihedral(np.asarray(flat))
    bits = np.array(turned).astype(bool)
    return {"pdq": bits[:1], "pdq x8": bits}
