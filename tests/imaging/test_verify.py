"""Are copies near, recolourings variants, and prints and drawings of one family strangers?"""

from __future__ import annotations

import colorsys
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from picdeed.imaging.decode import decode, flatten
from picdeed.imaging.verify import PairKind, compare, look, look_at


def scaled(
    image: Image.Image, by: float, how: Image.Resampling = Image.Resampling.LANCZOS
) -> Image.Image:
    return image.resize((round(image.width * by), round(image.height * by)), how)


def recoded(image: Image.Image, form: str, **options: object) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return decode(stream.getvalue()).image


COPIES = {
    "jpeg 60": lambda image: recoded(image, "JPEG", quality=60),
    "webp": lambda image: recoded(image, "WEBP", quality=75),
    "avif": lambda image: recoded(image, "AVIF", quality=50, speed=10),
    "half": lambda image: scaled(image, 0.5),
    "half, jpeg 60": lambda image: recoded(scaled(image, 0.5), "JPEG", quality=60),
    "odd size": lambda image: scaled(image, 0.7, Image.Resampling.BILINEAR),
    "double": lambda image: scaled(image, 2, Image.Resampling.BICUBIC),
    "grey": lambda image: image.convert("L"),
    "grey by Rec. 709": lambda image: image.convert("L", (0.2126, 0.7152, 0.0722, 0)),
    "grey, jpeg 60": lambda image: recoded(image.convert("L"), "JPEG", quality=60),
}


def face(skin: str, mouth: str = "smile", side: int = 128) -> Image.Image:
    """An emoji: the same drawing but for its colour or its mouth, on nothing."""
    big = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
    pen = ImageDraw.Draw(big)
    pen.ellipse((20, 20, 492, 492), fill=skin)
    pen.ellipse((140, 160, 200, 240), fill="#402a1a")
    pen.ellipse((312, 160, 372, 240), fill="#402a1a")
    if mouth == "smile":
        pen.chord((130, 220, 382, 420), 0, 180, fill="#402a1a")
    else:
        pen.ellipse((200, 300, 312, 420), fill="#402a1a")
    return big.resize((side, side), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("copy", COPIES)
def test_copies_of_photographs_and_prints_are_near(copy, photo, lino):
    for seed in range(5):
        for original in (photo(seed), lino(seed), lino(seed, 128)):
            found = compare(original, COPIES[copy](original))
            assert found.kind == PairKind.NEAR, (seed, found)
            assert 0 < found.distance < 0.1


def test_equal_pixels_in_other_files_are_same_pixels(photo, encode):
    original = photo(1)
    for form in ("PNG", "BMP", "TIFF"):
        found = compare(original, decode(encode(original, form)).image)
        assert (found.kind, found.distance) == (PairKind.SAME_PIXELS, 0.0)
    assert compare(face("#ffcc33"), face("#ffcc33")).kind == PairKind.SAME_PIXELS


def test_two_prints_on_the_same_paper_are_strangers(lino):
    looks = [look(lino(seed)) for seed in range(25)]
    kinds = {compare(a, b).kind for i, a in enumerate(looks) for b in looks[:i]}
    assert kinds == {PairKind.UNRELATED}


def test_two_photographs_are_strangers(photo):
    assert compare(photo(1), photo(2)).kind == PairKind.UNRELATED


@pytest.mark.parametrize("other", ["#8d5524", "#e0ac69", "#3aa0ff", "#6ccf4a"])
def test_the_same_drawing_in_other_colours_is_a_variant(other):
    found = compare(face("#ffcc33"), face(other))
    assert found.kind == PairKind.VARIANT, found


def test_a_reprint_in_another_ink_is_a_variant(lino):
    for ink in ((160, 20, 30), (20, 60, 150)):
        assert compare(lino(3), lino(3, ink=ink)).kind == PairKind.VARIANT


def test_a_part_drawn_anew_is_no_copy(lino):
    assert compare(face("#ffcc33"), face("#ffcc33", "open")).kind != PairKind.NEAR
    changed = lino(5)
    ImageDraw.Draw(changed).rectangle((20, 20, 60, 60), fill=(38, 34, 40))
    assert compare(lino(5), changed).kind != PairKind.NEAR


def test_a_small_new_part_is_seen_though_the_structure_agrees(lino):
    stamped = lino(5)
    ImageDraw.Draw(stamped).rectangle((214, 214, 232, 232), fill=(38, 34, 40))
    found = compare(lino(5), stamped)
    assert found.evidence["structure"] > 0.85
    assert found.evidence["colour"] < 0.08
    assert found.kind != PairKind.NEAR


def test_a_shift_by_part_of_a_pixel_is_no_difference(lino):
    for seed in range(5):  # halving without a filter takes one pixel of four, off the centre
        found = compare(lino(seed, 128), scaled(lino(seed, 128), 0.5, Image.Resampling.NEAREST))
        assert found.kind == PairKind.NEAR, found


def test_a_detail_of_equal_lightness_is_seen_by_its_colour(photo):
    original = Image.new("RGB", (256, 256), (120, 120, 120))
    original.paste(photo(4).resize((256, 128)), (0, 0))
    tinted = original.copy()
    # Rec. 601 gives this red the lightness of the grey below it.
    ImageDraw.Draw(tinted).rectangle((100, 180, 150, 230), fill=(220, 78, 78))
    found = compare(original, tinted)
    assert found.evidence["part"] < 0.06
    assert found.kind != PairKind.NEAR


def test_grey_counts_as_a_copy_only_with_the_same_lightness():
    yellow = flatten(face("#ffcc33"))
    assert compare(yellow, yellow.convert("L")).kind == PairKind.NEAR
    assert compare(yellow, yellow.convert("L").point(lambda v: v * 0.8)).kind != PairKind.NEAR


def test_plain_pictures_are_compared_by_their_colour():
    white, grey = Image.new("RGB", (64, 64), "white"), Image.new("RGB", (64, 64), "grey")
    assert compare(white, Image.new("RGB", (90, 30), "white")).kind == PairKind.NEAR
    assert compare(white, grey).kind == PairKind.UNRELATED
    red = Image.new("RGB", (64, 64), tuple(int(255 * c) for c in colorsys.hsv_to_rgb(0, 1, 1)))
    assert compare(red, grey).kind == PairKind.UNRELATED


def test_a_faint_drawing_is_not_the_empty_sheet():
    sheet = Image.new("RGB", (128, 128), (240, 240, 240))
    drawn = sheet.copy()
    ImageDraw.Draw(drawn).line((10, 20, 120, 110), fill=(215, 215, 215), width=6)
    assert compare(sheet, drawn).kind == PairKind.UNRELATED


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 2), (15, 15)])
def test_tiny_and_thin_pictures_are_compared_without_complaint(size, photo):
    tiny = photo(6).resize(size)
    assert compare(tiny, tiny.copy()).kind == PairKind.SAME_PIXELS
    assert compare(tiny, photo(7)).kind in (PairKind.UNRELATED, PairKind.VARIANT)


def test_the_answer_is_the_same_both_ways_and_from_looks(photo, encode):
    one, other = photo(8), decode(encode(photo(8), "JPEG", quality=40)).image
    assert compare(one, other) == compare(other, one) == compare(look(one), look(other))
    assert json.loads(json.dumps(compare(one, other).evidence)) == compare(one, other).evidence


def test_noise_and_blur_do_not_make_a_stranger(photo):
    rng = np.random.default_rng(0)
    noisy = np.asarray(photo(9), dtype=float) + rng.normal(0, 6, (240, 320, 3))
    assert compare(photo(9), Image.fromarray(noisy.clip(0, 255).astype(np.uint8))).kind == "near"


def test_a_file_is_looked_at_small_and_judged_as_the_whole(photo, encode):
    """JPEGs are scaled while they are decoded; equal pixels are still told from near ones."""
    image = photo(5, 1600, 1200)
    jpeg = encode(image, "JPEG", quality=90)
    same = encode(decode(jpeg).image, "PNG")
    again = encode(decode(jpeg).image, "JPEG", quality=60)
    other = encode(photo(6, 1600, 1200), "JPEG", quality=90)
    assert look_at(jpeg).frame.shape == look(decode(jpeg).image).frame.shape == (384, 512, 3)
    assert compare(look_at(jpeg), look_at(same)).kind is PairKind.SAME_PIXELS
    assert compare(look_at(jpeg), look_at(again)).kind is PairKind.NEAR
    assert compare(look_at(jpeg), look_at(other)).kind is PairKind.UNRELATED


def test_one_pixel_is_seen_where_all_else_is_equal(photo):
    image = photo(5, 700, 500)
    other = image.copy()
    other.putpixel((350, 250), tuple(255 - v for v in image.getpixel((350, 250))))
    assert compare(image, other).kind is PairKind.NEAR
    assert compare(image, image.copy()).kind is PairKind.SAME_PIXELS
