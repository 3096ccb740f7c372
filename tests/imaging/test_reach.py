"""Does the radius shrink as pictures grow, only as far as it must, and never below what is sure?"""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from picdeed.imaging import reach as made
from picdeed.imaging.reach import RADIUS, SURE_RADIUS, Reach, false_candidates, reach, seconds

SIZES = (0, 1, 10_000, 300_000, 500_000, 700_000, 1_000_000, 1_500_000, 2_000_000, 10_000_000)


def test_it_only_ever_shrinks_and_turned_ones_first():
    found = [reach(n) for n in SIZES]
    for before, after in pairwise(found):
        assert (after.upright, after.turned) <= (before.upright, before.turned)
    for one in found:
        assert one.upright == RADIUS or one.turned == SURE_RADIUS
        assert one.turned >= SURE_RADIUS
    assert found[0] == Reach(RADIUS, RADIUS)
    assert found[-1] == Reach(SURE_RADIUS, SURE_RADIUS)


@pytest.mark.parametrize("n", [300_000, 500_000, 1_000_000, 1_500_000])
def test_it_is_the_widest_that_can_be_afforded(n):
    one = reach(n)
    assert seconds(n, one) <= made._SPENT
    if one.turned < RADIUS:
        wider = Reach(one.upright, next(r for r in made.RADII[::-1] if r > one.turned))
        assert seconds(n, wider) > made._SPENT


def test_the_table_says_what_is_so():
    told = re.findall(r"^ +([\d,]+) +(\d\d) +(\d\d) +(\d+) +([\d,]+)$", made.__doc__, re.MULTILINE)
    assert len(told) == 7
    for row in told:
        n, upright, turned, core_seconds, false = (int(cell.replace(",", "")) for cell in row)
        within = reach(n)
        assert within == Reach(upright, turned)
        assert seconds(n, within) == pytest.approx(core_seconds, rel=0.15, abs=1)
        assert false_candidates(n, within) == pytest.approx(false, rel=0.05)


def test_only_the_answer_of_a_collection_counts_not_who_asks(monkeypatch):
    monkeypatch.setattr("picdeed.imaging.join.available", lambda: ())
    reach.cache_clear()
    assert reach(1_000_000) == Reach(49, 31)
