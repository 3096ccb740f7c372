"""Do copies keep their codes, turned ones find their variant, and odd pictures harm nobody?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from picdeed.imaging.codes import (
    ALGORITHM,
    Turn,
    code_of,
    codes_of,
    from_hex,
    spectrum,
    to_hex,
    variants,
)
from picdeed.imaging.decode import decode, decode_small


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.bitwise_count(one ^ other).sum())


def test_the_algorithm_has_a_version():
    assert ALGORITHM == "pdq256/2"


def test_the_transform_is_the_cosine_transform_read_aloud(photo):
    grey = np.asarray(photo(1).convert("L").resize((64, 64)), dtype=np.float32)
    found = spectrum(grey[None])[0].reshape(16, 16)
    x = (2 * np.arange(64) + 1) * np.pi / 128
    for i, j in ((0, 0), (0, 5), (7, 2), (15, 15)):
        wave = np.outer(np.cos((i + 1) * x), np.cos((j + 1) * x))
        assert found[i, j] == pytest.approx((grey * wave).sum() / 32, rel=1e-3, abs=0.05)
    code = variants(found.reshape(-1))[Turn.NONE]
    bits = np.unpackbits(code.view(np.uint8), bitorder="little").reshape(16, 16).astype(bool)
    assert np.array_equal(bits, found > np.median(found))
    assert bits.sum() == 128


def test_copies_keep_the_code_and_strangers_do_not(photo, lino, encode):
    for make in (photo, lino):
        first = code_of(make(1)).plain
        image = make(1)
        half = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
        copies = [
            decode(encode(image, "JPEG", quality=40)).image,
            decode(encode(image, "WEBP", quality=60)).image,
            half,
            image.resize((500, 500)),
            image.convert("L"),
        ]
        assert max(apart(first, code_of(copy).plain) for copy in copies) <= 20
        strangers = [code_of(make(seed)).plain for seed in range(2, 12)]
        assert min(apart(first, other) for other in strangers) > 31


@pytest.mark.parametrize("size", [(320, 240), (777, 513), (50, 90)])
def test_variants_are_the_codes_of_the_turned_pictures(photo, size):
    picture = photo(4, *size)
    found = variants(code_of(picture).coefficients)
    assert found.shape == (8, 4)
    for turn in Turn:
        turned = picture if turn is Turn.NONE else picture.transpose(Image.Transpose[turn.name])
        assert apart(code_of(turned).plain, found[turn]) <= 4, turn.name
        back = turned if turn is Turn.NONE else turned.transpose(Image.Transpose[turn.undone.name])
        assert back.tobytes() == picture.tobytes()
    assert min(apart(found[0], found[turn]) for turn in list(Turn)[1:]) > 49


def test_many_at_once_are_the_same_as_one_by_one(photo, lino):
    pictures = [photo(1), lino(2), Image.new("RGB", (9, 9)), framed(photo(3), 30)]
    for one, other in zip(codes_of(pictures), map(code_of, pictures), strict=True):
        assert np.array_equal(one.plain, other.plain)
        assert (one.trim_box, one.quality) == (other.trim_box, other.quality)
        assert np.array_equal(one.coefficients, other.coefficients)
    assert codes_of([]) == []


def framed(picture: Image.Image, width: int, colour: str = "white") -> Image.Image:
    size = (picture.width + 2 * width, picture.height + 2 * width)
    frame = Image.new("RGB", size, colour)
    frame.paste(picture, (width, width))
    return frame


@pytest.mark.parametrize("colour", ["white", "black", "teal"])
@pytest.mark.parametrize("quality", [None, 60])
def test_a_frame_is_taken_off(photo, encode, colour, quality):
    picture = framed(photo(5, 400, 300), 40, colour)
    if quality:
        picture = decode(encode(picture, "JPEG", quality=quality)).image
    found = code_of(picture)
    assert found.trimmed is not None
    assert max(abs(a - b) for a, b in zip(found.trim_box, (40, 40, 440, 340), strict=True)) <= 4
    assert apart(found.trimmed, code_of(photo(5, 400, 300)).plain) <= 24
    assert apart(found.plain, code_of(photo(5, 400, 300)).plain) > 49


def test_letterboxes_are_taken_off_on_two_sides_only(photo):
    wide = Image.new("RGB", (400, 400), "black")
    wide.paste(photo(6, 400, 240), (0, 80))
    assert code_of(wide).trim_box == (0, 80, 400, 320)
    assert code_of(photo(6)).trimmed is None
    assert code_of(photo(6)).trim_box is None


def test_what_is_almost_only_border_is_not_trimmed():
    dot = Image.new("RGB", (300, 300), "white")
    dot.paste((0, 0, 0), (150, 150, 153, 153))
    assert code_of(dot).trimmed is None


BLANK = {
    "black": Image.new("RGB", (300, 200), "black"),
    "white": Image.new("RGB", (301, 207), "white"),
    "transparent": Image.new("RGBA", (90, 91), (200, 10, 10, 0)),
    "one pixel": Image.new("RGB", (1, 1), "navy"),
    "a column": Image.new("RGB", (1, 500), "olive"),
    "a row": Image.new("L", (3000, 1), 77),
}


@pytest.mark.parametrize("name", BLANK)
def test_featureless_pictures_have_the_empty_code_in_every_turn(name):
    found = code_of(BLANK[name])
    assert not found.plain.any()
    assert not variants(found.coefficients).any()
    assert found.trimmed is None
    assert found.quality == 0
    assert len(found.colours) == 192


def test_transparent_pixels_count_as_even_grey():
    clear = code_of(BLANK["transparent"]).colours.reshape(64, 3)
    grey = code_of(Image.new("RGB", (5, 5), (128, 128, 128))).colours.reshape(64, 3)
    assert np.array_equal(clear, grey)


def test_the_colour_grid_is_lab_by_rows():
    half = Image.new("RGB", (80, 80), "white")
    half.paste((255, 0, 0), (0, 0, 80, 40))
    cells = code_of(half).colours.reshape(8, 8, 3).astype(int)
    # sRGB red is L* 53.2, a* 80.1, b* 67.2.
    assert np.abs(cells[:4] - (53.2 * 2.55, 80.1 + 128, 67.2 + 128)).max() <= 1
    assert np.abs(cells[4:] - (255, 128, 128)).max() <= 1


def test_pixel_types_of_every_kind_have_about_the_same_code(photo, encode):
    import cv2

    picture = photo(7)
    deep = np.asarray(picture)[..., ::-1].astype(np.uint16) * 257
    palette = picture.quantize(63)
    more = {"save_all": True, "append_images": [photo(8)], "duration": 90}
    grey = np.asarray(picture.convert("L"))
    files = {
        "palette": encode(picture.quantize(64), "PNG"),
        "grey": encode(picture.convert("L"), "PNG"),
        "16 bit": encode(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"),
        "cmyk": encode(picture.convert("CMYK"), "JPEG", quality=90),
        "animated": encode(picture, "GIF", save_all=True, append_images=[photo(8)], duration=9),
        "animated webp": encode(picture, "WEBP", quality=90, **more),
        "animated png": encode(picture, "PNG", **more),
        "16 bit rgb": cv2.imencode(".png", deep)[1].tobytes(),
        "clear palette": encode(palette, "PNG", transparency=63),
        "progressive": encode(picture, "JPEG", progressive=True),
        "alpha": encode(picture.convert("RGBA"), "WEBP", lossless=True),
    }
    for name, data in files.items():
        assert apart(code_of(decode(data).image).plain, code_of(picture).plain) <= 16, name


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_code_is_of_the_upright_picture(photo, encode, orientation):
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    upright = photo(9, 640, 480)
    stored = upright if orientation == 1 else upright.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored, "JPEG", quality=95, exif=exif)
    for at_least in (None, 128):
        assert (
            apart(code_of(decode(data, at_least=at_least).image).plain, code_of(upright).plain) <= 6
        )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(1041, 777), (1337, 1801), (2059, 1100)])
def test_a_scaled_decode_of_any_size_and_turn_gives_the_code(photo, encode, orientation, size):
    """Sizes that leave one to five of eight pixels at an edge, whichever edge it becomes."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    upright = photo(11, *size)
    stored = upright if orientation == 1 else upright.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    small = decode_small(encode(stored, "JPEG", quality=92, exif=exif))
    assert small.image.width < 600
    found, known = code_of(small), code_of(upright)
    assert apart(found.plain, known.plain) <= 4
    assert np.abs(found.colours.astype(int) - known.colours).max() <= 3
    assert found.quality == known.quality


def test_the_border_of_a_scaled_picture_is_told_in_the_files_pixels(photo, encode):
    picture = framed(photo(5, 1600, 1200), 160)
    small = decode_small(encode(picture, "JPEG", quality=90))
    assert small.image.width == 480
    found = code_of(small)
    assert found.trim_box is not None
    assert max(abs(a - b) for a, b in zip(found.trim_box, (160, 160, 1760, 1360), strict=True)) <= 8
    assert apart(found.trimmed, code_of(photo(5, 1600, 1200)).plain) <= 24


@pytest.mark.parametrize("at_least", [128, 256, 512])
def test_a_scaled_decode_gives_the_code_of_the_whole_one(photo, encode, at_least):
    for seed in range(4):
        data = encode(photo(seed, 1300, 1100), "JPEG", quality=80)
        whole, small = decode(data), decode(data, at_least=at_least)
        assert small.image.width < whole.image.width
        assert apart(code_of(whole).plain, code_of(small).plain) <= (8 if at_least == 128 else 4)


def test_codes_are_written_as_pdq_writes_them(photo):
    code = code_of(photo(1)).plain
    assert np.array_equal(from_hex(to_hex(code)), code)
    assert to_hex(np.array([1, 0, 0, 0], dtype=np.uint64)) == "0" * 63 + "1"
    for wrong in ("", "0" * 63, "g" * 64, "-" + "0" * 63, " " * 64):
        with pytest.raises(ValueError):
            from_hex(wrong)
