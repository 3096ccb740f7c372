"""Does the index answer as a scan of all codes would, after insertions, removals and accidents?"""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picdeed.imaging import index as made
from picdeed.imaging.index import StaleIndex, build, open_index
from picdeed.imaging.join import Engine, available


@pytest.fixture(autouse=True, params=available())
def engine(request, monkeypatch):
    monkeypatch.setattr(made, "available", lambda: (request.param,))
    monkeypatch.setattr(made, "_MERGE_LEAST", 40)
    return Engine(request.param)


def family(rng: np.random.Generator, n: int) -> np.ndarray:
    """Codes around few centres, so that queries have answers."""
    codes = rng.integers(0, 2**64, (5, 4), dtype=np.uint64)[rng.integers(0, 5, n)]
    for row in codes:
        for bit in rng.integers(0, 256, rng.integers(0, 40)):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return codes


def scanned(codes: np.ndarray, query: np.ndarray, radius: int) -> dict[int, int]:
    apart = np.bitwise_count(codes ^ query).sum(axis=1)
    return {int(at): int(apart[at]) for at in np.flatnonzero(apart <= radius)}


def answered(found: tuple[np.ndarray, np.ndarray]) -> dict[int, int]:
    places, apart = (one.tolist() for one in found)
    assert places == sorted(set(places))
    return dict(zip(places, apart, strict=True))


@given(st.integers(0, 2**32), st.sampled_from([0, 1, 30, 120]), st.sampled_from([0, 10, 31, 60]))
@settings(max_examples=25, deadline=None)
def test_it_grows_and_still_answers_as_a_scan_does(tmp_path_factory, seed, n, radius):
    folder = tmp_path_factory.mktemp("index")
    rng = np.random.default_rng(seed)
    codes = family(rng, n)
    index = build(folder, codes, radius, "x/1")
    gone: set[int] = set()
    for _ in range(6):
        more = family(rng, int(rng.integers(0, 30)))
        assert index.add(more).tolist() == list(range(len(codes), len(codes) + len(more)))
        codes = np.concatenate((codes, more))
        if len(codes):
            removed = rng.integers(0, len(codes), 2)
            index.remove(removed)
            gone |= set(removed.tolist())
        if rng.random() < 0.5:
            index = open_index(folder, "x/1")
        assert len(index) == len(codes)
        for query in (*codes[-3:], *family(rng, 2)):
            for asked in {radius, radius // 2}:
                wanted = scanned(codes, query, asked)
                wanted = {at: bits for at, bits in wanted.items() if at not in gone}
                assert answered(index.query(query, asked)) == wanted


def test_what_was_added_is_merged_and_old_files_go(tmp_path):
    rng = np.random.default_rng(1)
    index = build(tmp_path, family(rng, 50), 31, "x/1")
    index.add(family(rng, 39))
    index.remove(np.array([3]))
    assert (tmp_path / "segment-0").is_dir()
    index.add(family(rng, 5))
    assert {p.name for p in tmp_path.iterdir()} == {"header.json", "segment-1", "delta-1", "gone-1"}
    code = np.load(tmp_path / "segment-1" / "codes.npy")[3]
    assert 3 not in index.query(code, 0)[0]
    assert 3 not in open_index(tmp_path, "x/1").query(code, 0)[0]


def test_a_record_that_a_kill_cut_short_was_never_promised(tmp_path):
    rng = np.random.default_rng(2)
    codes = family(rng, 60)
    index = build(tmp_path, codes[:50], 31, "x/1")
    index.add(codes[50:53])
    delta = tmp_path / "delta-0"
    delta.write_bytes(delta.read_bytes()[:-9])
    again = open_index(tmp_path, "x/1")
    assert len(again) == 52
    again.add(codes[53:55])
    again = open_index(tmp_path, "x/1")
    assert len(again) == 54
    assert 52 in again.query(codes[53], 0)[0]


@pytest.mark.parametrize("name", ["segment-0/ids.npy", "segment-0/codes.npy", "delta-0", "gone-0"])
def test_a_damaged_file_is_noticed(tmp_path, name):
    rng = np.random.default_rng(3)
    index = build(tmp_path, family(rng, 50), 31, "x/1")
    index.add(family(rng, 3))
    index.remove(np.array([1]))
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 4
    (tmp_path / name).write_bytes(data)
    with pytest.raises(StaleIndex, match="damaged"):
        open_index(tmp_path, "x/1")


def test_an_index_of_other_codes_or_none_is_not_used(tmp_path):
    with pytest.raises(StaleIndex):
        open_index(tmp_path, "x/1")
    build(tmp_path, family(np.random.default_rng(4), 9), 31, "x/1")
    with pytest.raises(StaleIndex, match="not of x/2"):
        open_index(tmp_path, "x/2")
    header = json.loads((tmp_path / "header.json").read_text())
    for wrong in ({**header, "format": 9}, {**header, "sums": {}}, {**header, "generation": 7}, []):
        (tmp_path / "header.json").write_text(json.dumps(wrong))
        with pytest.raises(StaleIndex):
            open_index(tmp_path, "x/1")
    (tmp_path / "header.json").write_text("{")
    with pytest.raises(StaleIndex):
        open_index(tmp_path, "x/1")
    build(tmp_path, family(np.random.default_rng(5), 9), 31, "x/1")  # built anew over it
    assert len(open_index(tmp_path, "x/1")) == 9


def test_what_cannot_be_asked_is_refused(tmp_path):
    index = build(tmp_path, family(np.random.default_rng(6), 9), 31, "x/1")
    with pytest.raises(ValueError, match="0 to 31"):
        index.query(np.zeros(4, dtype=np.uint64), 32)
    with pytest.raises(ValueError, match="words"):
        index.query(np.zeros(1, dtype=np.uint64))
    with pytest.raises(IndexError, match="0 to 8"):
        index.remove(np.array([9]))
