import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from picdeed.sources.huggingface import card_statements
from picdeed.sources.items import Origin


def _licenses(text):
    return [one.value for one in card_statements(text.encode(), "README.md")[0]]


def test_the_card_speaks_for_the_package():
    statements, notes = card_statements(
        b"---\nlicense: cc-by-4.0\ntags: [art]\n---\n# Set\n", "README.md"
    )
    assert [(one.field, one.value, one.origin) for one in statements] == [
        ("license", "cc-by-4.0", Origin.PACKAGE)
    ]
    assert notes == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense:\n- cc0-1.0\n- cc-by-nc-4.0\n---\n", ["cc0-1.0", "cc-by-nc-4.0"]),
        ("---\r\nlicense: mit\r\n---\r\n", ["mit"]),
        ("---\nlicense: mit\nlicense: cc-by-nc-4.0\n---\n", ["mit", "cc-by-nc-4.0"]),
        ("---\nlicense: other\nlicense_name: mine\n---\n", ["other"]),
        ("---\nlicense:\n---\n", []),
        ("---\nlicense: {a: b}\n---\n", ["unreadable entry"]),
        ("# A readme\nlicense: mit\n", []),
        ("---\ntitle: x\n---\nlicense: mit\n", []),
        ("", []),
    ],
)
def test_licences_in_cards(text, expected):
    assert _licenses(text) == expected


def test_yaml_that_cannot_be_read_still_binds():
    statements, notes = card_statements(b"---\nlicense: [mit\n---\n", "README.md")
    assert [one.value for one in statements] == ["unreadable YAML in README.md"]
    assert "counts as unknown" in notes[0]


def test_yaml_builds_no_objects_and_does_not_grow():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert _licenses(f"---\n{bomb}license: *i\n---\n") == ["unreadable entry"] * 9
    assert _licenses("---\nlicense: !!python/object/apply:os.system [echo]\n---\n") == ["echo"]


def test_a_dataset_folder_as_it_is_downloaded(tmp_path, png, listed):
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-sa-4.0\n---\n# Pictures\n")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.png").write_bytes(png(1))
    (tmp_path / "train" / "metadata.jsonl").write_text(
        '{"file_name": "a.png", "text": "first", "license": "CC0-1.0"}\n'
    )
    (tmp_path / "data").mkdir()
    rows = [{"image": {"bytes": png(2), "path": "b.png"}, "caption": "second"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / "test-0.parquet")
    found = listed(tmp_path)
    assert {name: item.caption for name, item in found.items.items()} == {
        "data/test-0.parquet/row-1/b.png": "second",
        "train/a.png": "first",
    }
    for item in found.items.values():
        assert item.package_fields == {"license": "cc-by-sa-4.0"}
    assert found.items["train/a.png"].fields["license"] == "CC0-1.0"
    assert found.skipped == {}
