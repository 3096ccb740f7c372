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
from dataclasses import dataclass, replace

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
    """`auto_accept`: bits of 256 up to which codes alone would join no strangers.

    `expected_false_pairs` among all pairs of n pictures at this threshold, None where there were
    too few distances to say. `samples` distances were used; `line` is the fitted tail.
    """

    auto_accept: int
    expected_false_pairs: float | None
    samples: int
    pairs: float = 0.0
    line: tuple[float, float] | None = None

    def expected(self, bits: int) -> float | None:
        """Pairs of strangers within so many bits; None where nothing is known of the tail."""
        if self.line is None:
            return None
        slope, at_zero = self.line
        return float(min(self.pairs, self.pairs * np.exp(slope * bits + at_zero)))


def calibrate(distances: Iterable[float], n: int, among: int | None = None) -> Thresholds:
    """From each picture's distance to its nearest verified unrelated one, for n pictures.

    `among` is how many others each was the nearest of; n - 1 unless told. Fewer than 200
    distances, or a tail that does not fall, give the strict default (16) without an expectation.
    Raises ValueError on a negative or not finite distance and on a negative n.
    """
    given = np.sort(np.fromiter(distances, dtype=np.float64))
    if n < 0 or (given.size and not (np.isfinite(given).all() and given[0] >= 0)):
        raise ValueError("distances must be finite and not negative, and n not negative")
    if given.size < ENOUGH:
        return Thresholds(STRICT, None, int(given.size))
    line = _tail(given, n - 1 if among is None else among)
    if line is None:
        return Thresholds(min(STRICT, _below(given)), None, int(given.size))
    fitted = Thresholds(0, None, int(given.size), n * (n - 1) / 2, line)
    accept = int(min(LOOSEST, _below(given), np.floor(np.quantile(given, 0.01))))
    while accept > 0 and (fitted.expected(accept) or 0.0) > MOST_FALSE:
        accept -= 1
    accept = max(0, accept)
    return replace(fitted, auto_accept=accept, expected_false_pairs=fitted.expected(accept))


def _below(ordered: np.ndarray) -> int:
    """The largest distance at which none of the unrelated was seen."""
    return max(0, int(np.ceil(ordered[0])) - 1)


def _tail(ordered: np.ndarray, among: int) -> tuple[float, float] | None:
    """Slope and intercept of log(share of unrelated *pairs* at or below d) over the lowest tenth.

    A distance is the nearest of so many, so that the share of pictures is brought down to
    the share of pairs.
    """
    lowest = ordered[: max(20, int(_TAIL * ordered.size))]
    places = np.unique(lowest)
    share = np.searchsorted(ordered, places, side="right") / ordered.size
    if len(places) < _POINTS or places[-1] > _BITS:
        return None
    per_pair = -np.log1p(-np.minimum(share, 0.999)) / max(1, among)
    slope, at_zero = np.polyfit(places, np.log(per_pair), 1)
    return (float(slope), float(at_zero)) if slope > 0 else None
