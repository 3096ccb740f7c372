"""Does the second picture lie where it belongs, and do heat and boxes lie on what differs?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from picdeed.imaging.overlay import SHOWN, is_placed, overlay
from picdeed.imaging.verify import PairKind, compare
from picdeed.testing import tiny_picture


def scene(side=300) -> Image.Image:
    """A drawing with texture, so that corners and blocks have something to hold on to."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((side * 4 // 3, side), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for at in range(14):
        x, y = rng.integers(0, image.width), rng.integers(0, image.height)
        pen.rectangle((x, y, x + 30, y + 20), fill=tuple(rng.integers(0, 255, 3).tolist()))
        pen.ellipse((y, x, y + 24, x + 24), outline="black", width=2 + at % 2)
    return image


def laid_on(a: Image.Image, b: Image.Image, **options):
    return overlay(a, b, compare(a, b).evidence, **options)


def off(made) -> float:
    """Mean difference of both pictures where the second reaches, 0 to 255."""
    first = np.asarray(made.first, np.float32)
    second = np.asarray(made.second, np.float32)
    there = second[..., 3] > 0
    return float(np.abs(first - second[..., :3])[there].mean())


def heat(made, box=None) -> float:
    """Mean redness (red above blue) of the difference, within a box or over all of it."""
    seen = np.asarray(made.difference, np.float32)
    if box is not None:
        x, y = made.difference.size
        left, top, right, bottom = box
        seen = seen[int(top * y) : int(bottom * y), int(left * x) : int(right * x)]
    return float((seen[..., 0] - seen[..., 2]).mean())


@pytest.mark.parametrize(
    "edit",
    [
        ImageOps.mirror,
        lambda image: image.rotate(90, expand=True),
        lambda image: image.resize((200, 150)),
        lambda image: image.crop((60, 40, 340, 260)),
        lambda image: ImageOps.mirror(image).crop((60, 40, 340, 260)),
    ],
    ids=["mirror", "turn", "smaller", "crop", "mirrored crop"],
)
def test_an_edited_copy_lies_on_its_original(edit):
    whole = scene()
    made = laid_on(whole, edit(whole))
    assert made.first.size == made.second.size == made.difference.size == whole.size
    assert off(made) < 8
    assert made.boxes == ()


def test_a_crop_is_transparent_where_it_does_not_reach():
    whole = scene()
    made = laid_on(whole, whole.crop((60, 40, 340, 260)))
    reach = np.asarray(made.second)[..., 3] > 0
    assert 0.45 < reach.mean() < 0.6  # 280 x 220 of 400 x 300
    assert not reach[:30].any()
    assert not made.fills_frame
    (left, top), _, (right, bottom), _ = made.outline
    assert (left, top, right, bottom) == pytest.approx((0.15, 0.133, 0.85, 0.867), abs=0.02)


def test_from_the_other_side_the_same_evidence_holds():
    whole = scene()
    part = whole.crop((60, 40, 340, 260))
    evidence = compare(whole, part).evidence
    made = overlay(part, whole, evidence, swapped=True)
    assert made.first.size == part.size
    assert off(made) < 8
    assert (np.asarray(made.second)[..., 3] > 0).mean() > 0.99


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("by", [1, 0.5])
def test_boxes_and_heat_lie_on_what_differs(mirrored, by):
    whole = scene()
    edited = whole.copy()
    ImageDraw.Draw(edited).rectangle((280, 30, 360, 90), fill="white", outline="red", width=6)
    edited = edited.resize((round(400 * by), round(300 * by)))
    if mirrored:
        edited = ImageOps.mirror(edited)
    for made in (laid_on(whole, edited), overlay(whole, edited, compare(edited, whole).evidence,
                                                 swapped=True)):  # fmt: skip
        (box, *_), (other, *_) = made.boxes, made.boxes_second
        assert box == pytest.approx((0.7, 0.1, 0.9, 0.3), abs=0.07)
        across = (0.1, 0.1, 0.3, 0.3) if mirrored else (0.7, 0.1, 0.9, 0.3)
        assert other == pytest.approx(across, abs=0.07)
        assert heat(made, box) > 4 * heat(made) > 0


def test_brightness_is_allowed_for_and_colour_is_not():
    whole = scene()
    darker = Image.fromarray((np.asarray(whole) * 0.8).astype(np.uint8))
    turned = Image.fromarray(np.asarray(whole)[..., ::-1].copy())
    assert heat(overlay(whole, darker, {})) < 8
    assert heat(overlay(whole, turned, {})) > 40


def test_without_a_place_there_is_no_overlay():
    evidence = compare(tiny_picture(1), tiny_picture(2)).evidence
    assert not is_placed(evidence) or "overlap" in evidence
    assert not is_placed({"detail": 64})
    assert not is_placed({"affine": [1, 0, 0]})
    assert not is_placed({"affine": [1, 0, float("nan"), 0, 1, 0]})
    with pytest.raises(ValueError, match="does not say"):
        overlay(tiny_picture(1), tiny_picture(2), {"detail": 64})


def test_the_same_pixels_leave_nothing():
    found = compare(scene(), scene())
    assert found.kind is PairKind.SAME_PIXELS
    made = overlay(scene(), scene(), found.evidence)
    assert made.fills_frame
    assert off(made) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (2_000, 3), (3_000, 2_000)])
def test_any_size_is_laid(size):
    image = Image.effect_noise(size, 60).convert("RGBA")
    made = overlay(image, image, {})
    assert made.first.size == made.second.size == made.difference.size
    assert max(made.first.size) <= SHOWN
    assert made.first.mode == made.difference.mode == "RGB"
