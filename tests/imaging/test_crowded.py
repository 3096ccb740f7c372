"""What follows for a crowd when the row that stands for it is found near another?"""

from __future__ import annotations

import numpy as np

from picdeed.imaging.alike import Marks
from picdeed.imaging.coded import EQUAL_CODES, Coded
from picdeed.imaging.near import near_pairs

N = EQUAL_CODES + 20


def beside(pixels: int, colours: np.ndarray) -> Coded:
    """A crowd of N pictures of 100 pixels, and one picture a bit away of so many pixels."""
    codes = np.zeros((N + 1, 8, 4), dtype=np.uint64)
    codes[N] = 1
    shape = np.array([[10, 10, 100]] * N + [[pixels, 1, 100]])
    hashes = np.arange(2 * N + 2, dtype=np.uint64).reshape(-1, 2) * np.uint64(0x9E3779B97F4A7C15)
    marks = Marks(colours, hashes, shape, np.arange(N + 1, dtype=np.uint64))
    return Coded(N + 1, np.arange(N + 1), codes, np.zeros(N + 1, dtype=bool), marks)


def partners(coded: Coded, one: int) -> set[int]:
    pairs = near_pairs(coded).pairs
    touching = pairs[(pairs == one).any(axis=1)]
    return set(touching.ravel().tolist()) - {one}


def shades() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.repeat(rng.permutation(128)[: N + 1, None].astype(np.uint8) * 2, 192, axis=1)


def test_whoever_would_stand_for_all_meets_all():
    assert partners(beside(101, shades()), N) == set(range(N))


def test_a_lesser_one_meets_the_best_and_the_nearest_by_colours():
    colours = shades()
    colours[N] = colours[N - 1] ^ np.uint8(1)
    found = partners(beside(99, colours), N)
    assert {0, N - 1} <= found
    assert len(found) < 10
