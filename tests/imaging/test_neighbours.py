"""Is the join exact, for every shape of input that a registry can hold?"""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picdeed.imaging.neighbours import _plan, components, distances, pairs_within


def brute(codes: np.ndarray, radius: int) -> set[tuple[int, int]]:
    """The contract read aloud, without any cleverness."""
    values = [tuple(row) for row in codes.tolist()]
    found = set()
    for j, value in enumerate(values):
        first = values.index(value)
        if first < j:
            found.add((first, j))
            continue
        for i in range(j):
            apart = sum((a ^ b).bit_count() for a, b in zip(values[i], value, strict=True))
            if values.index(values[i]) == i and apart <= radius:
                found.add((i, j))
    return found


def as_set(pairs: np.ndarray) -> set[tuple[int, int]]:
    assert pairs.dtype == np.int64
    assert pairs.ndim == 2
    assert pairs.shape[1] == 2
    rows = [tuple(row) for row in pairs.tolist()]
    assert rows == sorted(set(rows))
    assert all(i < j for i, j in rows)
    return set(rows)


@st.composite
def code_sets(draw):
    """Few centres, many equal codes, a few flipped bits: what copies of pictures look like."""
    words = draw(st.sampled_from([1, 4]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    centres = rng.integers(0, 2**64, (draw(st.integers(1, 4)), words), dtype=np.uint64)
    n = draw(st.integers(0, 60))
    codes = centres[rng.integers(0, len(centres), n)]
    for row in codes[: draw(st.integers(0, n))]:
        for bit in rng.integers(0, 64 * words, rng.integers(0, 24)):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return codes.reshape(n, words), draw(st.integers(0, 64 * words + 1))


@given(code_sets())
@settings(max_examples=150, deadline=None)
def test_small_sets_equal_brute_force(drawn):
    codes, radius = drawn
    assert as_set(pairs_within(codes, radius)) == brute(codes, radius)


@pytest.mark.parametrize(("words", "radius"), [(1, 1), (1, 4), (1, 10), (4, 8), (4, 31)])
def test_the_bucketed_join_misses_and_invents_nothing(words, radius):
    rng = np.random.default_rng(words * 100 + radius)
    n = 2_500
    assert _plan(n, 64 * words, radius), "this size must go through the buckets"
    codes = rng.integers(0, 2**64, (n, words), dtype=np.uint64)
    for near in range(1, n, 3):  # a copy of the code before, with up to radius + 2 flips
        codes[near] = codes[near - 1]
        for bit in rng.choice(64 * words, rng.integers(0, radius + 3), replace=False):
            codes[near, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    codes[5::200] = codes[5]
    left, right = np.triu_indices(n, 1)
    _, first = np.unique(codes, axis=0, return_index=True)
    is_first = np.zeros(n, dtype=bool)
    is_first[first] = True
    apart = distances(codes, left, right)
    head = is_first[left] & is_first[right] & (apart <= radius)
    star = is_first[left] & ~is_first[right] & (apart == 0)
    wanted = np.stack((left, right), axis=1)[head | star]
    assert np.array_equal(pairs_within(codes, radius), wanted)
    assert len(wanted) > n // 10


def test_one_code_many_times_is_a_star_and_no_explosion():
    codes = np.full((100_000, 4), 7, dtype=np.uint64)
    pairs = pairs_within(codes, 31)
    assert np.array_equal(pairs[:, 1], np.arange(1, 100_000))
    assert not pairs[:, 0].any()


@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_pair(n, words):
    assert pairs_within(np.zeros((n, words), dtype=np.uint64), 10).shape == (0, 2)


def test_what_is_no_set_of_codes_is_refused():
    with pytest.raises(ValueError, match="uint64"):
        pairs_within(np.zeros((3, 1), dtype=np.int64), 1)
    with pytest.raises(ValueError, match="uint64"):
        pairs_within(np.zeros(3, dtype=np.uint64), 1)
    with pytest.raises(ValueError, match="negative"):
        pairs_within(np.zeros((3, 1), dtype=np.uint64), -1)


@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=60),
        )
    )
)
def test_components_are_those_of_networkx(drawn):
    n, edges = drawn
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges)
    labels = components(n, np.array(edges, dtype=np.int64).reshape(-1, 2))
    assert labels.dtype == np.int64
    assert labels.shape == (n,)
    ours = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}
    assert ours == {frozenset(part) for part in nx.connected_components(graph)}
    seen = list(dict.fromkeys(labels.tolist()))
    assert seen == list(range(len(seen)))  # numbered in order of first appearance


def test_a_long_chain_is_one_component_and_strangers_are_refused():
    n = 5_000
    rng = np.random.default_rng(3)
    shuffled = rng.permutation(n)
    chain = np.stack((shuffled[:-1], shuffled[1:]), axis=1)
    assert not components(n, chain).any()
    assert components(0, np.zeros((0, 2), dtype=np.int64)).shape == (0,)
    with pytest.raises(ValueError, match="outside"):
        components(3, np.array([[0, 3]]))
