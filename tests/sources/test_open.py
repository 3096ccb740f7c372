import zipfile

import pytest

from picdeed.core.errors import UsageError
from picdeed.sources import SourceKind, open_source

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: 16.04/a.png
Copyright: 2018, Ann Field
License: CC-BY-4.0
"""


def test_what_is_not_there_is_a_wrong_request(tmp_path, listed):
    with pytest.raises(UsageError, match=r"absent.png cannot be found; nothing was registered"):
        listed(tmp_path / "absent.png")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UsageError, match="leads in a circle"):
        listed(tmp_path / "loop")
    with pytest.raises(UsageError, match="no metadata table"):
        listed(tmp_path, metadata=tmp_path / "absent.csv")


def test_one_file_with_what_lies_beside_it(tmp_path, png, listed):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.png").write_bytes(png())
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "metadata.csv").write_text("file_name,license\na.png,MIT\nb.png,CC0-1.0\n")
    found = listed(tmp_path / "a.png")
    assert list(found.items) == ["a.png"]
    assert found.items["a.png"].caption == "one"
    assert found.items["a.png"].fields == {"license": "MIT"}
    assert found.warnings == []  # that b.png is not in this source is no news


def test_a_link_that_the_user_names_is_followed(tmp_path, png, listed):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(png())
    (tmp_path / "real.csv").write_text("file_name,license\nreal/a.png,MIT\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    found = listed(tmp_path / "link", metadata=tmp_path / "real.csv")
    assert found.items["a.png"].fields == {"license": "MIT"}


def test_a_picture_that_is_also_an_archive_is_a_picture(tmp_path, png, listed):
    path = tmp_path / "polyglot.png"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside.png", png(1))
    path.write_bytes(png() + path.read_bytes())
    assert list(listed(path).items) == ["polyglot.png"]


def test_an_archive_in_a_folder_is_named_not_opened(tmp_path, png, listed):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("inside.png", png(1))
    assert listed(tmp_path).skipped == {"x.zip": "archive; name it as the source"}
    assert list(listed(tmp_path / "x.zip").items) == ["inside.png"]


def test_a_debian_copyright_file_as_the_table(tmp_path, png, listed):
    (tmp_path / "usr/share/backgrounds").mkdir(parents=True)
    (tmp_path / "usr/share/backgrounds/a.png").write_bytes(png())
    (tmp_path / "usr/share/backgrounds/b.png").write_bytes(png())
    (tmp_path / "copyright").write_text(COPYRIGHT)
    found = listed(tmp_path / "usr", metadata=tmp_path / "copyright")
    assert found.items["share/backgrounds/a.png"].fields == {
        "license": "CC-BY-4.0",
        "author": "Ann Field",
    }
    assert found.items["share/backgrounds/b.png"].statements == ()
    assert found.warnings == ["copyright: no stanza speaks of share/backgrounds/b.png"]


def test_the_named_table_speaks_first_and_no_other_is_lost(tmp_path, png, listed):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "metadata.csv").write_text("file_name,license,author\na.png,CC-BY-NC-4.0,Ann\n")
    (tmp_path / "mine.csv").write_text("file_name,license\na.png,CC0-1.0\n")
    item = listed(tmp_path, metadata=tmp_path / "mine.csv").items["a.png"]
    assert [(one.value, one.where) for one in item.statements] == [
        ("CC0-1.0", "mine.csv line 2"),
        ("CC-BY-NC-4.0", "metadata.csv line 2"),
        ("Ann", "metadata.csv line 2"),
    ]


def test_an_empty_folder_is_a_source_of_nothing(tmp_path, listed):
    found = listed(tmp_path)
    assert (found.items, found.skipped, found.refused, found.warnings) == ({}, {}, {}, [])
    assert open_source(tmp_path, is_picture=bool).kind is SourceKind.FOLDER
