"""Are the codes those of imagehash, and do copies keep them?"""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image

from picdeed.imaging.decode import decode_small, flatten
from picdeed.imaging.fingerprints import ALGORITHM, Fingerprint, fingerprint
from picdeed.imaging.neighbours import pairs_within


def test_codes_are_the_published_ones(photo):
    found = fingerprint(photo(1))
    assert found.algorithm == ALGORITHM
    assert found.phash_hex == str(imagehash.phash(photo(1)))
    assert found.dhash_hex == str(imagehash.dhash(photo(1)))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (640, 480), (1200, 900)])
def test_every_size_has_the_published_codes(photo, size):
    for picture in (photo(3, *size), Image.new("RGB", size, "navy")):
        found = fingerprint(picture)
        assert found.phash_hex == str(imagehash.phash(picture))
        assert found.dhash_hex == str(imagehash.dhash(picture))


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("size", [(1037, 801), (2051, 1029)])
def test_a_scaled_decode_has_about_the_published_codes(photo, encode, size, orientation):
    undo = {3: 3, 6: 2}
    exif = Image.Exif()
    exif[0x0112] = orientation
    for seed in range(4):
        upright = photo(seed, *size)
        stored = upright if orientation == 1 else upright.transpose(undo[orientation])
        small = decode_small(encode(stored, "JPEG", quality=90, exif=exif))
        assert small.image.size != upright.size
        found = fingerprint(small)
        phash = int(str(imagehash.phash(upright)), 16)
        dhash = int(str(imagehash.dhash(upright)), 16)
        assert (found.phash ^ phash).bit_count() <= 2
        assert (found.dhash ^ dhash).bit_count() <= 3


def test_codes_survive_being_stored(photo):
    found = fingerprint(photo(2))
    again = Fingerprint.from_hex(found.algorithm, found.phash_hex, found.dhash_hex)
    assert (again.phash, again.dhash) == (found.phash, found.dhash)
    with pytest.raises(ValueError):
        Fingerprint.from_hex(ALGORITHM, "no hex", "00")


def test_transparency_is_seen_on_even_grey(lino):
    drawn = lino(1).convert("RGBA")
    drawn.putalpha(Image.linear_gradient("L").resize(drawn.size))
    assert fingerprint(drawn) == fingerprint(flatten(drawn))
    assert fingerprint(drawn) != fingerprint(drawn.convert("RGB"))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (2000, 3)])
def test_any_shape_has_a_code(size):
    assert fingerprint(Image.new("RGB", size, "navy")).phash >= 0


def test_copies_have_near_codes_and_strangers_mostly_not(photo, lino):
    originals = [make(seed) for seed in range(15) for make in (photo, lino)]
    copies = [image.resize((image.width // 2, image.height // 2)) for image in originals]
    hashes = np.array([fingerprint(image).phash for image in originals + copies], dtype=np.uint64)
    found = pairs_within(hashes[:, None], 10).tolist()
    n = len(originals)
    assert all([i, i + n] in found for i in range(n))
    assert len(found) < 3 * n
