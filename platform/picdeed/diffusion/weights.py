"""How much does each picture weigh in a run, and how many different ones is that worth?

Copies that a run trains on share the weight of one picture, unless its recipe counts each file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effective:
    """How many different pictures there are, and how many, shown alike, they are worth.

    What is, or may be, one picture counts as one in both.
    """

    distinct: int
    pictures: float


def weights(pictures: Collection[str], copies: Sequence[Sequence[str]] = ()) -> dict[str, float]:
    """Each picture's share of what one picture weighs: 1 / size of its cluster of copies."""
    found = dict.fromkeys(pictures, 1.0)
    for group in copies:
        inside = [one for one in set(group) if one in found]
        found.update((one, 1 / len(inside)) for one in inside)
    return found


def effective(weight: Mapping[str, float], kin: Sequence[Sequence[str]] = ()) -> Effective:
    """The effective number of pictures that are drawn by these weights.

    (sum of W)^2 / (sum of W^2) over the groups that are, or may be, one picture, W being all the
    weight of one group: Kish's effective sample size (L. Kish, "Weighting for unequal P_i", Journal
    of Official Statistics 8, 1992) with a different picture as the unit, which is also Hill's
    number of order 2 (M. O. Hill, Ecology 54, 1973). It is the number of groups when all weigh
    alike, and less when some weigh more.
    """
    left = dict(weight)
    sums = [sum(left.pop(one) for one in set(group) if one in left) for group in kin]
    sums = [*(total for total in sums if total), *left.values()]
    if not sums:
        return Effective(0, 0.0)
    squares = sum(total * total for total in sums)
    return Effective(len(sums), round(sum(sums) ** 2 / squares, 2))
