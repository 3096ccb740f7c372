"""Does a collection's own null distribution set the threshold, and too few samples the strict one?"""

from __future__ import annotations

import numpy as np
import pytest

from picdeed.imaging.calibrate import LOOSEST, MOST_FALSE, STRICT, calibrate


def nearest(mean: float, spread: float, n: int = 3000) -> np.ndarray:
    return np.random.default_rng(1).normal(mean, spread, n).round().clip(0)


def test_photographs_far_from_each_other_get_the_loosest_threshold():
    found = calibrate(nearest(100, 6), 5_000)
    assert found.auto_accept == LOOSEST
    assert found.expected_false_pairs < MOST_FALSE


def test_a_catalogue_of_alike_things_gets_a_lower_one():
    tight = calibrate(nearest(45, 8), 100_000)
    assert tight.auto_accept < LOOSEST
    assert tight.expected_false_pairs <= MOST_FALSE or tight.auto_accept == 0


def test_more_pictures_never_raise_the_threshold():
    given = nearest(50, 9)
    limits = [calibrate(given, n).auto_accept for n in (3_000, 100_000, 10_000_000)]
    assert limits == sorted(limits, reverse=True)


def test_what_is_expected_grows_with_the_bits_and_with_the_pictures():
    found = calibrate(nearest(60, 9), 5_000)
    assert 0 < found.expected(20) < found.expected(31) < found.expected(49)
    assert found.expected(found.auto_accept) == found.expected_false_pairs
    assert calibrate(nearest(60, 9), 50_000).expected(31) > found.expected(31)
    assert calibrate([], 10).expected(31) is None


def test_the_nearest_of_few_says_more_than_the_nearest_of_many():
    """100 bits as the nearest of 50 others is rarer among pairs than as the nearest of 5,000."""
    of_few, of_many = (calibrate(nearest(60, 9), 5_001, among) for among in (50, 5_000))
    assert of_few.expected(31) > 50 * of_many.expected(31)


def test_never_above_a_distance_at_which_strangers_were_seen():
    assert calibrate([*nearest(90, 5), 7.0], 3_001).auto_accept < 7


def test_too_few_samples_give_the_strict_default_and_no_expectation():
    for few in ([], [80.0], nearest(90, 5, 199)):
        found = calibrate(few, 1_000)
        assert (found.auto_accept, found.expected_false_pairs) == (STRICT, None)


def test_a_distribution_without_a_tail_gives_the_strict_default():
    found = calibrate([60.0] * 500, 500)
    assert (found.auto_accept, found.expected_false_pairs) == (STRICT, None)
    assert calibrate([9.0] * 500, 500).auto_accept == 8


@pytest.mark.parametrize(("given", "n"), [([-1.0], 5), ([float("nan")], 5), ([1.0], -1)])
def test_impossible_numbers_are_refused(given, n):
    with pytest.raises(ValueError, match="finite"):
        calibrate(given, n)
