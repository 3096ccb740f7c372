"""Is every pair worth a look proposed, and no collection allowed to explode?"""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from picdeed.imaging.candidates import EQUAL_CODES, candidate_pairs

codes = st.lists(
    st.tuples(
        st.sampled_from([0, 0xFFFF, 0x3FF, 2**64 - 1, 0x7FF]),
        st.sampled_from([1, 0xFF01, 0x1FF, 2**63]),
    ),
    max_size=EQUAL_CODES,
)


@given(codes)
def test_all_pairs_within_either_radius_are_proposed(drawn):
    wanted = [
        (i, j)
        for i, j in combinations(range(len(drawn)), 2)
        if (drawn[i][0] ^ drawn[j][0]).bit_count() <= 10
        or (drawn[i][1] ^ drawn[j][1]).bit_count() <= 8
    ]
    assert candidate_pairs([p for p, _ in drawn], [d for _, d in drawn]) == wanted


def test_thousands_of_blank_pictures_stay_few_pairs():
    n = 5_000
    found = candidate_pairs([0] * n, [0] * (n - 1) + [1])
    assert len(found) < 3 * n
    assert {(0, other) for other in range(1, n)} <= set(found)
    assert (5, 6) in found


def test_nothing_and_one_picture():
    assert candidate_pairs([], []) == []
    assert candidate_pairs([5], [6]) == []
