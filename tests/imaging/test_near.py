"""Are copies, turned and framed ones proposed, with the turn that leads from one to the other?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from picdeed.imaging.codes import Turn, codes_of
from picdeed.imaging.near import EQUAL_CODES, Coded, near_listed, near_pairs


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


def test_nothing_and_one_picture(photo):
    for pictures in ([], [photo(1)]):
        near = near_pairs(Coded.of(codes_of(pictures)))
        assert near.pairs.shape == (0, 2)
        assert near.trimmed.shape == (0, 2)
