"""Into which chunks are a code's bits dealt, so that near codes agree in one of them?

General pigeonhole, twice: tolerances R_w of the 64-bit words with sum(R_w + 1) = radius + 1, and
in each word tolerances T_c of its chunks with sum(T_c + 1) = R_w + 1. Two codes within the radius
then have a word that differs in at most R_w bits, and in it a chunk that differs in at most T_c
(Norouzi et al., arXiv:1307.2982, used on the words as well as inside them). So a candidate from
a chunk's bucket is judged by one word, and one unrelated candidate in a million survives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb, exp, log2

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint64]

WORD = 64
MOST_KEY_BITS = 22
_MOST_MASKS = 4_000
_MOST_CHUNKS = 8  # of one word
_SAMPLE = 1 << 15
_SAMPLED_FROM = 4_096
_SAMPLED_BITS = 16


@dataclass(frozen=True, slots=True)
class Chunk:
    """Key bits shift..shift+bits of one word; near means `tolerance` in the key and
    `word_tolerance` in the whole word."""

    word: int
    shift: int
    bits: int
    tolerance: int
    word_tolerance: int

    def masks(self) -> NDArray[np.int64]:
        """Every difference of two keys within the tolerance: int64[k], ascending, 0 first."""
        weights = range(min(self.tolerance, self.bits) + 1)
        found = (ones for weight in weights for ones in combinations(range(self.bits), weight))
        return np.array(sorted(sum(1 << one for one in ones) for ones in found), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Costs:
    """Nanoseconds that an engine needs, as measured: to sort one code, and for each mask to pass
    a key, a code, a code with a partner, and a candidate."""

    code: float
    key: float
    probe: float
    partner: float
    candidate: float


# Of the compiled passes, measured on one core of an AMD EPYC with AVX-512; only ratios matter.
COMPILED = Costs(code=7.0, key=2.4, probe=0.5, partner=7.0, candidate=0.13)


def deal(
    left: int,
    right: int,
    words: int,
    radius: int,
    *,
    evenness: float,
    costs: Costs,
    itself: bool,
    most_bits: int = MOST_KEY_BITS,
) -> tuple[tuple[Chunk, ...], float]:
    """The cheapest chunks for `left` codes against `right`, and the seconds expected.

    `evenness` is what the function of that name says. All are compared with all where
    that is cheapest: a chunk of no bits is one bucket.
    """
    share, extra = divmod(radius + 1, words)
    chunks: list[Chunk] = []
    total = 0.0
    rate = _Rate(evenness, costs, itself, min(most_bits, MOST_KEY_BITS))
    plans = {
        t: _cheapest(left, right, t, rate) for t in {share - 1, share - (extra == 0)} if t >= 0
    }
    for word in range(words):
        tolerance = share - 1 + (word < extra)
        if tolerance < 0:
            continue
        spent, widths = plans[tolerance]
        total += spent
        shift = 0
        for bits, inner in widths:
            chunks.append(Chunk(word, shift, bits, inner, min(tolerance, WORD)))
            shift += bits
    return tuple(chunks), total * 1e-9


def evenness(codes: Codes) -> float:
    """How many bits' worth of spread one bit has, 0 to 1, by collisions in a sample.

    1 for evenly spread codes and for few codes. Where 80 % share a quarter of their bits it
    is about 0.8: keys must then be longer for buckets of the same size.
    """
    if len(codes) < _SAMPLED_FROM:
        return 1.0
    sample = codes[:: max(1, len(codes) // _SAMPLE)]
    n = len(sample)
    rates = []
    for word in range(codes.shape[1]):
        for shift in range(0, WORD, _SAMPLED_BITS):
            keys = (sample[:, word] >> np.uint64(shift)) & np.uint64((1 << _SAMPLED_BITS) - 1)
            counts = np.bincount(keys.astype(np.int64))
            rates.append(float((counts * (counts - 1)).sum()) / (n * (n - 1)))
    rate = max(sum(rates) / len(rates), 2.0**-_SAMPLED_BITS)
    return max(-log2(rate) / _SAMPLED_BITS, 0.0)


def shuffled(codes: Codes) -> Codes:
    """The codes with their bits moved, by blocks; distances stay. In numpy."""
    tables = shuffle_tables(codes.shape[1])
    out = np.zeros_like(codes)
    octets = np.ascontiguousarray(codes).astype("<u8", copy=False).view(np.uint8)
    for start in range(0, len(codes), _SAMPLE):
        block = octets[start : start + _SAMPLE]
        for at in range(block.shape[1]):
            out[start : start + _SAMPLE] |= tables[at, block[:, at]]
    return out


@lru_cache(maxsize=4)
def shuffle_tables(words: int) -> Codes:
    """uint64[8 words, 256, words]: where the bits of each byte of a code go.

    One fixed order, mixed so that bits which depend on each other (neighbours in a picture's
    spectrum) fall into different chunks.
    """
    bits = WORD * words
    place = np.argsort([_mixed(bit) for bit in range(bits)], kind="stable")
    moved = np.zeros((bits, words), dtype=np.uint64)
    for bit in range(bits):
        word, shift = divmod(int(place[bit]), WORD)
        moved[bit, word] = np.uint64(1 << shift)
    values = np.arange(256)
    tables = np.zeros((8 * words, 256, words), dtype=np.uint64)
    for byte in range(8 * words):
        for bit in range(8):
            tables[byte, (values >> bit) & 1 == 1] |= moved[8 * byte + bit]
    tables.flags.writeable = False  # shared by all callers
    return tables


def _mixed(number: int) -> int:
    """splitmix64 (Steele, Lea and Flood 2014): the same on every machine and in every version."""
    full = (1 << WORD) - 1
    z = (number + 1) * 0x9E3779B97F4A7C15 & full
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & full
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & full
    return z ^ (z >> 31)


@dataclass(frozen=True, slots=True)
class _Rate:
    """What one chunk costs."""

    even: float
    costs: Costs
    itself: bool
    most_bits: int

    def spent(self, left: int, right: int, bits: int, tolerance: int) -> float:
        """Nanoseconds for a chunk of so many key bits and that tolerance."""
        costs = self.costs
        bucket = right * 2.0 ** (-bits * self.even)
        each = costs.probe + costs.partner * (1 - exp(-bucket)) + costs.candidate * bucket
        masks = _balls(bits, tolerance) * (0.5 if self.itself else 1.0)
        sort = costs.code * (left if self.itself else left + right)
        return float(sort + masks * (costs.key * 2.0**bits + left * each))


def _cheapest(
    left: int, right: int, tolerance: int, rate: _Rate
) -> tuple[float, list[tuple[int, int]]]:
    """The expected nanoseconds, and (bits, tolerance) of each chunk of one word."""
    best: tuple[float, list[tuple[int, int]]] | None = None
    for count in range(1, min(tolerance + 1, _MOST_CHUNKS) + 1):
        share, extra = divmod(tolerance + 1, count)
        for more, less in _widths(count, extra, rate.most_bits):
            widths = [(more, share)] * extra + [(less, share - 1)] * (count - extra)
            if any(_balls(*one) > _MOST_MASKS for one in set(widths)):
                continue
            spent = sum(widths.count(one) * rate.spent(left, right, *one) for one in set(widths))
            if best is None or spent < best[0]:
                best = spent, widths
    if best is None:  # a chunk of no bits is always possible
        raise AssertionError(f"no chunks for {left} x {right} codes, tolerance {tolerance}")
    return best


def _widths(count: int, extra: int, most: int) -> Iterator[tuple[int, int]]:
    """Key bits of the chunks with the larger tolerance, and of the others."""
    for more in range(most + 1):
        for less in range(most + 1):
            if more * extra + less * (count - extra) <= WORD and (extra or not more):
                yield more, less


@lru_cache(maxsize=4096)
def _balls(bits: int, tolerance: int) -> int:
    return sum(comb(bits, weight) for weight in range(tolerance + 1))
