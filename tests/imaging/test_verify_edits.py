"""Is an edited picture found again, the right way round, and is its nearest stranger left out?"""

from __future__ import annotations

import json

import pytest
from picture_edits import cropped, edits, framed, hue, lettered, meme, screenshot, stamped
from PIL import Image, ImageDraw, ImageFont, ImageOps

from picdeed.imaging.verify import PairKind, Review, compare, look

COPIES = ("near", "same-pixels")
SAME = ["jpeg: q20", "format: webp 60", "grey: luma", "size: 0.25 x", "size: 2 x", "size: square",
        "soft: blur 0.4 %", "soft: sharpen", "noise: sigma 15", "tone: brightness 0.7",
        "tone: contrast 0.7", "tone: gamma 1.4", "turn: 1 degrees", "turn: 90", "turn: 180",
        "mirror: left-right", "mirror: top-bottom", "border: 10 % white",
        "border: letterbox 16:9", "mixed: turn 90, half"]  # fmt: skip
PARTS = ["crop: 10 %", "crop: 20 %", "crop: 30 %", "mixed: social", "mixed: mirror, crop 10 %"]


@pytest.fixture
def original(market):
    return market(3)


def poster(title: str, number: str) -> Image.Image:
    image = Image.new("RGB", (480, 600), (236, 226, 205))
    pen = ImageDraw.Draw(image)
    pen.rectangle((16, 16, 464, 584), outline=(120, 30, 40), width=8)
    for step in range(12):
        pen.arc((40 + 8 * step, 300, 340 + 8 * step, 560), 180, 340, fill=(30, 70, 110), width=3)
    pen.text((60, 60), title, fill=(40, 40, 40), font=ImageFont.load_default(56))
    pen.text((60, 150), number, fill=(40, 40, 40), font=ImageFont.load_default(40))
    return image


@pytest.mark.parametrize("edit", SAME)
def test_a_copy_is_near(edit, original):
    found = compare(original, edits()[edit](original))
    assert found.kind in COPIES, found
    assert found.review == ()


@pytest.mark.parametrize("edit", PARTS)
def test_a_crop_is_directed(edit, original):
    part = edits()[edit](original)
    assert compare(original, part).kind == PairKind.CONTAINS
    assert compare(part, original).kind == PairKind.CROP_OF


@pytest.mark.parametrize("page", [meme, lambda image: screenshot(image, 0.95)])
def test_a_page_with_the_picture_on_it_contains_it(page, original):
    assert compare(original, page(original)).kind == PairKind.CROP_OF
    assert compare(page(original), original).kind == PairKind.CONTAINS


@pytest.mark.parametrize(
    "edit", [lambda i: lettered(i, 0.06), lambda i: lettered(i, 0.12), lambda i: stamped(i, 0.15)]
)
def test_a_text_or_a_logo_is_for_a_person_and_its_place_is_told(edit, original):
    found = compare(original, edit(original))
    assert (found.kind, found.review) == (PairKind.RELATED, (Review.PART_DIFFERS,))
    assert found.evidence["parts"]
    assert "another part at" in found.evidence["edit"]


def test_another_text_on_one_template_is_for_a_person():
    found = compare(poster("Concert", "3 May 1998"), poster("Market", "4 June 2004"))
    assert found.kind == PairKind.RELATED
    assert Review.PART_DIFFERS in found.review


def test_one_other_digit_is_seen():
    found = compare(poster("Concert", "3 May 1998"), poster("Concert", "8 May 1998"))
    assert found.kind != PairKind.NEAR
    assert Review.PART_DIFFERS in found.review


def test_one_background_with_another_object_is_no_copy(original, market):
    one, other = original.copy(), original.copy()
    one.paste(market(11, 200, 180), (60, 90))
    other.paste(market(12, 220, 160), (150, 120))
    found = compare(one, other)
    assert found.kind in (PairKind.RELATED, PairKind.UNRELATED)


def test_one_object_on_other_backgrounds_is_no_copy(market):
    thing = market(21, 200, 160)
    one, other = market(22), market(23)
    one.paste(thing, (40, 40))
    other.paste(thing, (200, 150))
    assert compare(one, other).kind in (PairKind.RELATED, PairKind.UNRELATED)


def test_a_turned_hue_is_a_variant(original):
    found = compare(original, hue(original, 90))
    assert found.kind in (PairKind.VARIANT, PairKind.RELATED)
    assert Review.COLOURS_DIFFER in found.review


def test_strangers_are_unrelated(market):
    looks = [look(market(seed)) for seed in range(40, 46)]
    assert {
        compare(a, b).kind for i, a in enumerate(looks) for b in looks[:i]
    } == {PairKind.UNRELATED}  # fmt: skip


def test_the_evidence_says_how_the_second_lies_on_the_first(original):
    found = compare(original, ImageOps.mirror(cropped(original, 0.2)))
    assert found.evidence["mirrored"] is True
    across, down = found.evidence["overlap"]
    assert 0.55 < across < 0.72
    assert down > 0.93
    assert found.evidence["edit"].startswith("mirrored, cropped 3")
    assert json.loads(json.dumps(found.evidence)) == found.evidence


def test_a_frame_is_told_in_words(original):
    assert "framed" in compare(original, framed(original, 0.1)).evidence["edit"]


def test_the_same_answer_again_and_in_the_other_order(original):
    part = cropped(original, 0.3)
    assert compare(original, part) == compare(original, part)
    forth, back = compare(original, part), compare(part, original)
    assert (forth.kind.turned, forth.distance) == (back.kind, back.distance)
    assert forth.evidence["overlap"] == back.evidence["overlap"][::-1]


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (4000, 1), (2000, 3), (33, 33), (900, 40)])
def test_strange_shapes_are_compared_without_complaint(size, original):
    thin = original.resize(size)
    assert compare(thin, original).kind in set(PairKind)
    assert compare(thin, thin.copy()).kind == PairKind.SAME_PIXELS


def test_black_and_wholly_transparent_pictures_are_strangers_to_others(original):
    black = Image.new("RGB", (300, 200))
    nothing = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    for plain in (black, nothing):
        assert compare(plain, original).kind == PairKind.UNRELATED
        assert compare(original, plain).kind == PairKind.UNRELATED
    assert compare(black, nothing).kind == PairKind.UNRELATED
