import itertools
import subprocess
import sys

import numpy as np
import pytest

from picdeed.core.ids import sha256
from picdeed.imaging.verify import PairKind, compare, look
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
    looks = {word: look(image) for word, image in prints.items()}
    close = [
        (one, other)
        for one, other in itertools.combinations(looks, 2)
        if compare(looks[one], looks[other]).kind is not PairKind.UNRELATED
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


def test_every_print_is_its_own(prints):
    assert len({image.tobytes() for image in prints.values()}) == len(prints)


def test_subjects_kept_from_the_demo_can_be_drawn():
    assert set(UNSEEN) < set(SUBJECTS)


def test_captions_are_the_base_models_words():
    assert [caption(word) for word in ("cat", "sun")] == ["cat", "sun"]
