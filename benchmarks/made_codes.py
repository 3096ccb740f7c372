"""Which codes do the benchmarks search, where no million pictures are at hand?

`random`: evenly spread bits. `natural`: spectra of 3,000 procedural pictures, mixed by three, with
noise of 0.7 of each frequency's own spread, so that bits depend on each other and distances fall
as they do in pictures: their spread is 8.2 bits, 4 pairs in 100,000 lie within 80 bits and 7 in
100 million within 49. Of 1,000 photographs the spread is 8.2 bits and no pair within 80; of 3,781
product shots 8.9 bits and 7 in 100,000 within 80.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from picdeed.imaging.codes import FREQUENCIES, Turn, codes_of, variants

SEED = 5
SOURCES = 3_000
NOISE = 0.7
BLOCK = 20_000


def pictures(count: int) -> list[Image.Image]:
    """Soft fields over several scales, as the light in photographs is spread."""
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(count):
        total = np.zeros((128, 128), dtype=np.float32)
        for cells in (3, 6, 12, 24, 48):
            field = Image.fromarray(rng.normal(size=(cells, cells)).astype(np.float32))
            total += np.asarray(field.resize((128, 128), Image.Resampling.BICUBIC)) * 3 / cells
        total = (total - total.min()) / (np.ptp(total) + 1e-6) * 255
        found.append(Image.fromarray(total.astype(np.uint8)).convert("RGB"))
    return found


@lru_cache(maxsize=1)
def sources() -> tuple[np.ndarray, np.ndarray]:
    """Spectra float32[3000, 256], and each frequency's spread."""
    spectra = np.stack([code.coefficients for code in codes_of(pictures(SOURCES))])
    return spectra, spectra.std(axis=0)


def mixed(rng: np.random.Generator, size: int) -> np.ndarray:
    """float32[size, 256]: spectra of strangers."""
    spectra, spread = sources()
    parts = [spectra[rng.integers(0, len(spectra), size)] for _ in range(3)]
    weights = rng.dirichlet((1, 1, 1), size).astype(np.float32)
    noise = rng.standard_normal((size, 256), dtype=np.float32) * spread * NOISE
    return sum(w[:, None] * part for w, part in zip(weights.T, parts, strict=True)) + noise


def natural(n: int) -> np.ndarray:
    """uint64[n, 4], each in some turn."""
    rng = np.random.default_rng(SEED + 1)
    out = np.empty((n, 4), dtype=np.uint64)
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        spectra = mixed(rng, size)
        which = rng.integers(0, 8, size)
        for turn in Turn:
            some = which == turn
            spectra[some] = turned(spectra[some], turn)
        above = spectra > np.median(spectra, axis=1, keepdims=True)
        out[start : start + size] = np.packbits(above, axis=1, bitorder="little").view("<u8")
    return planted(out)


def random(n: int) -> np.ndarray:
    """uint64[n, 4]."""
    return planted(np.random.default_rng(SEED).integers(0, 2**64, (n, 4), np.uint64))


def planted(codes: np.ndarray) -> np.ndarray:
    """5 % become copies of others with 0 to 40 bits flipped."""
    rng = np.random.default_rng(SEED + 2)
    n = len(codes)
    places = rng.permutation(n)[: n // 20]
    codes[places] = codes[rng.integers(0, n, len(places))]
    flips = rng.integers(0, 41, len(places))
    for step in range(40):
        some = places[flips > step]
        bit = rng.integers(0, 256, len(some))
        codes[some, bit // 64] ^= np.uint64(1) << (bit % 64).astype(np.uint64)
    return codes


def turned(spectra: np.ndarray, turn: Turn) -> np.ndarray:
    """The spectra of the turned pictures; the same signs as in `codes.variants`."""
    field = spectra.reshape(-1, FREQUENCIES, FREQUENCIES)
    odd = np.where(np.arange(1, FREQUENCIES + 1) % 2, -1, 1).astype(np.float32)
    across, down = odd[None, :], odd[:, None]
    if turn >= Turn.TRANSPOSE:
        field = np.swapaxes(field, 1, 2)
    signs = {
        Turn.FLIP_LEFT_RIGHT: across,
        Turn.FLIP_TOP_BOTTOM: down,
        Turn.ROTATE_180: across * down,
        Turn.ROTATE_90: down,
        Turn.ROTATE_270: across,
        Turn.TRANSVERSE: across * down,
    }
    return (field * signs.get(turn, np.float32(1))).reshape(len(spectra), -1)


@dataclass(frozen=True)
class Collection:
    """n pictures as a registry has them: `inner` are the codes without a border of `inner_of`.

    `pairs` int64[m, 2] are (copy, original); `turns` what was done to the original; `framed`
    whether the copy shows it inside a border only.
    """

    turned: np.ndarray
    inner: np.ndarray
    inner_of: np.ndarray
    pairs: np.ndarray
    turns: np.ndarray
    framed: np.ndarray


def collection(n: int) -> Collection:
    """5 % are copies with noise, half of them turned, a fifth framed; 8 % others have borders."""
    rng = np.random.default_rng(SEED + 6)
    _, spread = sources()
    outer = np.empty((n, 8, 4), dtype=np.uint64)
    inner, inner_of, pairs, turns, framed = [], [], [], [], []
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        spectra = mixed(rng, size)
        copies = size // 20
        places = rng.permutation(size)
        mine, theirs = places[:copies], places[copies : 2 * copies]
        level = rng.uniform(0, 0.7, copies).astype(np.float32)[:, None]
        seen = spectra[theirs]
        seen = seen + level * rng.standard_normal(seen.shape, dtype=np.float32) * spread
        turn = np.where(rng.random(copies) < 0.5, 0, rng.integers(1, 8, copies))
        for one in Turn:
            some = turn == one
            seen[some] = turned(seen[some], one)
        frame = rng.random(copies) < 0.2
        spectra[mine[~frame]] = seen[~frame]
        bordered = places[2 * copies : 2 * copies + size * 8 // 100]
        outer[start : start + size] = variants(spectra)
        inner += [variants(seen[frame]), variants(mixed(rng, len(bordered)))]
        inner_of += [start + mine[frame], start + bordered]
        pairs.append(start + np.stack((mine, theirs), axis=1))
        turns.append(turn)
        framed.append(frame)
    return Collection(
        outer, *(np.concatenate(one) for one in (inner, inner_of, pairs, turns, framed))
    )
