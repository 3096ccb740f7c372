import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from picdeed.core.errors import SourceError, UnreadablePicture
from picdeed.core.limits import DEFAULT
from picdeed.sources.folder import read_file


def test_every_kind_of_bad_entry_is_told_apart(tmp_path, png, listed):
    (tmp_path / "good.png").write_bytes(png())
    (tmp_path / "magic-without-suffix").write_bytes(png(1))
    (tmp_path / "text.png").write_text("I am no picture")  # a would-be picture: decoding refuses it
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "notes.md").write_text("hello")
    (tmp_path / ".hidden.png").write_bytes(png())
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "inside.png").write_bytes(png())
    (tmp_path / "link.png").symlink_to(tmp_path / "good.png")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    found = listed(tmp_path)
    assert sorted(found.items) == ["empty.jpg", "good.png", "magic-without-suffix", "text.png"]
    assert found.refused == {"pipe.png": "not-a-file"}
    assert found.skipped == {
        "notes.md": "no picture",
        ".hidden.png": "dotfile",
        ".git": "dotfile",
        "link.png": "symbolic link",
        "loop": "symbolic link",
        "pipe": "not a regular file",
    }
    assert found.bytes["good.png"] == png()


def test_folders_come_in_byte_order_and_deep(tmp_path, png, listed):
    for name in ("b/z.png", "b/a/1.png", "a.png", "B.png", "é.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png())
    assert list(listed(tmp_path).items) == ["B.png", "a.png", "é.png", "b/z.png", "b/a/1.png"]


def test_a_name_in_foreign_bytes_is_read_and_shown_escaped(tmp_path, png, listed):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).write_bytes(png())
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "caf%E9.png", "license": "CC0-1.0"}')
    found = listed(tmp_path)
    assert found.bytes == {"caf%E9.png": png()}
    item = found.items["caf%E9.png"]
    assert item.name == f"{tmp_path}/caf%E9.png"
    assert item.fields["license"] == "CC0-1.0"


def test_names_are_absolute_for_a_relative_source(tmp_path, png, listed, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.png").write_bytes(png())
    monkeypatch.chdir(tmp_path)
    assert listed(Path("here")).items["a.png"].name == str(tmp_path / "here" / "a.png")


@pytest.mark.skipif(os.geteuid() != 0, reason="a plain user is covered by the next test")
def test_what_another_user_may_not_read_is_refused_as_root_sees_it(png, listed):
    # Root reads through any permission, so this runs as nobody for a moment.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secret.png").write_bytes(png())
        (folder / "secret.png").chmod(0)
        (folder / "closed").mkdir(mode=0)
        (folder / "open.png").write_bytes(png())
        os.seteuid(65534)
        try:
            found = listed(folder)
        finally:
            os.seteuid(0)
    assert list(found.items) == ["open.png"]
    assert found.refused == {"secret.png": "unreadable-file", "closed": "unreadable-folder"}


def test_a_file_whose_reading_fails_is_refused_by_its_reason(tmp_path, listed):
    path = Path("/proc/self/mem")  # opens, and every read at its start fails, for root too
    with pytest.raises(OSError, match="Input/output"):
        read_file(path, 64, whole=False)
    assert listed(path).refused == {"mem": "unreadable-file"}


def test_a_file_that_vanishes_after_the_walk_is_refused(tmp_path, png, listed):
    (tmp_path / "a.png").write_bytes(png())
    item = listed(tmp_path).items["a.png"]
    (tmp_path / "a.png").unlink()
    with pytest.raises(UnreadablePicture) as refusal:
        item.read()
    assert refusal.value.reason == "unreadable-file"


def test_a_file_above_the_limit_is_not_read(tmp_path, png):
    (tmp_path / "a.png").write_bytes(png())
    size = len(png())
    assert read_file(tmp_path / "a.png", size) == png()
    with pytest.raises(UnreadablePicture) as refusal:
        read_file(tmp_path / "a.png", size - 1)
    assert refusal.value.reason == "too-large"


def test_a_link_put_there_after_the_walk_is_not_followed(tmp_path, png, listed):
    (tmp_path / "secret").write_text("not yours")
    (tmp_path / "a.png").write_bytes(png())
    item = listed(tmp_path).items["a.png"]
    (tmp_path / "a.png").unlink()
    (tmp_path / "a.png").symlink_to(tmp_path / "secret")
    with pytest.raises(UnreadablePicture):
        item.read()


def test_captions_come_from_texts_and_tables_and_neither_is_skipped(tmp_path, png, listed):
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "a.txt").write_text(" a red square \n")
    (tmp_path / "b.txt").write_text("from the text")
    (tmp_path / "lonely.txt").write_text("of nothing")
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe")
    rows = [{"file_name": "b.png", "text": "from the table"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = listed(tmp_path)
    captions = {name: item.caption for name, item in found.items.items()}
    assert captions == {"a.png": "a red square", "b.png": "from the table", "c.png": None}
    assert list(found.skipped) == ["lonely.txt"]
    assert found.warnings == ["c.txt: no caption that can be read"]


def test_a_caption_above_the_limit_is_named(tmp_path, png, listed):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "a.txt").write_text("x" * 41)
    found = listed(tmp_path, limits=replace(DEFAULT, caption_chars=40))
    assert found.items["a.png"].caption is None
    assert found.warnings == ["a.txt: no caption that can be read"]


def test_tables_in_subfolders_speak_of_their_own_folder(tmp_path, png, listed):
    for name in ("x/a.png", "y/a.png", "y/z/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png())
    (tmp_path / "metadata.csv").write_text("file_name,license\nx/a.png,MIT\ny/a.png,CC0-1.0\n")
    (tmp_path / "y" / "metadata.jsonl").write_text(
        '{"file_name": "a.png", "license": "CC-BY-4.0"}\n{"file_name": "z/a.png", "title": "Deep"}'
    )
    items = listed(tmp_path).items
    said = {
        name: [(one.field, one.value) for one in item.statements] for name, item in items.items()
    }
    assert said == {
        "x/a.png": [("license", "MIT")],
        # both are kept, the nearest first
        "y/a.png": [("license", "CC-BY-4.0"), ("license", "CC0-1.0")],
        "y/z/a.png": [("title", "Deep")],
    }


def test_a_broken_table_anywhere_stops_before_the_first_picture(tmp_path, png, listed):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "metadata.jsonl").write_text('{"file_name": "b.png"}\n{"file_name": ')
    with pytest.raises(SourceError, match=r"deep/metadata\.jsonl.*line 2"):
        listed(tmp_path)


def test_a_table_of_something_else_is_only_a_warning(tmp_path, png, listed):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "metadata.csv").write_text("epoch,loss\n1,0.5\n")
    found = listed(tmp_path)
    assert list(found.items) == ["a.png"]
    assert found.warnings == ["metadata.csv has no column 'file_name'; it was not used"]


def test_a_registry_inside_the_source_is_left_alone(tmp_path, png, listed):
    (tmp_path / "reg" / "blobs").mkdir(parents=True)
    (tmp_path / "reg" / "registry.sqlite").touch()
    (tmp_path / "reg" / "blobs" / "abcd").write_bytes(png())
    found = listed(tmp_path)
    assert found.skipped == {"reg": "a picdeed registry"}
    assert not found.items
