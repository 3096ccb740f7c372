import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Features, Image, Value

from picdeed.core.errors import SourceError
from picdeed.sources import Refused, open_source


def test_what_hugging_face_writes_is_read(tmp_path, png, listed):
    rows = {
        "image": [{"bytes": png(n), "path": f"{n}.png"} for n in range(40)],
        "text": [f"picture {n}" for n in range(40)],
        "license": ["CC0-1.0"] * 39 + [None],
    }
    features = Features({"image": Image(), "text": Value("string"), "license": Value("string")})
    path = tmp_path / "train-00000-of-00001.parquet"
    Dataset.from_dict(rows, features=features).to_parquet(str(path))
    found = listed(path)
    assert len(found.items) == 40
    name = "train-00000-of-00001.parquet/row-18/17.png"
    assert found.bytes[name] == png(17)
    assert found.items[name].caption == "picture 17"
    assert found.items[name].fields["license"] == "CC0-1.0"
    assert found.items[name].statements[0].where == "train-00000-of-00001.parquet row-18"
    assert "license" not in found.items["train-00000-of-00001.parquet/row-40/39.png"].fields


def test_rows_without_bytes_are_refused_one_by_one(tmp_path, png, listed):
    rows = [
        {"image": {"bytes": png(), "path": None}},
        {"image": {"bytes": None, "path": "/etc/x.png"}},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    found = listed(tmp_path / "x.parquet")
    assert list(found.items) == ["x.parquet/row-1"]
    assert found.refused == {"x.png": "no-bytes"}


def test_plain_binary_columns_by_a_pictures_name(tmp_path, png, listed):
    pq.write_table(pa.table({"jpg": [png(3)], "caption": ["three"]}), tmp_path / "x.parquet")
    found = listed(tmp_path / "x.parquet")
    assert found.bytes == {"x.parquet/row-1": png(3)}
    assert found.items["x.parquet/row-1"].caption == "three"


def test_a_table_of_numbers_is_no_source(tmp_path, listed):
    pq.write_table(pa.table({"loss": [0.5]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="no column of pictures"):
        listed(tmp_path / "x.parquet")
    assert listed(tmp_path).skipped == {"x.parquet": "Parquet without a column of pictures"}


def test_a_broken_shard(tmp_path, png, listed):
    path = tmp_path / "x.parquet"
    table = pa.table({"image": [png(n) * 30 for n in range(64)]})
    pq.write_table(table, path, row_group_size=16, compression="none")
    data = bytearray(path.read_bytes())
    path.write_bytes(bytes(data[:-20]))
    with pytest.raises(SourceError, match="no whole Parquet file"):
        listed(path)
    assert listed(tmp_path).refused == {"x.parquet": "unreadable-file"}
    data[len(data) // 2 : len(data) // 2 + 5000] = b"\xff" * 5000  # rows after a good start
    path.write_bytes(bytes(data))
    found = list(open_source(path, is_picture=bool))
    assert not isinstance(found[0], Refused)
