"""Is the join exact, for every shape of input that a registry can hold?"""

from __future__ import annotations

import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picdeed.imaging.join import Engine, available
from picdeed.imaging.neighbours import (
    components,
    distances,
    first_equal,
    pairs_between,
    pairs_within,
)


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


@pytest.fixture(params=available())
def engine(request) -> Engine:
    return request.param


@given(code_sets(), st.sampled_from(available()))
@settings(max_examples=150, deadline=None)
def test_small_sets_equal_brute_force(drawn, engine):
    codes, radius = drawn
    assert as_set(pairs_within(codes, radius, engine=engine)) == brute(codes, radius)


@given(code_sets(), st.integers(0, 60), st.sampled_from(available()))
@settings(max_examples=100, deadline=None)
def test_two_sets_equal_brute_force(drawn, cut, engine):
    codes, radius = drawn
    queries, codes = codes[:cut], codes[cut:]
    found = [tuple(row) for row in pairs_between(queries, codes, radius, engine=engine).tolist()]
    assert found == sorted(set(found))
    assert set(found) == {
        (i, j)
        for i in range(len(queries))
        for j in range(len(codes))
        if np.bitwise_count(queries[i] ^ codes[j]).sum() <= radius
        and (queries[:i] != queries[i]).any(axis=1).all()
        and (codes[:j] != codes[j]).any(axis=1).all()
    }


@pytest.mark.parametrize("radius", [4, 31, 49])
@pytest.mark.parametrize("kind", ["one word shared", "few words", "few bits set", "two halves"])
def test_skewed_codes_stay_exact(kind, radius, engine):
    rng = np.random.default_rng(radius)
    n = 1_500
    codes = rng.integers(0, 2**64, (n, 4), dtype=np.uint64)
    if kind == "one word shared":
        codes[: 4 * n // 5, 0] = 12345
    elif kind == "few words":
        codes = rng.choice(rng.integers(0, 2**64, 12, dtype=np.uint64), (n, 4))
    elif kind == "few bits set":
        codes = np.zeros((n, 4), dtype=np.uint64)
        for _ in range(20):
            bit = rng.integers(0, 256, n)
            codes[np.arange(n), bit // 64] |= np.uint64(1) << (bit % 64).astype(np.uint64)
    else:
        codes[: n // 2] = 0
        codes[n // 2 :, 1:] = 2**64 - 1
    first = first_equal(codes)
    heads = np.flatnonzero(first == np.arange(n))
    left, right = np.triu_indices(len(heads), 1)
    near = distances(codes[heads], left, right) <= radius
    wanted = {*zip(heads[left[near]].tolist(), heads[right[near]].tolist(), strict=True)}
    wanted |= {(int(first[i]), i) for i in range(n) if first[i] != i}
    assert as_set(pairs_within(codes, radius, engine=engine)) == wanted


def test_most_codes_sharing_a_word_is_no_quadratic_work(engine):
    """80 % with one word in common, 32 million pairs of them: a bucket of all would take minutes."""
    rng = np.random.default_rng(8)
    n = 10_000 if engine is Engine.NUMPY else 60_000
    codes = rng.integers(0, 2**64, (n, 4), dtype=np.uint64)
    codes[: 4 * n // 5, 0] = 7
    codes[1] = codes[0]
    codes[2] = codes[0] ^ np.uint64(1)
    began = time.process_time()
    pairs = pairs_within(codes, 31, engine=engine)
    assert time.process_time() - began < 20
    assert {(0, 1), (0, 2)} <= as_set(pairs)
    assert len(pairs) < 10


def test_the_number_of_threads_does_not_matter(engine):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2**64, (1_500, 4), dtype=np.uint64)
    codes[700:] = codes[:800] ^ np.uint64(5)
    once = pairs_within(codes, 31, threads=1, engine=engine)
    assert len(once) > 500
    for threads in (2, 3, 40):
        assert np.array_equal(pairs_within(codes, 31, threads=threads, engine=engine), once)


def test_too_many_pairs_are_refused_instead_of_filling_the_memory(engine):
    codes = np.arange(2_000, dtype=np.uint64).reshape(-1, 1)
    with pytest.raises(OverflowError, match="more than 1,000 pairs within 11 bits"):
        pairs_within(codes, 11, engine=engine, most=1_000)


@pytest.mark.parametrize(("words", "radius"), [(1, 1), (1, 4), (1, 10), (4, 8), (4, 31)])
def test_the_bucketed_join_misses_and_invents_nothing(words, radius, engine):
    rng = np.random.default_rng(words * 100 + radius)
    n = 2_500
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
    assert np.array_equal(pairs_within(codes, radius, engine=engine), wanted)
    assert len(wanted) > n // 10


@pytest.mark.parametrize("value", [0, 7, 2**64 - 1])
def test_one_code_many_times_is_a_star_and_no_explosion(value, engine):
    codes = np.full((100_000, 4), value, dtype=np.uint64)
    pairs = pairs_within(codes, 31, engine=engine)
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
    with pytest.raises(ValueError, match="words"):
        pairs_between(np.zeros((3, 1), dtype=np.uint64), np.zeros((3, 4), dtype=np.uint64), 1)


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
