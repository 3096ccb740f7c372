"""Do pictures reach the model upright, on white, square and unchanged?"""

from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from PIL import Image

from picdeed.core.errors import IntegrityError, UnreadablePicture
from picdeed.diffusion.data import Frame, boxes, dataset_of, fit, frame, pictures_of, pixels, square


def test_members_become_a_dataset_with_an_image_column(ink):
    dataset = dataset_of(ink)
    assert isinstance(dataset, Dataset)
    assert dataset.column_names == ["picture", "image", "caption"]
    assert dataset[3]["caption"] == "print 3"
    assert dataset[3]["image"].size == (32, 32)


def test_pictures_come_as_floats_from_minus_one_to_one(ink):
    pictures = dict(pictures_of(dataset_of(ink), square(16)))
    assert list(pictures) == [trainee.picture for trainee in ink]
    for picture in pictures.values():
        assert picture.shape == (3, 16, 16)
        assert picture.dtype == torch.float32
        assert -1 <= picture.min() < picture.max() <= 1


def test_transparent_parts_are_white_and_not_what_lies_beneath(save_picture):
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 16, 32))
    ((_, picture),) = pictures_of(dataset_of([save_picture(image, "half")]), square(32))
    assert picture[:, 5, 5].tolist() == [-1, -1, -1]
    assert picture[:, 5, 25].tolist() == [1, 1, 1]


def test_a_palette_with_a_transparent_colour_is_on_white_too():
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 200, 30] + [0, 0, 0] * 255)
    image.info["transparency"] = 0
    assert fit(image, (8, 8)).getpixel((4, 4)) == (255, 255, 255)


def test_the_orientation_in_a_file_is_obeyed(save_picture):
    image = Image.new("RGB", (32, 32), "white")
    image.paste("black", (0, 0, 32, 8))
    turned = save_picture(image, "turned", "jpeg")
    data = Image.open(turned.path)
    exif = Image.Exif()
    exif[0x0112] = 3
    path = Path(turned.path).with_name("turned.jpeg")
    data.save(path, exif=exif, quality=95)
    ((_, picture),) = pictures_of(dataset_of([save_picture_as_is(path)]), square(32))
    assert picture[0, 2, 16] > 0.9
    assert picture[0, 29, 16] < -0.9


def save_picture_as_is(path):
    from picdeed.core.ids import make_id, sha256_file
    from picdeed.diffusion.plan import Trainee

    return Trainee(picture=make_id("img", sha256_file(path)), path=str(path))


@pytest.mark.parametrize("size", [(64, 32), (32, 64), (7, 500), (33, 32), (1, 1)])
def test_the_short_side_is_fitted_and_the_middle_kept(size):
    wide, high = size
    image = Image.new("RGB", size, "white")
    image.paste("black", (wide // 4, high // 4, -(-wide * 3 // 4), -(-high * 3 // 4)))
    fitted = fit(image, (32, 32))
    assert fitted.size == (32, 32)
    assert fitted.getpixel((16, 16)) == (0, 0, 0)


def test_sixteen_bit_greys_are_scaled_and_not_clipped():
    image = Image.fromarray(np.full((8, 8), 0x8000, dtype=np.uint16))
    assert fit(image, (8, 8)).getpixel((0, 0)) == (128, 128, 128)


def test_a_grey_picture_has_three_equal_channels():
    grey = pixels(fit(Image.new("L", (9, 9), 200), (8, 8)))
    assert torch.equal(grey[0], grey[1])
    assert grey.shape == (3, 8, 8)


def test_bytes_that_are_not_the_registered_ones_are_never_trained_on(ink):
    path = Path(ink[2].path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=ink[2].picture[:16]):
        dataset_of(ink)
    path.unlink()
    with pytest.raises(IntegrityError, match=ink[2].picture[:16]):
        dataset_of(ink)


def test_a_picture_that_does_not_decode_is_named(tmp_path, ink):
    path = tmp_path / "broken"
    path.write_bytes(Path(ink[0].path).read_bytes()[:60])
    broken = save_picture_as_is(path)
    with pytest.raises(UnreadablePicture, match=broken.picture[:16]):
        list(pictures_of(dataset_of([ink[1], broken]), square(32)))


def test_a_frame_says_where_the_square_was_cut_out_upright(save_picture):
    image = Image.new("RGB", (96, 64), "white")
    image.paste("black", (24, 0, 25, 64))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    image.save(turned := Path(save_picture(image, "bar").path).with_name("turned.jpg"), exif=exif)
    told = frame(turned, square(32))
    assert told == Frame(height=96, width=64, top=8, left=0, high=32, wide=32)
    with pytest.raises(UnreadablePicture):
        frame(turned.with_name("none"), square(32))


def test_boxes_have_the_square_s_area_whole_grains_and_no_shape_twice():
    found = boxes(512, 64)
    assert (512, 512) in found.boxes
    for wide, high in found.boxes:
        assert wide % 64 == high % 64 == 0
        assert 512 * 512 * 0.8 < wide * high <= 512 * 512
        assert max(wide, high) <= 2.5 * min(wide, high)
        assert (high, wide) in found.boxes
    shapes = [wide / high for wide, high in found.boxes]
    assert len(set(shapes)) == len(shapes) > 5


@pytest.mark.parametrize(
    ("own", "box"), [((512, 512), (512, 512)), ((900, 600), (640, 384)), ((3, 4000), (320, 768))]
)
def test_a_picture_goes_to_the_box_of_the_nearest_shape(own, box):
    found = boxes(512, 64)
    assert found.nearest(own) == box
    assert found.nearest(own[::-1]) == box[::-1]


def test_a_wide_picture_keeps_its_edges_in_a_box_and_loses_them_in_a_square(save_picture):
    image = Image.new("RGB", (96, 48), "white")
    image.paste("black", (0, 0, 8, 48))
    wide = save_picture(image, "wide")
    ((_, boxed),) = pictures_of(dataset_of([wide]), boxes(64, 4))
    ((_, squared),) = pictures_of(dataset_of([wide]), square(64))
    assert boxed.shape[2] / boxed.shape[1] == pytest.approx(2, rel=0.15)
    assert boxed[0, 20, 2] < -0.9
    assert squared.min() > 0.9, "the black edge was cut off"
    told = frame(Path(wide.path), boxes(64, 4))
    assert (told.high, told.wide) == tuple(boxed.shape[1:])
