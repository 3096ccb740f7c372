"""What is refused, by which reason, and what comes out of the pictures that are not?"""

from __future__ import annotations

import io
import random
import struct
import sys
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from picdeed.core.errors import UnreadablePicture
from picdeed.core.limits import Limits
from picdeed.imaging.decode import (
    decode,
    decode_small,
    flat_of,
    flatten,
    pixels_sha256,
    to_rgb,
    whole_pixels_sha256,
)

FORMS = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000"]


def reason(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(UnreadablePicture) as caught:
        decode(data, limits or Limits())
    assert caught.value.message
    return caught.value.reason


def chunk(kind: bytes, content: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def blank_png(width: int, height: int) -> bytes:
    """One bit a pixel and all of it black, packed without the pixels ever being in memory."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", FORMS)
def test_every_format_decodes(photo, encode, form):
    picture = decode(encode(photo(1), form))
    assert (picture.width, picture.height) == (320, 240)
    assert picture.image.mode == "RGB"


def test_what_is_no_picture_is_refused_by_name():
    assert reason(b"") == "empty"
    assert reason(b"just text in a file named .png") == "not-a-picture"
    assert reason(b"<svg xmlns='http://www.w3.org/2000/svg'></svg>") == "svg"
    assert reason(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic") == "unsupported"
    assert reason(b"\x89PNG\r\n\x1a\n" + bytes(50)) == "broken"


def test_a_picture_of_too_many_pixels_is_refused_before_its_pixels(monkeypatch, encode):
    data = blank_png(20_000, 20_000)
    assert len(data) < 60_000
    loaded = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: loaded.append(image.size))
    with pytest.raises(UnreadablePicture, match="picture_pixels") as caught:
        decode(data)
    assert caught.value.reason == "too-many-pixels"
    assert "178,000,000" in caught.value.message
    small = encode(Image.new("L", (40, 40)), "PNG")  # far below Pillow's own limit
    assert reason(small, Limits(picture_pixels=1_599)) == "too-many-pixels"
    assert not loaded


def test_each_limit_is_named(encode):
    assert reason(blank_png(6_000, 6_000)) == "too-many-pixels"  # a bomb by its ratio
    with pytest.raises(UnreadablePicture, match="pixels_per_byte"):
        decode(blank_png(6_000, 6_000))
    with pytest.raises(UnreadablePicture, match="picture_side"):
        decode(blank_png(40_000, 2))
    small = encode(Image.new("RGB", (50, 50)), "PNG")
    assert reason(small, Limits(picture_bytes=10)) == "too-large"
    assert reason(small, Limits(picture_pixels=2_499)) == "too-many-pixels"
    assert decode(small, Limits(picture_pixels=2_500)).width == 50


def test_blank_pictures_of_ordinary_size_are_no_bombs(encode):
    white = encode(Image.new("RGB", (2048, 2048), "white"), "WEBP", lossless=True)
    assert 2048 * 2048 / len(white) > 4_000
    assert decode(white).width == 2048


@pytest.mark.parametrize("form", FORMS)
def test_a_cut_file_is_refused_wherever_it_is_cut(photo, encode, form):
    data = encode(photo(2, 96, 64), form)
    cuts = {*range(len(data) - 12, len(data)), *range(70, len(data), len(data) // 25)}
    for cut in cuts:
        if form == "BMP" and len(data) - cut < 3:
            continue  # the padding of the last row
        assert reason(data[:cut]) in ("truncated", "broken"), f"cut at {cut} of {len(data)}"


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}, {"restart_marker_blocks": 3}],
    ids=str,
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_cut_jpeg_with_an_end_marker_put_behind_is_refused(photo, encode, options, mode):
    data = encode(photo(3).convert(mode), "JPEG", **options)
    assert decode(data).image.size == (320, 240)
    for share in (0.5, 0.75, 0.9, 0.97):
        cut = data[: int(len(data) * share)]
        Image.open(io.BytesIO(cut + b"\xff\xd9")).load()  # Pillow alone takes it
        assert reason(cut + b"\xff\xd9") == "truncated", share


@pytest.mark.parametrize("form", ["WEBP", "AVIF", "JPEG", "PNG"])
def test_a_file_whose_end_was_never_written_is_refused(photo, encode, form):
    data = encode(photo(4), form)
    half = len(data) // 2
    assert reason(data[:half] + bytes(len(data) - half)) in ("truncated", "broken")


@pytest.mark.parametrize("at_least", [None, 40, 100])
@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_scaled_decode_tells_the_true_size(photo, encode, at_least, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(encode(photo(1, 640, 400), "JPEG", exif=exif), at_least=at_least)
    size = (640, 400) if orientation == 1 else (400, 640)
    assert (picture.width, picture.height) == size
    scale = {None: 1, 40: 8, 100: 4}[at_least]
    assert picture.image.size == tuple(side // scale for side in size)


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 3}],
    ids=str,
)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.75, 0.9, 0.97, 0.995])
@pytest.mark.parametrize("strict", [True, False])
def test_a_scaled_decode_refuses_what_is_cut(  # noqa: PLR0917 - three of them are fixtures
    photo, encode, monkeypatch, options, share, strict
):
    if not strict:  # a machine for which there is no simplejpeg
        monkeypatch.setitem(sys.modules, "simplejpeg", None)
    data = encode(photo(3, 640, 480), "JPEG", **options)
    assert decode(data, at_least=60).image.width == 80
    cut = data[: int(len(data) * share)]
    for given in (cut, cut + b"\xff\xd9", cut + bytes(len(data) - len(cut))):
        with pytest.raises(UnreadablePicture) as caught:
            decode(given, at_least=60)
        assert caught.value.reason in ("truncated", "broken")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_without_its_last_bytes_is_refused(photo, encode, progressive, mode):
    data = encode(photo(3, 200, 150).convert(mode), "JPEG", progressive=progressive)
    for lost in range(2, 40):  # of its pixels; one less makes of its end a fill byte and an end
        given = data[: -2 - lost] + b"\xff\xd9"
        for at_least in (None, 30):
            with pytest.raises(UnreadablePicture):
                decode(given, at_least=at_least)


def test_fill_bytes_before_the_end_of_a_jpeg_are_no_loss(photo, encode):
    data = encode(photo(3, 200, 150), "JPEG")
    filled = data[:-1] + b"\xff\xd9"  # T.81, B.1.1.2
    assert decode(filled).image.tobytes() == decode(data).image.tobytes()


def test_a_jpeg_without_one_of_its_colours_is_refused(photo, encode):
    """A scan for each component, as scanners write them, made of three grey files."""
    parts = [encode(photo(seed, 64, 48).convert("L"), "JPEG") for seed in (1, 2, 3)]
    frame = parts[0].index(b"\xff\xc0")
    scan = [part.index(b"\xff\xda") for part in parts]
    head = parts[0][:frame]
    size = parts[0][frame + 5 : frame + 9]
    three = b"".join(bytes((one, 0x11, 0)) for one in (1, 2, 3))
    head += b"\xff\xc0" + (8 + 9).to_bytes(2, "big") + b"\x08" + size + b"\x03" + three
    head += parts[0][frame + 13 : scan[0]]  # the tables behind a frame of one component
    scans = [
        b"\xff\xda\x00\x08\x01" + bytes((number, 0)) + b"\x00\x3f\x00" + part[at + 10 : -2]
        for number, part, at in zip((1, 2, 3), parts, scan, strict=True)
    ]
    for at_least in (None, 20):
        whole = decode(head + b"".join(scans) + b"\xff\xd9", at_least=at_least)
        assert whole.width == 64
        for left in (1, 2):
            cut = head + b"".join(scans[:left]) + b"\xff\xd9"
            with pytest.raises(UnreadablePicture, match="scans are missing"):
                decode(cut, at_least=at_least)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"mode": "L"}, {"mode": "CMYK"}], ids=str
)
def test_a_small_decode_is_the_same_by_either_way(photo, encode, monkeypatch, options, strict):
    rest = {key: value for key, value in options.items() if key != "mode"}
    data = encode(photo(4, 1037, 523).convert(options.get("mode", "RGB")), "JPEG", **rest)
    asked = decode_small(data)
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    alone = decode_small(data)
    assert asked.image.size == (260, 131)
    assert asked.image.tobytes() == alone.image.tobytes()
    assert (asked.width, asked.height, asked.box) == (1037, 523, (0, 0, 259.25, 130.75))
    assert alone.box == asked.box


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((4000, 3000), (500, 375)),
        ((1733, 1155), (434, 289)),
        ((2048, 1024), (256, 128)),
        ((520, 390), (260, 195)),
        ((500, 375), (500, 375)),
        ((3000, 90), (3000, 90)),
        ((1, 1), (1, 1)),
    ],
)
def test_a_small_decode_keeps_what_codes_and_thumbnails_need(encode, size, small):
    picture = decode_small(encode(Image.new("RGB", size, "teal"), "JPEG"))
    assert picture.image.size == small
    assert (picture.width, picture.height) == size
    assert decode_small(encode(Image.new("RGB", (900, 800)), "PNG")).image.size == (900, 800)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_box_says_where_the_scaled_picture_lies(encode, orientation):
    """A white line at the file's right and lower edge fills one of eight source pixels."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    upright = Image.new("RGB", (1041, 1041), "gray")
    stored = upright if orientation == 1 else upright.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    left, top, right, bottom = decode_small(encode(stored, "JPEG", exif=exif)).box
    assert (right - left, bottom - top) == (260.25, 260.25)
    assert left == (0.75 if orientation in (2, 3, 6, 7) else 0)
    assert top == (0.75 if orientation in (3, 4, 7, 8) else 0)


def test_the_pixel_hash_of_a_small_decode_is_that_of_the_whole_picture(photo, encode):
    for form in ("JPEG", "PNG", "WEBP"):
        data = encode(photo(1, 900, 700), form)
        known = pixels_sha256(decode(data).image)
        assert whole_pixels_sha256(data, decode_small(data)) == known
        with Image.open(io.BytesIO(data)) as image:
            assert pixels_sha256(image.convert("RGB")) == known


def test_what_is_seen_on_grey(photo):
    clear = Image.new("RGBA", (3, 2), (255, 0, 0, 0))
    flat = flat_of(clear)
    assert (flat.colours.getpixel((1, 1)), flat.grey.getpixel((1, 1))) == ((128,) * 3, 128)
    assert not flat.scaled
    assert flat_of(flat) is flat


@pytest.mark.parametrize("form", FORMS)
def test_other_formats_are_decoded_whole_at_any_size(photo, encode, form):
    picture = decode(encode(photo(1), form), at_least=32)
    assert (picture.width, picture.height) == (320, 240)
    assert picture.image.size == ((80, 60) if form == "JPEG" else (320, 240))


def test_only_the_first_frame_of_an_animation_counts(encode):
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "lime", "blue")]
    for form in ("GIF", "WEBP", "PNG", "AVIF"):
        data = encode(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
        red, green, blue = decode(data).image.convert("RGB").getpixel((9, 9))
        assert red > 200, form
        assert max(green, blue) < 60, form


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_out_upright(orientation, encode):
    upright = Image.new("RGB", (64, 32), "white")
    upright.paste((255, 0, 0), (0, 0, 16, 16))  # the mark belongs into the upper left corner
    # What a camera stores so that the given orientation makes it upright again.
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright if orientation == 1 else upright.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(encode(stored, "PNG", exif=exif))
    assert (picture.width, picture.height) == (64, 32)
    assert picture.image.getpixel((4, 4)) == (255, 0, 0)
    assert picture.image.getpixel((60, 28)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_and_not_clipped(encode):
    ramp = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    for form in ("PNG", "TIFF"):
        picture = decode(encode(Image.fromarray(ramp), form))
        assert np.array_equal(np.asarray(picture.image)[..., 0].reshape(-1), np.arange(256))


def test_floats_are_refused_rather_than_guessed(encode):
    data = encode(Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32)), "TIFF")
    assert reason(data) == "unsupported"


def test_cmyk_and_grey_become_rgb(photo, encode):
    cmyk = decode(encode(photo(5).convert("CMYK"), "JPEG", quality=95))
    difference = np.asarray(cmyk.image, dtype=int) - np.asarray(photo(5), dtype=int)
    assert cmyk.image.mode == "RGB"
    assert np.abs(difference).mean() < 6
    assert decode(encode(photo(5).convert("L"), "PNG")).image.mode == "RGB"
    assert decode(encode(photo(5).convert("1"), "PNG")).image.mode == "RGB"


def test_transparency_of_every_kind_becomes_rgba(encode):
    drawn = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    drawn.paste((200, 10, 10, 255), (0, 0, 4, 8))
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([255, 255, 255, 200, 10, 10])
    palette.paste(1, (0, 0, 4, 8))
    keyed = Image.new("RGB", (8, 8), (1, 2, 3))
    keyed.paste((200, 10, 10), (0, 0, 4, 8))
    files = {
        "rgba": encode(drawn, "PNG"),
        "palette, one clear": encode(palette, "PNG", transparency=0),
        "palette, in bytes": encode(palette, "PNG", transparency=bytes([0, 255])),
        "colour key": encode(keyed, "PNG", transparency=(1, 2, 3)),
        "gif": encode(palette, "GIF", transparency=0),
        "grey": encode(drawn.convert("LA"), "PNG"),
        "webp": encode(drawn, "WEBP", lossless=True),
    }
    for name, data in files.items():
        image = decode(data).image
        assert image.mode == "RGBA", name
        assert image.getpixel((6, 6))[3] == 0, name
        assert image.getpixel((1, 1))[3] == 255, name


def test_hostile_bytes_never_raise_anything_else(photo, encode):
    dice = random.Random(11)
    small = photo(6, 48, 40)
    files = [encode(small, form) for form in FORMS]
    files += [encode(small.quantize(), "PNG"), encode(small, "JPEG", progressive=True)]
    files += [encode(small, "TIFF", compression=kind) for kind in ("tiff_lzw", "jpeg")]
    refused = 0
    for data in files:
        for _ in range(60):
            hurt = bytearray(data)
            for _ in range(dice.choice((1, 3, 30))):
                hurt[dice.randrange(len(hurt))] = dice.randrange(256)
            try:
                decode(bytes(hurt))
            except UnreadablePicture:
                refused += 1
    assert refused > 100


def test_nothing_global_is_left_behind(photo, encode):
    before = (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    decode(encode(photo(7), "JPEG"))
    reason(encode(photo(7), "JPEG")[:-200])
    after = (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    assert after == before
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_flat_backgrounds():
    half = Image.new("RGBA", (2, 1), (255, 255, 255, 0))
    half.putpixel((1, 0), (10, 20, 30, 255))
    assert flatten(half).getpixel((0, 0)) == (128, 128, 128)
    assert to_rgb(half, (1, 2, 3)).getpixel((0, 0)) == (1, 2, 3)
    assert to_rgb(half, (1, 2, 3)).getpixel((1, 0)) == (10, 20, 30)


def test_the_pixel_hash_is_of_what_is_seen(photo, encode):
    picture = photo(8, 40, 30)
    first = pixels_sha256(picture)
    assert first == pixels_sha256(decode(encode(picture, "PNG")).image)
    assert first == pixels_sha256(decode(encode(picture, "BMP")).image)
    assert first == pixels_sha256(picture.convert("RGBA"))
    assert first != pixels_sha256(picture.transpose(Image.Transpose.TRANSPOSE))
    other = picture.copy()
    other.putpixel((39, 29), tuple(255 - value for value in other.getpixel((39, 29))))
    assert first != pixels_sha256(other)
    hidden = [Image.new("RGBA", (3, 3), (red, 0, 0, 0)) for red in (0, 255)]
    assert pixels_sha256(hidden[0]) == pixels_sha256(hidden[1])
    assert pixels_sha256(Image.new("RGB", (2, 6))) != pixels_sha256(Image.new("RGB", (6, 2)))
