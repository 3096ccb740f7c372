"""Do copies share one picture's weight, and is the effective number the one that is written down?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.diffusion.weights import Effective, effective, weights

PICTURES = [f"img_{n}" for n in range(10)]


def test_copies_share_the_weight_of_one_picture():
    found = weights(PICTURES, [PICTURES[:4], PICTURES[4:6], ["img_9", "img_elsewhere"]])
    assert list(found) == PICTURES
    assert [found[one] for one in PICTURES] == [0.25] * 4 + [0.5] * 2 + [1.0] * 4


@pytest.mark.parametrize(
    ("copies", "kin", "said"),
    [
        ([], [], Effective(10, 10.0)),
        # Copies as one picture: as many as there are different ones.
        ([range(4)], [range(4)], Effective(7, 7.0)),
        # Each copy for itself: 100 / (16 + 6).
        ([], [range(4)], Effective(7, 4.55)),
        # Two copies and their recolouring are one group that weighs 2: 81 / (4 + 7).
        ([range(2)], [range(3)], Effective(8, 7.36)),
        ([range(10)], [range(10)], Effective(1, 1.0)),
        ([], [range(10)], Effective(1, 1.0)),
    ],
)
def test_the_effective_number(copies, kin, said):
    copies, kin = ([[PICTURES[at] for at in group] for group in groups] for groups in (copies, kin))
    assert effective(weights(PICTURES, copies), kin) == said


def test_of_nobody_there_are_none():
    assert effective({}) == Effective(0, 0.0)
    assert effective({"img_0": 1.0}, [["img_1", "img_2"]]) == Effective(1, 1.0)


@given(st.dictionaries(st.integers(0, 30), st.floats(0.01, 1), min_size=1), st.data())
def test_it_is_never_more_than_there_are_different_ones_and_never_less_than_one(weight, data):
    size = data.draw(st.integers(0, len(weight)))
    found = effective(weight, [list(weight)[:size]])
    assert found.distinct == len(weight) - max(0, size - 1)
    assert 1 <= found.pictures <= found.distinct + 0.005
