"""Are many rows of one code put together, with the best picture to stand for them?"""

from __future__ import annotations

import numpy as np

from picdeed.imaging.alike import Marks
from picdeed.imaging.coded import EQUAL_CODES, Coded, Crowds
from picdeed.imaging.codes import Turn


def coded(n: int, shapes: np.ndarray | None = None) -> Coded:
    """`n` rows of one code, then two of another, then one alone; two rows of the first picture."""
    codes = np.zeros((n + 3, 8, 4), dtype=np.uint64)
    codes[n:] = 5
    codes[-1] = 9
    owner = np.array([0, *range(n + 2)])
    marks = None
    if shapes is not None:
        marks = Marks(
            np.zeros((n + 2, 192), np.uint8), np.zeros((n + 2, 2), np.uint64), shapes,
            np.arange(n + 2, dtype=np.uint64)[::-1],
        )  # fmt: skip
    return Coded(n + 2, owner, codes, np.arange(n + 3) == 0, marks)


def test_few_rows_all_take_part():
    crowds = Crowds.of(coded(EQUAL_CODES))
    assert not crowds.groups
    assert crowds.kept.tolist() == list(range(EQUAL_CODES + 3))


def test_of_more_the_first_stands_for_them_without_marks():
    n = EQUAL_CODES + 1
    crowds = Crowds.of(coded(n))
    assert crowds.kept.tolist() == [0, n, n + 1, n + 2]
    assert crowds.groups[0].tolist() == list(range(n))


def test_with_marks_the_largest_stands_for_them():
    n = EQUAL_CODES + 1
    shapes = np.tile([[10, 10, 100]], (n + 2, 1))
    shapes[7] = 20, 20, 1
    shapes[3] = 20, 20, 2
    crowds = Crowds.of(coded(n, shapes))
    (group,) = crowds.groups.values()
    assert group[:2].tolist() == [4, 8]  # pictures 3 and 7: the second row on is one behind
    assert group[2] == n - 1  # of equals the lowest tie
    assert crowds.kept.tolist() == [4, n, n + 1, n + 2]


def test_who_is_touched_by_new_rows():
    n = EQUAL_CODES + 1
    crowds = Crowds.of(coded(n))
    new = np.zeros(n + 3, dtype=bool)
    new[n - 1] = True
    assert crowds.touched(new).tolist() == [0]
    new[n + 1] = True
    assert crowds.touched(new).tolist() == [0, n + 1]


def test_rows_are_stacked_turn_by_turn():
    rng = np.random.default_rng(1)
    turned = rng.integers(0, 2**64, (4, 8, 4), dtype=np.uint64)
    one = Coded(4, np.arange(4), turned, np.zeros(4, dtype=bool))
    stacked = one.stacked(np.array([3, 1]), (Turn.ROTATE_90, Turn.NONE))
    assert np.array_equal(stacked, turned[[3, 1, 3, 1], [5, 5, 0, 0]])
    assert one.stacked(np.array([3]), ()).shape == (0, 4)
