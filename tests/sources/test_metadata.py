import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from picdeed.core.errors import SourceError, UsageError
from picdeed.core.limits import DEFAULT, Limits
from picdeed.sources.metadata import fields_of, parse_table, read_table


def _fields(table, relative, absolute=None):
    return [dict(row.fields) for row in table.lookup(relative, absolute)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_three_forms_say_the_same(tmp_path, suffix):
    rows = [
        {
            "file_name": "a.png",
            "license": "CC-BY-4.0",
            "author": "Ann, B.",
            "title": "",
            "extra": "1",
        },
        {
            "file_name": "sub/b.png",
            "license": "CC0-1.0",
            "author": "",
            "title": "Überschrift",
            "extra": "",
        },
    ]
    path = tmp_path / f"table{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    else:
        path.write_text(
            "\ufefffile_name, License,author,title,extra\n"
            'a.png,CC-BY-4.0,"Ann, B.",,1\n\nsub/b.png,CC0-1.0,,Überschrift,\n'
        )
    table = read_table(path)
    assert _fields(table, "a.png") == [{"license": "CC-BY-4.0", "author": "Ann, B."}]
    assert _fields(table, "sub/b.png") == [{"license": "CC0-1.0", "title": "Überschrift"}]
    assert _fields(table, "c.png") == []
    unread = (
        [] if suffix == ".parquet" else [f"{path.name}: columns that picdeed does not read: extra"]
    )
    assert table.warnings == unread  # Parquet's other columns are not even loaded


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("t.jsonl", '{"file_name": "a.png"}\nnot json\n', "line 2 is no JSON object"),
        ("t.jsonl", '{"file_name": "a.png"}\n[1]\n', "line 2 is no JSON object"),
        ("t.jsonl", '{"file_name": "a.png", "license": "MIT", "license": "NC"}', "line 1"),
        ("t.jsonl", '{"file_name": "a.png"}\n{"license": "MIT"}\n', "line 2 has no file_name"),
        ("t.jsonl", '{"file_name": ' + "[" * 100_000, "line 1 is no JSON object"),
        ("t.csv", "file_name,license\na.png\n", "line 2 has 1 cells, not 2"),
        ("t.csv", "file_name,title,license\na.png,Hi, there,MIT\n", "line 2 has 4 cells, not 3"),
        ("t.csv", 'file_name,license\na.png,"MIT\n', "line 2"),
        ("t.csv", "file_name,license,license\na.png,MIT,NC\n", "two columns have the same name"),
    ],
)
def test_a_table_in_doubt_is_refused_as_a_whole(name, text, why):
    # A dropped row might be the one that forbids: nothing may pass in its place.
    with pytest.raises(SourceError, match=why):
        parse_table(text.encode(), name)


def test_bytes_that_are_no_table(tmp_path):
    with pytest.raises(SourceError, match="not UTF-8"):
        parse_table(b"file_name,license\na\xff.png,MIT\n", "t.csv")
    with pytest.raises(SourceError, match="no Parquet file"):
        parse_table(b"PAR1 and nothing", "t.parquet")
    with pytest.raises(UsageError, match="no metadata table"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "prose.txt").write_text("All pictures by Ann.")
    with pytest.raises(SourceError, match="no table that picdeed reads"):
        read_table(tmp_path / "prose.txt")
    (tmp_path / "semi.csv").write_text("file_name;license\na.png;MIT\n")
    with pytest.raises(SourceError, match="no column 'file_name'") as error:
        read_table(tmp_path / "semi.csv")
    assert "commas" in error.value.hint


def test_limits_hold_before_and_after_unpacking(tmp_path):
    path = tmp_path / "t.parquet"
    rows = [{"file_name": f"{n}.png", "title": "x" * 500} for n in range(400)]
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 20_000
    with pytest.raises(SourceError, match="unpacks to more than"):
        read_table(path, Limits(metadata_bytes=100_000))
    with pytest.raises(SourceError, match="larger than 10 bytes"):
        read_table(path, Limits(metadata_bytes=10))


def test_file_names_are_relative_to_the_table_and_else_to_the_source(tmp_path):
    (tmp_path / "pics").mkdir()
    for name in ("a.png", "pics/a.png", "pics/b.png"):
        (tmp_path / name).touch()
    path = tmp_path / "table.csv"
    path.write_text("file_name,license\na.png,MIT\nb.png,CC0-1.0\n")
    table = read_table(path)
    pics = tmp_path / "pics"
    # `a.png` beside the table is another picture: its licence may not wander.
    assert _fields(table, "a.png", str(pics / "a.png")) == []
    assert _fields(table, "b.png", str(pics / "b.png")) == [{"license": "CC0-1.0"}]
    assert _fields(table, "a.png", str(tmp_path / "a.png")) == [{"license": "MIT"}]
    path.write_text(f"file_name,license\n./pics/../pics/a.png,MIT\n{pics / 'b.png'},CC0-1.0\n")
    table = read_table(path)
    assert _fields(table, "a.png", str(pics / "a.png")) == [{"license": "MIT"}]
    assert _fields(table, "b.png", str(pics / "b.png")) == [{"license": "CC0-1.0"}]


def test_two_rows_about_one_picture_are_both_kept_and_named():
    table = parse_table(b"file_name,license\na.png,MIT\nb.png,MIT\na.png,CC-BY-NC-4.0\n", "t.csv")
    assert [row["license"] for row in _fields(table, "a.png")] == ["MIT", "CC-BY-NC-4.0"]
    assert table.warnings == ["t.csv: lines 2 and 4 differ about a.png; all are kept"]


def test_rows_that_name_nothing_are_counted():
    table = parse_table(b"file_name\na.png\nb.png\nc.png\nd.png\ne.png\n", "t.csv")
    table.lookup("c.png")
    assert table.unused() == [
        "t.csv: 4 named files are not in the source: a.png, b.png, d.png, ..."
    ]


def test_accents_are_the_same_in_either_spelling():
    table = parse_table("file_name,license\ncafé.png,MIT\n".encode(), "t.csv")
    assert _fields(table, "cafe\u0301.png") == [{"license": "MIT"}]


def test_values_that_are_no_text_never_look_like_a_licence():
    said = fields_of({"license": ["CC0-1.0"], "title": None, "author": 7, "text": "hello"})
    assert said == {"license": '["CC0-1.0"]', "author": "7", "caption": "hello"}
    assert fields_of({"caption": "mine", "text": "theirs"}) == {"caption": "mine"}


def test_hostile_text_is_spelled_out():
    table = parse_table(b'{"file_name": "a.png", "title": "\\ud800\\u0000"}', "t.jsonl")
    assert _fields(table, "a.png") == [{"title": "\\ud800\\x00"}]


def test_the_default_limits_are_generous():
    assert DEFAULT.metadata_bytes >= 1 << 26
