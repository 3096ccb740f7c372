"""From which code distance may a pair be accepted unseen, in this collection?

Collections differ a hundredfold: photographs of one garment rack lie nearer to each other than
any two holiday pictures. So the distances from pictures to their nearest *verified unrelated*
one set the threshold: their first percentile, lowered until so few false pairs are expected
among all n * (n - 1) / 2 that a person would not meet one.

The tail is fitted on the lowest tenth: the logarithm of the share of distances at or below d is
taken to fall in a straight line, as the lower tail of a sum of weakly dependent bits does over a
short stretch. It is an extrapolation; it is shown, never hidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

STRICT = 16  # bits of 256: nothing but recompressed, resized copies
LOOSEST = 31  # PDQ's own threshold for a match
ENOUGH = 200  # distances, so that the first percentile is more than one pair
MOST_FALSE = 0.5  # expected among all pairs
_TAIL = 0.1
_BITS = 256
_POINTS = 3  # a line through two of them proves nothing


@dataclass(frozen=True, slots=True)
class Thresholds:
    """`auto_accept`: bits of 256 up to which a pair needs no second look.

    `expected_false_pairs` among all pairs of n pictures at this threshold, None where there were
    too few distances to say. `samples` distances were used.
    """

    auto_accept: int
    expected_false_pairs: float | None
    samples: int


def calibrate(distances: Iterable[float], n: int) -> Thresholds:
    """From each picture's distance to its nearest verified unrelated one, for n pictures.

    Fewer than 200 distances, or a tail that does not fall, give the strict default (16) without
    an expectation. Raises ValueError on a negative or not finite distance and on a negative n.
    """
    given = np.sort(np.fromiter(distances, dtype=np.float64))
    if n < 0 or (given.size and not (np.isfinite(given).all() and given[0] >= 0)):
        raise ValueError("distances must be finite and not negative, and n not negative")
    if given.size < ENOUGH:
        return Thresholds(STRICT, None, int(given.size))
    line = _tail(given, n)
    if line is None:
        return Thresholds(min(STRICT, _below(given)), None, int(given.size))
    slope, at_zero = line
    pairs = n * (n - 1) / 2
    first = int(min(LOOSEST, _below(given), np.floor(np.quantile(given, 0.01))))
    accept = max(0, first)
    while accept > 0 and pairs * np.exp(slope * accept + at_zero) > MOST_FALSE:
        accept -= 1
    expected = float(min(pairs, pairs * np.exp(slope * accept + at_zero)))
    return Thresholds(accept, expected, int(given.size))


def _below(ordered: np.ndarray) -> int:
    """The largest distance at which none of the unrelated was seen."""
    return max(0, int(np.ceil(ordered[0])) - 1)


def _tail(ordered: np.ndarray, n: int) -> tuple[float, float] | None:
    """Slope and intercept of log(share of unrelated *pairs* at or below d) over the lowest tenth.

    A distance is the nearest of about n - 1, so that the share of pictures is brought down to
    the share of pairs.
    """
    lowest = ordered[: max(20, int(_TAIL * ordered.size))]
    places = np.unique(lowest)
    share = np.searchsorted(ordered, places, side="right") / ordered.size
    if len(places) < _POINTS or places[-1] > _BITS:
        return None
    per_pair = -np.log1p(-np.minimum(share, 0.999)) / max(1, n - 1)
    slope, at_zero = np.polyfit(places, np.log(per_pair), 1)
    return (float(slope), float(at_zero)) if slope > 0 else None
