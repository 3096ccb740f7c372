"""Of thousands of pictures with one code, are the real copies proposed, and few pairs else?"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from picdeed.imaging.alike import Looks, Marks, measures
from picdeed.imaging.codes import Turn, codes_of
from picdeed.imaging.fingerprints import fingerprint
from picdeed.imaging.near import Coded, near_pairs


def marks_of(pictures: list[Image.Image], colours: np.ndarray, sizes: np.ndarray) -> Marks:
    seen = [fingerprint(one) for one in pictures]
    hashes = [(int(one.phash_hex, 16), int(one.dhash_hex, 16)) for one in seen]
    shape = [(*one.size, size) for one, size in zip(pictures, sizes.tolist(), strict=True)]
    n = len(pictures)
    return Marks(
        colours, np.array(hashes, np.uint64), np.array(shape), np.arange(n, dtype=np.uint64)
    )


def saved_again(picture: Image.Image) -> Image.Image:
    data = io.BytesIO()
    picture.resize((40, 40), Image.Resampling.BICUBIC).save(data, "JPEG", quality=80)
    return Image.open(data).convert("RGB")


def test_copies_among_five_thousand_blank_pictures():
    rng = np.random.default_rng(1)
    n, copies = 5_000, 20
    shades = rng.integers(20, 236, (n - copies, 3))
    pictures = [Image.new("RGB", (24, 24), tuple(shade)) for shade in shades.tolist()]
    originals = rng.choice(n - copies, copies, replace=False)
    pictures += [saved_again(pictures[at]) for at in originals]
    codes = codes_of(pictures)
    assert len({code.plain.tobytes() for code in codes}) == 1
    plain = Coded.of(codes)
    colours = np.stack([code.colours for code in codes])
    marks = marks_of(pictures, colours, rng.integers(100, 900, n))
    coded = Coded(n, plain.owner, plain.turned, plain.trimmed, marks)

    pairs = {tuple(row) for row in near_pairs(coded).pairs.tolist()}
    real = {(int(at), n - copies + i) for i, at in enumerate(originals)}
    assert real <= pairs
    assert len(pairs) < 8 * n
    # What is new asks for no more than what it needs.
    new = near_pairs(coded, new=np.array([n - 1])).pairs
    assert (new == n - 1).any(axis=1).all()
    assert {tuple(row) for row in new.tolist()} == {pair for pair in pairs if n - 1 in pair}


def test_a_hundred_thousand_copies_of_one_picture_are_a_star_around_the_best():
    n = 100_000
    code = codes_of([Image.new("RGB", (8, 8), "teal")])[0]
    shape = np.tile(np.array([[300, 200, 5_000]]), (n, 1))
    shape[77_777] = 600, 400, 9_000
    marks = Marks(
        np.tile(code.colours, (n, 1)),
        np.full((n, 2), 7, dtype=np.uint64),
        shape,
        np.arange(n, dtype=np.uint64)[::-1],
    )
    turned = np.zeros((n, len(Turn), 4), dtype=np.uint64)
    found = near_pairs(Coded(n, np.arange(n), turned, np.zeros(n, dtype=bool), marks))
    assert len(found.pairs) == n - 1
    assert (found.pairs == 77_777).any(axis=1).all()


def test_looks_with_equal_colours_are_told_apart_by_hashes():
    """White pages with a line of text each: one code, one grid, other hashes."""
    rng = np.random.default_rng(2)
    n = 3_000
    hashes = rng.integers(0, 2**64, (n, 2), dtype=np.uint64)
    hashes[1::100] = hashes[::100] ^ np.uint64(0b101)  # four bits of 128
    marks = Marks(
        np.full((n, 192), 250, dtype=np.uint8),
        hashes,
        np.ones((n, 3), dtype=np.int64),
        np.arange(n, dtype=np.uint64),
    )
    pairs = {tuple(row) for row in Looks(np.arange(n), marks).pairs().tolist()}
    assert {(at, at + 1) for at in range(0, n, 100)} <= pairs
    assert len(pairs) < 1.5 * n


def test_crowded_hashes_are_no_quadratic_work():
    rng = np.random.default_rng(3)
    n = 4_000
    hashes = np.zeros((n, 2), dtype=np.uint64)
    for row in hashes:
        for bit in rng.choice(128, 3, replace=False):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    marks = Marks(
        np.full((n, 192), 250, dtype=np.uint8),
        hashes,
        np.ones((n, 3), dtype=np.int64),
        np.arange(n, dtype=np.uint64),
    )
    assert len(Looks(np.arange(n), marks).pairs()) < 8 * n


def test_measures_are_the_same_in_every_turn():
    rng = np.random.default_rng(4)
    grid = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    turned = np.stack([grid.reshape(-1), grid[::-1].reshape(-1), grid.swapaxes(0, 1).reshape(-1)])
    found = measures(turned)
    assert found.shape == (3, 6)
    assert np.allclose(found, found[0], atol=2e-3)
