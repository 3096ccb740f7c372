"""Do crops, pages, sheets and mirrored pictures share votes, and strangers none?"""

from __future__ import annotations

import numpy as np
import pytest
from picture_edits import collage, cropped, jpeg, screenshot, social
from PIL import Image, ImageOps

from picdeed.imaging import votes
from picdeed.imaging.local import Local, descriptors
from picdeed.imaging.votes import candidates_between, candidates_by_votes

NOTHING = Local(np.zeros((0, 4), np.uint64), np.zeros((0, 4), np.float32))


def scattered(rng, count):
    """So many corners of codes and places of their own."""
    codes = rng.integers(0, 2**63, (count, 4)).astype(np.uint64)
    places = rng.uniform((0, 0, 20, -3), (448, 336, 60, 3), (count, 4))
    return codes, places.astype(np.float32)


def test_crops_and_screenshots_become_candidates_and_strangers_do_not(market):
    originals = [market(seed, 640, 480) for seed in range(8)]
    edited = [
        cropped(originals[0], 0.1),
        jpeg(cropped(originals[1], 0.3), 60),
        social(originals[2]),
        screenshot(originals[3], 0.6),
        collage(originals[4]),
        originals[5].rotate(90, expand=True),
        cropped(originals[6], 0.5),
    ]
    found = candidates_by_votes([descriptors(image) for image in originals + edited])
    assert found.tolist() == [[at, 8 + at] for at in range(7)]


def test_one_list_against_another_is_told_in_their_numbers(photo):
    originals = [descriptors(photo(seed, 640, 480)) for seed in range(5)]
    asked = [descriptors(cropped(photo(seed, 640, 480), 0.2)) for seed in (9, 3, 1)]
    assert candidates_between(asked, originals).tolist() == [[1, 3], [2, 1]]
    assert candidates_between(originals, asked).tolist() == [[1, 2], [3, 1]]
    assert candidates_between([], originals).shape == (0, 2)
    assert candidates_between(originals, [NOTHING]).shape == (0, 2)


def test_a_mirrored_picture_is_found_by_its_mirrored_corners(photo):
    one = photo(3, 640, 480)
    copy = ImageOps.mirror(one)
    assert candidates_by_votes([descriptors(one), descriptors(copy)]).tolist() == []
    assert len(candidates_by_votes([descriptors(one), descriptors(ImageOps.mirror(copy))])) == 1


@pytest.mark.parametrize("pictures", [[], [NOTHING], [NOTHING, NOTHING]])
def test_without_corners_there_is_nobody(pictures):
    assert candidates_by_votes(pictures).shape == (0, 2)


def pages(count, *, header=80, own=60):
    """Pages with one header, in one place: `header` corners are everybody's."""
    rng = np.random.default_rng(1)
    shared, place = scattered(rng, header)
    place[:, 1] = rng.uniform(0, 40, header)
    made = []
    for _ in range(count):
        codes, places = scattered(rng, own)
        made.append(Local(np.concatenate((shared, codes)), np.concatenate((place, places))))
    return made


def test_a_corner_that_everybody_has_is_no_witness():
    assert len(candidates_by_votes(pages(2))) == 1
    assert candidates_by_votes(pages(60)).tolist() == []


def test_pages_with_one_header_do_not_hide_a_copy():
    made = pages(60)
    rng = np.random.default_rng(9)
    codes, places = scattered(rng, 30)
    for at in (7, 41):  # these two share a picture below the header
        made[at] = Local(
            np.concatenate((made[at].codes, codes)), np.concatenate((made[at].geometry, places))
        )
    assert candidates_by_votes(made).tolist() == [[7, 41]]


def test_what_is_matched_grows_with_the_pictures_and_not_with_their_square(monkeypatch):
    """20 of 60 pages share a header: too few to be everybody's, too many to pair all with all."""
    counted = []
    kept = votes._voted

    def counting(asked, base, left, right, least):
        counted.append(len(left))
        return kept(asked, base, left, right, least)

    monkeypatch.setattr(votes, "_voted", counting)
    strangers = [Local(*scattered(np.random.default_rng(100 + at), 60)) for at in range(40)]
    candidates_by_votes(pages(20) + strangers)
    assert 0 < sum(counted) <= 20 * 80 * votes.NEAREST


def test_more_matches_than_fit_are_made_in_smaller_blocks(monkeypatch, photo):
    originals = [descriptors(photo(seed, 320, 240)) for seed in range(6)]
    copies = [descriptors(jpeg(photo(seed, 320, 240), 70)) for seed in range(6)]
    whole = candidates_by_votes(originals + copies)
    monkeypatch.setattr(votes, "_MOST", 20_000)
    assert candidates_by_votes(originals + copies).tolist() == whole.tolist()
    assert whole.tolist() == [[at, 6 + at] for at in range(6)]


def test_equal_corners_of_two_crops_both_speak(photo):
    """Lossless crops carry equal codes: each must be found, not the first alone."""
    whole = descriptors(photo(2, 448, 336))
    parts = [Local(whole.codes[at::3], whole.geometry[at::3]) for at in (0, 0, 0)]
    found = candidates_between(parts, [whole])
    assert found.tolist() == [[0, 0], [1, 0], [2, 0]]


def test_thirty_thousand_equal_corners_are_no_square():
    """Letters: one code by the thousand, in two hundred pictures."""
    rng = np.random.default_rng(3)
    letter = rng.integers(0, 2**63, (1, 4)).astype(np.uint64)
    made = []
    for _ in range(200):
        _, places = scattered(rng, 150)
        made.append(Local(np.repeat(letter, 150, axis=0), places))
    assert candidates_by_votes(made).shape[1] == 2


def test_a_picture_alone_with_its_sheet(market):
    sheet = Image.new("RGB", (960, 720), "white")
    sheet.paste(market(1, 640, 480).resize((400, 300)), (500, 380))
    found = candidates_by_votes([descriptors(market(1, 640, 480)), descriptors(sheet)])
    assert found.tolist() == [[0, 1]]
