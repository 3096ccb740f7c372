import io
import json

import imagehash
import pytest
from PIL import Image

from picdeed.core.errors import UsageError
from picdeed.sources.demo_set import GOOD, Cause, write_demo_pictures
from picdeed.sources.linocut import UNSEEN

_WORDS = (
    "cat dog panda frog penguin fish whale butterfly ladybug apple pear lemon strawberry"
    " watermelon cherries mushroom cactus tree sunflower clover heart star sun umbrella house"
    " sailboat rocket doughnut"
)
BASE_WORDS = set(_WORDS.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "pictures"
    return write_demo_pictures(folder)


def _bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _rows(folder):
    lines = (folder / "metadata.jsonl").read_text().splitlines()
    return {row["file_name"]: row for row in map(json.loads, lines)}


def _phash(data):
    return imagehash.phash(Image.open(io.BytesIO(data)))


def test_enough_good_pictures_of_what_the_base_knows(folder):
    assert len(folder.good) >= 36
    assert len(BASE_WORDS) == 28
    assert set(GOOD) >= BASE_WORDS
    assert not set(GOOD) & set(UNSEEN)
    rows = _rows(folder.folder)
    for name in folder.good:
        row = rows[name]
        assert row["license"] == "CC0-1.0"
        assert row["author"] == "picdeed"
        assert row["caption"] == row["title"].lower()
        assert row["title"]
    assert set(rows) == {*folder.good, *folder.special.values()}


def test_the_bytes_are_the_same_on_every_run(folder, tmp_path):
    again = write_demo_pictures(tmp_path / "again")
    assert _bytes(again.folder) == _bytes(folder.folder)
    write_demo_pictures(tmp_path / "again")  # a second time changes nothing
    assert _bytes(again.folder) == _bytes(folder.folder)


def test_copies_are_copies(folder):
    files = _bytes(folder.folder)
    assert set(folder.originals) == {
        Cause.EXACT_COPY,
        Cause.JPEG_COPY,
        Cause.WEBP_COPY,
        Cause.SMALL_COPY,
    }
    rows = _rows(folder.folder)
    for cause, original in folder.originals.items():
        copy = folder.special[cause]
        assert (files[copy] == files[original]) == (cause is Cause.EXACT_COPY)
        assert _phash(files[copy]) - _phash(files[original]) <= 4
        assert rows[copy]["license"] == rows[original]["license"]
        assert rows[copy]["caption"] == rows[original]["caption"]
    small = Image.open(folder.folder / folder.special[Cause.SMALL_COPY])
    assert small.size == (153, 153)
    formats = {Image.open(folder.folder / name).format for name in folder.special.values()}
    assert formats == {"PNG", "JPEG", "WEBP"}


def test_the_opt_out_is_inside_the_file_and_nowhere_else(folder):
    name = folder.special[Cause.OPT_OUT]
    with Image.open(folder.folder / name) as image:
        packet = image.info["XML:com.adobe.xmp"]
    assert "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING" in packet
    assert _rows(folder.folder)[name]["license"] == "CC0-1.0"
    marked = [name for name, data in _bytes(folder.folder).items() if b"DataMining" in data]
    assert marked == [name]


def test_conditions_stand_in_the_table(folder):
    rows = _rows(folder.folder)
    assert rows[folder.special[Cause.NON_COMMERCIAL]]["license"] == "CC-BY-NC-4.0"
    assert "license" not in rows[folder.special[Cause.UNLICENSED]]


@pytest.mark.parametrize("cause", list(Cause))
def test_without_a_cause_exactly_that_cause_is_gone(folder, tmp_path, cause):
    other = write_demo_pictures(tmp_path / "other", without=cause.value)
    before, after = _bytes(folder.folder), _bytes(other.folder)
    assert other.good == folder.good
    name = other.special[cause]
    changed = {one for one in before.keys() | after.keys() if before.get(one) != after.get(one)}
    assert changed <= {folder.special[cause], name, "metadata.jsonl"}
    assert _rows(other.folder)[name]["license"] == "CC0-1.0"
    assert b"DataMining" not in after[name]
    everything = [data for file, data in after.items() if file not in (name, "metadata.jsonl")]
    assert min(_phash(after[name]) - _phash(data) for data in everything) > 12


def test_foreign_files_are_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(UsageError, match=r"mine\.txt already; no demo picture was written"):
        write_demo_pictures(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ValueError, match="nonsense"):
        write_demo_pictures(tmp_path / "new", without="nonsense")
    assert not (tmp_path / "new").exists()
