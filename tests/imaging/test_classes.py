"""Does each measured relation get its name, and every doubt a person?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from picdeed.imaging.agree import Agreement
from picdeed.imaging.classes import PairKind, Placed, Review, judge

SAME = Agreement(200, 0.98, 0.95, (), 0.0, 0.01, 0.02, 0.01, 0.01, rich=True, strength=1.0)
WHOLE = Placed(1.0, 1.0, plain_a=False, plain_b=False, inliers=100)
PART = ((0.1, 0.1, 0.2, 0.2),)


@pytest.mark.parametrize(
    ("placed", "kind"),
    [
        (WHOLE, PairKind.NEAR),
        (replace(WHOLE, of_a=0.5), PairKind.CONTAINS),
        (replace(WHOLE, of_b=0.5), PairKind.CROP_OF),
        (replace(WHOLE, of_b=0.5, plain_b=True), PairKind.NEAR),
        (replace(WHOLE, of_a=0.6, of_b=0.6), PairKind.RELATED),
    ],
)
def test_what_covers_what(placed, kind):
    assert judge(placed, SAME)[0] == kind


def test_doubts_are_never_copies():
    assert judge(WHOLE, replace(SAME, parts=PART, differs=0.02)) == (
        PairKind.RELATED,
        (Review.PART_DIFFERS,),
    )
    assert judge(WHOLE, replace(SAME, colour=0.3)) == (PairKind.VARIANT, (Review.COLOURS_DIFFER,))
    assert judge(replace(WHOLE, of_a=0.5), replace(SAME, colour=0.3)) == (
        PairKind.RELATED,
        (Review.COLOURS_DIFFER,),
    )


def test_on_few_tones_no_curve_is_believed():
    moved = replace(SAME, rich=False, shift=0.2)
    assert judge(WHOLE, moved)[0] == PairKind.VARIANT
    assert judge(WHOLE, replace(moved, rich=True))[0] == PairKind.NEAR


@pytest.mark.parametrize(
    "found",
    [
        replace(SAME, blocks=3),
        replace(SAME, share=0.4),
        replace(SAME, parts=PART, differs=0.6),
    ],
)
def test_little_in_common_is_nothing(found):
    assert judge(WHOLE, found) == (PairKind.UNRELATED, ())


def test_directed_kinds_turn_round():
    assert PairKind.CROP_OF.turned is PairKind.CONTAINS
    assert PairKind.CONTAINS.turned is PairKind.CROP_OF
    assert PairKind.NEAR.turned is PairKind.NEAR
