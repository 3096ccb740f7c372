"""Are the codes those of imagehash, and do copies keep them?"""

from __future__ import annotations

import imagehash
import pytest
from PIL import Image

from picdeed.imaging.candidates import candidate_pairs
from picdeed.imaging.decode import flatten
from picdeed.imaging.fingerprints import ALGORITHM, Fingerprint, fingerprint


def test_codes_are_the_published_ones(photo):
    found = fingerprint(photo(1))
    assert found.algorithm == ALGORITHM
    assert found.phash_hex == str(imagehash.phash(photo(1)))
    assert found.dhash_hex == str(imagehash.dhash(photo(1)))
    assert len(found.colour) == 48


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


def test_copies_are_candidates_and_strangers_mostly_not(photo, lino, encode):
    originals = [make(seed) for seed in range(15) for make in (photo, lino)]
    copies = [image.resize((image.width // 2, image.height // 2)) for image in originals]
    codes = [fingerprint(image) for image in originals + copies]
    found = candidate_pairs([c.phash for c in codes], [c.dhash for c in codes])
    n = len(originals)
    assert {(i, i + n) for i in range(n)} <= set(found)
    assert len(found) < 3 * n
