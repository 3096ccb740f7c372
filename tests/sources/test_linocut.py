import itertools
import subprocess
import sys

import imagehash
import numpy as np
import pytest

from picdeed.core.ids import sha256
from picdeed.sources.linocut import SIDE, SUBJECTS, UNSEEN, caption, draw
from picdeed.sources.linocut_block import INK, PAPER


@pytest.fixture(scope="module")
def prints():
    return {word: draw(word) for word in SUBJECTS}


def test_every_print_is_ink_on_paper_and_fills_its_frame(prints):
    assert len(prints) >= 45
    for word, image in prints.items():
        assert (image.mode, image.size) == ("RGB", (SIDE, SIDE)), word
        pixels = np.asarray(image, dtype=np.int16)
        # Only mixtures of the two colours: one number a pixel, the same in every channel.
        share = (np.array(PAPER) - pixels) / (np.array(PAPER) - np.array(INK))
        assert np.ptp(share, axis=2).max() < 0.02, word
        ink = share.mean(axis=2) > 0.5
        assert 0.15 < ink.mean() < 0.65, word
        middle = ink[SIDE // 8 : -SIDE // 8, SIDE // 8 : -SIDE // 8].mean()
        assert middle > 0.2, word


def test_no_two_prints_could_be_taken_for_copies(prints):
    hashes = {word: imagehash.phash(image) for word, image in prints.items()}
    close = [
        (one, other)
        for one, other in itertools.combinations(hashes, 2)
        if hashes[one] - hashes[other] <= 12
    ]
    assert close == []


def test_another_process_prints_the_same_pixels(prints):
    code = (
        "from picdeed.sources.linocut import draw; from picdeed.core.ids import sha256;"
        "print(sha256(draw('cat').tobytes()), sha256(draw('sunflower').tobytes()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "platform", "PYTHONHASHSEED": "77"},
    )
    assert ran.stdout.split() == [sha256(prints[word].tobytes()) for word in ("cat", "sunflower")]


def test_the_hand_differs_from_block_to_block(prints):
    corners = {word: np.asarray(image)[:24, :24].tobytes() for word, image in prints.items()}
    assert len(set(corners.values())) > len(corners) - 6  # some corners are bare paper


def test_subjects_kept_from_the_demo_can_be_drawn():
    assert set(UNSEEN) < set(SUBJECTS)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("cat", "a linocut print of a cat"),
        ("apple", "a linocut print of an apple"),
        ("hourglass", "a linocut print of an hourglass"),
        ("cherries", "a linocut print of cherries"),
        ("sun", "a linocut print of the sun"),
        ("light bulb", "a linocut print of a light bulb"),
    ],
)
def test_captions_are_plain_english(word, expected):
    assert caption(word) == expected
