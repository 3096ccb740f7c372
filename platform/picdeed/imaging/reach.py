"""How many bits apart may two codes be and still be compared, among so many pictures?

What it costs decides, before false candidates do: a join's time grows with the square of the
pictures and steeply with the radius, and turned pictures are asked six times over. So the radius
of turned ones shrinks first, from 49 bits to 31, and only then that of upright ones. Up to 300,000
pictures everything within 49 bits is compared, up to a million everything upright:

    pictures      upright  turned  core-seconds  false candidates expected
        100,000      49      49             4            9,000
        300,000      49      49            25           80,000
        500,000      49      40            25           70,000
        700,000      49      35            25           92,000
      1,000,000      49      31            28          160,000
      2,000,000      31      31            42          140,000
     10,000,000      31      31           490        3,500,000

Core-seconds are those that `dealing` expects of compiled passes; the radius is the same where
nothing is compiled, so that a collection's answer does not depend on who asks. False candidates
are those of catalogue shots, which lie nearest to each other (photographs have hundreds of times
fewer): of 7.1 million pairs of 3,781 product shots 13 were within 60 bits, 79 within 70, 483
within 80, six times fewer for every ten bits. Pixels are compared for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from picdeed.imaging.dealing import COMPILED, deal

# Measured on photographs and product shots: within 31 bits no false pair, within 49 none of 81
# million, within 80 seven in a million, which only short lists can afford.
SURE_RADIUS = 31
RADIUS = 49
LISTED_RADIUS = 80
RADII = (49, 45, 40, 35, 31)  # those that are tried

_SPENT = 30.0  # core-seconds
_TURNS = 6  # asked beside the upright one
_WORDS = 4
_SEEN_AT, _SEEN = 60, 13 / 7_145_090  # share of pairs of product shots within so many bits
_FALL = 6.0 ** (-1 / 10)  # for each bit less


@dataclass(frozen=True, slots=True)
class Reach:
    """Bits of 256 within which upright codes, and turned against upright ones, are near."""

    upright: int
    turned: int


@lru_cache(maxsize=64)
def reach(pictures: int) -> Reach:
    """The widest that so many pictures can afford; never below 31 bits."""
    tried = [Reach(RADIUS, turned) for turned in RADII]
    tried += [Reach(upright, SURE_RADIUS) for upright in RADII[1:]]
    fitting = (one for one in tried if seconds(pictures, one) <= _SPENT)
    return next(fitting, tried[-1])


def seconds(pictures: int, within: Reach) -> float:
    """Core-seconds that the joins of so many pictures are expected to take, compiled."""
    n = max(1, pictures)
    upright = deal(n, n, _WORDS, within.upright, evenness=1.0, costs=COMPILED, itself=True)
    turned = deal(_TURNS * n, n, _WORDS, within.turned, evenness=1.0, costs=COMPILED, itself=False)
    return upright[1] + turned[1]


def false_candidates(pictures: int, within: Reach) -> float:
    """Pairs of strangers to expect among so many pictures of the kind that lies nearest."""
    pairs = pictures * (pictures - 1) / 2

    def share(radius: int) -> float:
        return _SEEN * _FALL ** (_SEEN_AT - radius)

    return pairs * (share(within.upright) + _TURNS * share(within.turned))
