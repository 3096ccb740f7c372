"""Are candidates those of all pictures, of new ones a part, and does erasure reach the cache?"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageOps

from picdeed.flow import pipeline
from picdeed.flow.likeness import candidates, coded, of_columns
from picdeed.flow.takeback import erase_picture
from picdeed.imaging.codes import ALGORITHM
from picdeed.imaging.fingerprints import ALGORITHM as FINGERPRINT
from picdeed.registry import codes
from picdeed.registry.code_cache import cached_columns
from picdeed.testing import tiny_picture


@pytest.fixture
def shown(registry, tmp_path):
    """(registry, ids by file): two drawings with a copy each, one with a mirrored one, one alone."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for at in (1, 2, 3, 4):
        tiny_picture(at, 160).save(folder / f"{at}.png")
    tiny_picture(1, 160).resize((120, 120)).save(folder / "1-small.png")
    ImageOps.mirror(tiny_picture(2, 160)).save(folder / "2-mirrored.png")
    ImageOps.expand(tiny_picture(3, 160), 30, "white").save(folder / "3-framed.png")
    done = pipeline.register(registry, folder, "drawings")
    return registry, {one.path.rsplit("/", 1)[-1]: one.id for one in done.ingested.pictures}


def pair(ids, one, other):
    return min(ids[one], ids[other]), max(ids[one], ids[other])


def test_copies_turned_and_framed_ones_are_candidates(shown):
    registry, ids = shown
    wanted = sorted(
        [
            pair(ids, "1.png", "1-small.png"),
            pair(ids, "2.png", "2-mirrored.png"),
            pair(ids, "3.png", "3-framed.png"),
        ]
    )
    assert candidates(registry) == wanted
    assert candidates(registry, [ids["2.png"], "img_unknown"]) == [
        wanted_with(wanted, ids["2.png"])
    ]
    assert candidates(registry, [ids["4.png"]]) == []
    assert candidates(registry, []) == []
    assert candidates(registry, list(ids.values())) == wanted


def wanted_with(pairs, one):
    (found,) = [pair for pair in pairs if one in pair]
    return found


def test_the_arrays_are_the_rows(shown):
    registry, _ = shown
    columns = cached_columns(registry, ALGORITHM, FINGERPRINT)
    with registry.read() as session:
        rows = codes.all_codes(session, ALGORITHM)
    place = {name: at for at, name in enumerate(columns.names.astype(str).tolist())}
    one, other = coded(rows), of_columns(columns)
    mine = [place[rows[at].picture_id] for at in one.owner.tolist()]
    assert one.trimmed.any()
    for row, (picture, trimmed) in enumerate(zip(mine, one.trimmed.tolist(), strict=True)):
        (same,) = np.flatnonzero((other.owner == picture) & (other.trimmed == trimmed))
        assert np.array_equal(one.turned[row], other.turned[same])


def test_an_erased_picture_leaves_the_cache_at_once(shown):
    registry, ids = shown
    assert candidates(registry)
    folder = registry.cache / "codes"
    gone = ids["2.png"].encode()
    assert any(gone in p.read_bytes() for p in folder.rglob("names"))
    erase_picture(registry, ids["2.png"], "Her letter of 3 March")
    assert not any(gone in p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert ids["2.png"] not in {one for found in candidates(registry) for one in found}
    assert not any(gone in p.read_bytes() for p in folder.rglob("names"))
