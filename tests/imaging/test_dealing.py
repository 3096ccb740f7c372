"""Do the chunks cover the radius, whatever the radius, and do shuffled bits keep distances?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.imaging.dealing import Costs, deal, evenness, shuffle_tables, shuffled

COSTS = Costs(code=7.0, key=2.4, probe=0.5, partner=7.0, candidate=0.13)


@given(
    st.sampled_from([1, 2, 100, 50_000, 10_000_000]),
    st.sampled_from([1, 4]),
    st.integers(0, 260),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.booleans(),
)
def test_tolerances_add_up_to_the_radius(n, words, radius, even, itself):
    chunks, seconds = deal(n, n, words, radius, evenness=even, costs=COSTS, itself=itself)
    assert seconds >= 0
    by_word = {c.word: [d for d in chunks if d.word == c.word] for c in chunks}
    whole = {word: (radius + 1) // words - 1 + (word < (radius + 1) % words) for word in by_word}
    assert sum(tolerance + 1 for tolerance in whole.values()) == radius + 1
    for word, some in by_word.items():
        assert sum(c.tolerance + 1 for c in some) == whole[word] + 1
        assert {c.word_tolerance for c in some} == {min(whole[word], 64)}
        bits = [bit for c in some for bit in range(c.shift, c.shift + c.bits)]
        assert len(bits) == len(set(bits))
        assert max(bits, default=0) < 64


def test_masks_are_the_keys_within_the_tolerance():
    for chunk in deal(300_000, 300_000, 4, 49, evenness=1.0, costs=COSTS, itself=True)[0]:
        keys = np.arange(1 << chunk.bits)
        assert np.array_equal(chunk.masks(), keys[np.bitwise_count(keys) <= chunk.tolerance])


@pytest.mark.parametrize("words", [1, 4])
def test_shuffling_moves_every_bit_to_a_place_of_its_own(words):
    ones = np.zeros((64 * words, words), dtype=np.uint64)
    for bit in range(64 * words):
        ones[bit, bit // 64] = np.uint64(1) << np.uint64(bit % 64)
    moved = shuffled(ones)
    assert (np.bitwise_count(moved).sum(axis=1) == 1).all()
    assert len(np.unique(moved, axis=0)) == 64 * words
    assert (moved != ones).any()
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 2**64, (200, words), dtype=np.uint64)
    before = np.bitwise_count(codes[:100] ^ codes[100:]).sum(axis=1)
    after = np.bitwise_count(shuffled(codes)[:100] ^ shuffled(codes)[100:]).sum(axis=1)
    assert np.array_equal(before, after)
    with pytest.raises(ValueError, match="read-only"):
        shuffle_tables(words)[0, 0, 0] = 1


def test_the_order_of_bits_is_the_same_everywhere():
    """An index on a disk outlives the library versions that it was written with."""
    moved = shuffled(np.array([[1, 0, 0, 0], [2**63, 0, 0, 0]], dtype=np.uint64))
    places = [
        int(np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))[0])
        for row in moved
    ]
    assert places == [254, 8]


def test_evenness_sees_shared_bits():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 2**64, (20_000, 4), dtype=np.uint64)
    assert evenness(codes) > 0.97
    assert evenness(codes[:10]) == 1.0
    codes[:16_000, 0] = 9
    assert 0.6 < evenness(shuffled(codes)) < 0.9
    assert evenness(np.zeros((20_000, 4), dtype=np.uint64)) == 0.0
