"""Are copies, turned and framed ones proposed, with the turn that leads from one to the other?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from picdeed.imaging import coded as crowding
from picdeed.imaging.codes import Turn, codes_of, variants
from picdeed.imaging.near import EQUAL_CODES, Coded, Marks, Reach, near_listed, near_pairs


def shown(near) -> dict[tuple[int, int], tuple[int, Turn, tuple[bool, bool]]]:
    assert near.pairs.dtype == np.int64
    rows = [tuple(row) for row in near.pairs.tolist()]
    assert rows == sorted(set(rows))
    told = zip(near.distance.tolist(), near.turn.tolist(), near.trimmed.tolist(), strict=True)
    return {row: (d, Turn(t), tuple(trim)) for row, (d, t, trim) in zip(rows, told, strict=True)}


def turned(picture: Image.Image, turn: Turn) -> Image.Image:
    return picture if turn is Turn.NONE else picture.transpose(Image.Transpose[turn.name])


@pytest.mark.parametrize("turn", list(Turn))
def test_the_turn_leads_from_the_first_to_the_second(photo, turn):
    pictures = [photo(1), photo(2), turned(photo(1), turn), photo(3)]
    found = shown(near_pairs(Coded.of(codes_of(pictures))))
    assert list(found) == [(0, 2)]
    distance, told, trimmed = found[0, 2]
    assert (told, trimmed) == (turn, (False, False))
    assert distance <= 4
    backwards = shown(near_pairs(Coded.of(codes_of(pictures[::-1]))))
    assert backwards[1, 3][1] is turn.undone


def test_a_frame_is_seen_through_and_named(photo):
    frame = Image.new("RGB", (480, 400), "white")
    frame.paste(photo(1), (80, 80))
    found = shown(near_pairs(Coded.of(codes_of([photo(1), frame, photo(2)]))))
    assert list(found) == [(0, 1)]
    assert found[0, 1][1:] == (Turn.NONE, (False, True))
    mirrored = frame.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    found = shown(near_pairs(Coded.of(codes_of([mirrored, photo(1)]))))
    assert found[0, 1][1:] == (Turn.FLIP_LEFT_RIGHT, (True, False))


def test_every_pair_of_a_small_group_with_one_code_is_proposed():
    blank = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue", "white")]
    found = shown(near_pairs(Coded.of(codes_of(blank))))
    assert set(found) == {(i, j) for j in range(4) for i in range(j)}


def coded(codes: np.ndarray) -> Coded:
    """Every turn has the same code, as blank pictures have."""
    n = len(codes)
    return Coded(n, np.arange(n), np.repeat(codes[:, None], 8, axis=1), np.zeros(n, dtype=np.bool_))


def test_a_hundred_thousand_copies_stay_few_pairs():
    codes = np.zeros((100_000, 4), dtype=np.uint64)
    codes[-3:] = 1  # four bits away
    found = near_pairs(coded(codes))
    assert len(found.pairs) < 110_000 * 2
    pairs = {tuple(row) for row in found.pairs.tolist()}
    assert {(0, other) for other in range(1, 100_000)} <= pairs
    assert (99_997, 99_998) in pairs
    assert found.distance.max() == 4


def test_small_groups_are_complete_and_large_ones_a_star():
    rng = np.random.default_rng(1)
    centre = rng.integers(0, 2**64, 4, dtype=np.uint64)
    codes = np.repeat(centre[None], EQUAL_CODES + 4, axis=0)
    codes[-4:] ^= np.uint64(1)
    found = shown(near_pairs(coded(codes)))
    assert len(found) == EQUAL_CODES * (EQUAL_CODES - 1) // 2 + 6 + EQUAL_CODES * 4


def test_a_list_of_protected_pictures_is_searched_wider(photo):
    pictures = [photo(1), photo(2), turned(photo(3), Turn.ROTATE_90), photo(4)]
    crop = photo(2).crop((12, 9, 308, 231))
    listed = Coded.of(codes_of([photo(3), crop]))
    found = shown(near_listed(Coded.of(codes_of(pictures)), listed))
    assert set(found) == {(1, 1), (2, 0)}
    assert found[2, 0][1] is Turn.ROTATE_90
    assert found[1, 1][0] > 31
    assert set(shown(near_listed(Coded.of(codes_of(pictures)), listed, 31))) == {(2, 0)}


def drawn(seed: int, n: int, *, colours: int = 40) -> Coded:
    """Pictures around few scenes, turned and trimmed as it comes, with marks of few kinds."""
    rng = np.random.default_rng(seed)
    scenes = rng.normal(size=(6, 256)).astype(np.float32)
    inner = np.flatnonzero(rng.random(n) < 0.2)
    owner = np.concatenate((np.arange(n), inner))
    which = rng.integers(0, 6, len(owner))
    blur = rng.choice([0.0, 0.05, 0.3], len(owner))[:, None]
    spectra = scenes[which] + blur * rng.normal(size=(len(owner), 256))
    spectra[rng.random(len(owner)) < 0.2] = 0  # featureless: one code in every turn
    turned = variants(spectra.astype(np.float32))
    order = rng.integers(0, 8, len(owner))
    group = [[0, 1, 2, 3, 4, 5, 6, 7], [1, 0, 3, 2, 6, 7, 4, 5]]
    mirrored = order % 2 == 1  # a mirrored picture's turns are the turns of its mirror image
    turned[mirrored] = turned[mirrored][:, group[1]]
    kinds = rng.integers(0, 256, (colours, 192), dtype=np.uint8)
    marks = Marks(
        kinds[rng.integers(0, colours, n)],
        rng.integers(0, 3, (n, 2)).astype(np.uint64),
        rng.integers(1, 4, (n, 3)),
        rng.integers(0, 2**64, n, dtype=np.uint64),
    )
    trimmed = np.arange(len(owner)) >= n
    return Coded(n, owner.astype(np.int64), turned, trimmed, marks)


def brute(coded: Coded, within: Reach) -> set[tuple[int, int]]:
    found = set()
    for turn in Turn:
        if turn is Turn.ROTATE_270:
            continue
        radius = within.turned if turn else within.upright
        apart = np.bitwise_count(coded.turned[:, None, turn] ^ coded.turned[None, :, 0]).sum(axis=2)
        for left, right in zip(*np.nonzero(apart <= radius), strict=True):
            one, two = coded.owner[left], coded.owner[right]
            if one != two:
                found.add((int(min(one, two)), int(max(one, two))))
    return found


@given(st.integers(0, 2**32), st.sampled_from([2, 9, 60, 150]), st.sampled_from([None, 20, 31, 60]))
@settings(max_examples=25, deadline=None)
def test_all_pairs_are_those_of_a_scan_and_new_ones_a_part_of_them(seed, n, radius):
    coded = drawn(seed, n)
    within = Reach(49, 49) if radius is None else Reach(radius, radius)
    whole = near_pairs(coded, radius)
    assert set(shown(whole)) == brute(coded, within) or crowded(coded)
    assert whole.within == within
    rng = np.random.default_rng(seed)
    for share in (0.0, 0.02, 0.3, 1.0):
        new = rng.random(n) < share
        wanted = {row: what for row, what in shown(whole).items() if new[list(row)].any()}
        assert shown(near_pairs(coded, radius, new=new)) == wanted
        assert shown(near_pairs(coded, radius, new=np.flatnonzero(new))) == wanted


def crowded(coded: Coded) -> bool:
    return bool(crowding.Crowds.of(coded).groups)


@given(st.integers(0, 2**32), st.sampled_from([1, 4]), st.booleans())
@example(700, 1, False)  # two rows of one picture are as good: which was found first decided
@example(3, 1, False)
@settings(max_examples=25, deadline=None)
def test_what_is_new_is_a_part_of_all_in_crowds_too(seed, equal, marked):
    coded = drawn(seed, 120, colours=8)
    if not marked:
        coded = Coded(coded.n, coded.owner, coded.turned, coded.trimmed)
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crowding, "EQUAL_CODES", equal)
        assert crowded(coded)
        whole = shown(near_pairs(coded, 49))
        scanned = brute(coded, Reach(49, 49))
        assert set(whole) <= scanned
        if marked:
            assert len(whole) < len(scanned)
        for share in (0.01, 0.1, 0.6):
            new = rng.random(coded.n) < share
            wanted = {row: what for row, what in whole.items() if new[list(row)].any()}
            assert shown(near_pairs(coded, 49, new=new)) == wanted


def test_a_family_too_large_to_tell_whole_is_told_within_fewer_bits(monkeypatch):
    monkeypatch.setattr("picdeed.imaging.near._MOST_AT_LEAST", 0)
    rng = np.random.default_rng(3)
    codes = np.repeat(rng.integers(0, 2**64, (1, 4), dtype=np.uint64), 600, axis=0)
    for row in codes:
        for bit in rng.choice(256, 10, replace=False):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    codes[1] = codes[0] ^ np.uint64(1)
    found = near_pairs(coded(codes))
    assert found.within.upright < 31
    assert (0, 1) in shown(found)
    assert len(found.pairs) < 600 * 32


def test_nothing_and_one_picture(photo):
    for pictures in ([], [photo(1)]):
        near = near_pairs(Coded.of(codes_of(pictures)))
        assert near.pairs.shape == (0, 2)
        assert near.trimmed.shape == (0, 2)
