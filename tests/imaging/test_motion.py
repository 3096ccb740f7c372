"""Are two shots of one scene told from one picture coded twice?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from picdeed.imaging.motion import STILL, motion
from picdeed.imaging.verify import PairKind, Review, compare


def shot(picture: Image.Image, *ways: tuple[float, float]) -> Image.Image:
    """The picture in as many upright strips as ways, each moved by its own, the seams soft."""
    size, width = picture.size, picture.width / len(ways)
    made = picture
    for at, (across, down) in enumerate(ways):
        moved = picture.transform(
            size, Image.Transform.AFFINE, (1, 0, -across, 0, 1, -down), Image.Resampling.BICUBIC
        )
        where = Image.new("L", size, 0)
        where.paste(255, (round(at * width), 0, round((at + 1) * width), size[1]))
        made = Image.composite(moved, made, where.filter(ImageFilter.GaussianBlur(6)))
    return made


def arrays(*pictures: Image.Image) -> list[np.ndarray]:
    return [np.asarray(one.convert("RGB")) for one in pictures]


def whole(picture: Image.Image) -> np.ndarray:
    return np.ones(picture.size[::-1], dtype=bool)


@pytest.mark.parametrize("far", [0.8, 1.0, 2.0])
def test_near_things_that_move_more_than_far_ones_are_seen(market, far):
    picture = market(3)
    found = motion(*arrays(picture, shot(picture, (0, 0), (far, 0), (0, far), (0, 0))),
                   whole(picture))  # fmt: skip
    assert found.is_seen, found


@pytest.mark.parametrize(
    "edit",
    [
        lambda i: shot(i, (0.7, 0.4)),
        lambda i: i.filter(ImageFilter.GaussianBlur(2)),
        lambda i: i.filter(ImageFilter.UnsharpMask(3, 200, 0)),
        lambda i: i.resize((i.width // 2, i.height // 2)).resize(i.size),
        lambda i: i.point([min(255, int(1.3 * level)) for level in range(256)] * 3),
        lambda i: i.rotate(0.3, Image.Resampling.BICUBIC),
    ],
    ids=["moved as a whole", "blurred", "sharpened", "half the size", "lighter", "turned a little"],
)
def test_what_an_edit_leaves_is_no_motion(market, edit):
    picture = market(3).convert("RGB")
    found = motion(*arrays(picture, edit(picture)), whole(picture))
    assert not found.is_seen, found


def test_too_little_says_nothing():
    small = np.random.default_rng(1).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    even = np.full((256, 256, 3), 90, np.uint8)
    assert motion(small, small, np.ones((40, 40), bool)) == STILL
    assert motion(small[:3, :3], small[:3, :3], np.ones((3, 3), bool)) == STILL
    assert motion(even, even, np.ones((256, 256), bool)) == STILL
    picture = np.random.default_rng(2).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    assert motion(picture, picture, np.zeros((256, 256), bool)) == STILL


@pytest.mark.parametrize("order", [1, -1])
def test_two_frames_of_a_burst_are_a_question_and_no_copy(market, order):
    picture = market(3)
    both = (picture, shot(picture, (0, 0), (1.5, 0), (0.5, 1), (0, 0), (1, 0)))[::order]
    found = compare(*both)
    assert (found.kind, found.review) == (PairKind.RELATED, (Review.MOVED,)), found
    assert found.evidence["edit"] == "another moment"
    assert found.evidence["moved"] > 0.2
    again = compare(both[0], both[0].resize((both[0].width // 2, both[0].height // 2)))
    assert again.kind is PairKind.NEAR
    assert again.evidence["moved_share"] < 0.4
