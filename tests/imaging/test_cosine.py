"""Are the nearest vectors found, all of them, the same ones for one new picture as for all?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.imaging import cosine
from picdeed.imaging.cosine import TOLERANCE, UNIT, alike, in_steps


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def families(seed, n, d, spread=0.4):
    """Vectors around a few directions, some of them equal."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(max(1, n // 5), d))
    found = middles[rng.integers(len(middles), size=n)] + spread * rng.normal(size=(n, d))
    if n > 3:
        found[n // 2] = found[0]
    return in_steps(unit(found))


def brute(vectors, threshold, most):
    """Pair by pair in whole numbers, each row's nearest by product and then by place."""
    whole = vectors.astype(np.int64)
    found, cut = set(), 0
    least = (threshold - TOLERANCE) * UNIT**2
    for i, one in enumerate(whole):
        products = [(-int(one @ other), j) for j, other in enumerate(whole) if j != i]
        near = sorted((p, j) for p, j in products if -p >= least)
        cut += len(near) > most
        found |= {(min(i, j), max(i, j), -p) for p, j in near[:most]}
    return sorted(found), cut


def told(found):
    products = np.rint(found.cosine * UNIT**2).astype(int)
    return [(i, j, p) for (i, j), p in zip(found.pairs.tolist(), products.tolist(), strict=True)]


@pytest.fixture(params=[3, 7, 2048])
def rows(request, monkeypatch):
    monkeypatch.setattr(cosine, "_ROWS", request.param)


sizes = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(0, 40),
    "d": st.integers(1, 48),
    "threshold": st.floats(-1, 1),
    "most": st.integers(1, 6),
}


@pytest.mark.usefixtures("rows")
class TestAgainstBrute:
    @given(**sizes)
    def test_all_at_once(self, seed, n, d, threshold, most):
        vectors = families(seed, n, d)
        found = alike(vectors, threshold, most=most)
        assert (told(found), found.cut) == brute(vectors, threshold, most)

    @given(**sizes)
    def test_what_is_new_is_the_same_restricted(self, seed, n, d, threshold, most):
        vectors = families(seed, n, d)
        new = np.random.default_rng(seed).random(n) < 0.3
        found = alike(vectors, threshold, most=most, new=new)
        wanted = [one for one in brute(vectors, threshold, most)[0] if new[one[0]] or new[one[1]]]
        assert told(found) == wanted

    def test_arriving_in_parts_proposes_all_that_one_search_does(self):
        vectors = families(5, 60, 16)
        whole = set(map(tuple, alike(vectors, 0.5, most=4).pairs.tolist()))
        parts = set(map(tuple, alike(vectors[:40], 0.5, most=4).pairs.tolist()))
        parts |= set(
            map(tuple, alike(vectors, 0.5, most=4, new=np.arange(60) >= 40).pairs.tolist())
        )
        assert whole <= parts  # who was near before others came was looked at then


def test_a_picture_is_as_near_to_its_copy_as_can_be_told():
    vectors = in_steps(unit(np.random.default_rng(0).normal(size=(50, 512))))
    found = alike(np.concatenate((vectors, vectors)), 1.0)
    assert found.pairs.tolist() == [[i, i + 50] for i in range(50)]


def test_sums_stay_whole_numbers_in_float32_at_the_longest_vector():
    rng = np.random.default_rng(1)
    vectors = in_steps(unit(rng.choice([-1.0, 1.0], size=(4, 4096)) * rng.random((4, 4096))))
    vectors[:2] = np.rint(UNIT / 64 + 0.49)  # all rounded up: the longest a vector gets
    exact = vectors.astype(np.int64) @ vectors.astype(np.int64).T
    assert exact.max() < 2**24
    product = cosine._product(vectors, np.arange(4), np.arange(4))
    assert np.array_equal(product.astype(np.int64), exact)


def test_rounding_moves_a_cosine_by_less_than_the_tolerance():
    vectors = unit(np.random.default_rng(2).normal(size=(200, 384)))
    steps = in_steps(vectors).astype(np.float64) / UNIT
    assert np.abs(steps @ steps.T - vectors @ vectors.T).max() < TOLERANCE


def test_ten_thousand_equal_vectors_are_no_quadratic_list():
    vectors = np.repeat(in_steps(unit(np.ones((1, 8)))), 10_000, axis=0)
    found = alike(vectors, 0.9, most=5)
    assert found.cut == 10_000
    assert len(found.pairs) <= 5 * 10_000


@pytest.mark.parametrize(
    "vectors", [np.full((1, 4), 2.0), np.zeros((1, 4)), np.full((1, 4), np.nan)]
)
def test_what_is_no_vector_of_length_one_is_refused(vectors):
    with pytest.raises(ValueError, match="length one"):
        in_steps(vectors)
