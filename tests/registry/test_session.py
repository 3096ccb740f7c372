"""Is the registry found, opened after any kill, and shared by several writers?"""

from __future__ import annotations

import shutil
import sqlite3
import stat
from contextlib import closing

import pytest

from picdeed.core.errors import BusyError, IntegrityError, MissingPart, NotARegistry, UsageError
from picdeed.core.events import Event
from picdeed.registry import datasets, ledger, session
from picdeed.registry.check import check_ledger
from picdeed.registry.heads import head_files
from picdeed.registry.session import create_registry, open_registry, utc_now


def add(registry, name):
    with registry.write() as s:
        row = datasets.Dataset(id=datasets.dataset_id(name), name=name, created_at=utc_now())
        ledger.write(s, Event.INGEST_PICTURES, {"name": name}, [row])


def names(registry):
    with registry.read() as s:
        return {row.name for row in datasets.all_datasets(s)}


def test_a_new_registry_has_its_folders_and_says_so_in_the_ledger(registry):
    for name in ("blobs", "heads", "keys", "cache"):
        assert (registry.root / name).is_dir()
    assert stat.S_IMODE(registry.keys.stat().st_mode) == 0o700
    assert stat.S_IMODE(registry.ledger_key.stat().st_mode) == 0o600
    with registry.read() as s:
        (first,) = ledger.events(s)
    assert first.kind == "init.registry"
    assert check_ledger(registry).ok


def test_making_it_again_changes_nothing(registry):
    add(registry, "kept")
    before = {
        p: p.read_bytes()
        for p in registry.root.rglob("*")
        if p.parent.name != "reg" and p.is_file()
    }
    again = create_registry(registry.root)
    assert names(again) == {"kept"}
    assert check_ledger(again).events == 2
    again.close()
    after = {
        p: p.read_bytes()
        for p in registry.root.rglob("*")
        if p.parent.name != "reg" and p.is_file()
    }
    assert after == before


def test_a_file_is_no_place_for_a_registry(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        create_registry(tmp_path / "file")


def test_it_is_found_by_folder_parent_and_from_below(tmp_path, monkeypatch):
    made = create_registry(tmp_path / "project" / ".picdeed")
    made.close()
    deep = tmp_path / "project" / "a" / "b"
    deep.mkdir(parents=True)
    for where in (made.root, made.root.parent, str(made.root)):
        assert open_registry(where).root == made.root
    for here in (deep, made.root, made.root.parent):
        monkeypatch.chdir(here)
        assert open_registry().root == made.root
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotARegistry) as caught:
        open_registry()
    assert "picdeed init" in caught.value.hint
    monkeypatch.setenv("PICDEED_REGISTRY", str(made.root))
    assert open_registry().root == made.root


def test_no_registry_is_made_by_opening(tmp_path):
    for where in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotARegistry):
            open_registry(where)
    assert list(tmp_path.iterdir()) == []


def test_a_copied_or_moved_folder_opens(full, tmp_path):
    full.close()
    shutil.copytree(full.root, tmp_path / "copy")
    moved = shutil.move(full.root, tmp_path / "moved")
    for where in (tmp_path / "copy", moved):
        opened = open_registry(where)
        add(opened, "after the move")
        assert check_ledger(opened).ok
        opened.close()


def test_a_foreign_or_damaged_database_is_no_registry(tmp_path):
    database = tmp_path / "registry.sqlite"
    with closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE mine (x)")
    with pytest.raises(NotARegistry, match="no registry"):
        open_registry(tmp_path)
    database.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(IntegrityError, match="damaged"):
        open_registry(tmp_path)


def test_text_that_somebody_broke_is_an_integrity_error_while_reading(full):
    full.close()
    with closing(sqlite3.connect(full.root / "registry.sqlite")) as raw:
        raw.execute("UPDATE datasets SET name = CAST(x'ff' AS TEXT)")
        raw.commit()
    with pytest.raises(IntegrityError, match="damaged"):
        names(full)


def test_another_schema_is_refused_and_left_alone(registry):
    registry.close()
    with closing(sqlite3.connect(registry.root / "registry.sqlite")) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    with pytest.raises(NotARegistry, match="9999"):
        open_registry(registry.root)


def test_a_database_url_needs_a_folder_for_blobs(tmp_path):
    with pytest.raises(UsageError, match="blobs") as caught:
        open_registry("postgresql+psycopg://me:secret@localhost/x")
    assert "secret" not in caught.value.message + caught.value.hint
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    made = create_registry(url, tmp_path / "files")
    add(made, "by url")
    made.close()
    opened = open_registry(url, tmp_path / "files")
    assert names(opened) == {"by url"}
    assert check_ledger(opened).ok
    opened.close()


def test_a_url_that_cannot_be_used(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        open_registry("nonsense://x", tmp_path)
    with pytest.raises(MissingPart):
        open_registry("postgresql+pg8000://x/y", tmp_path)


def test_pragmas(registry):
    with registry.read() as s:
        connection = s.connection()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000


def test_nothing_can_be_written_while_reading(registry):
    with registry.read() as s, pytest.raises(TypeError, match=r"Registry\.write"):
        ledger.write(s, Event.INGEST_PICTURES, {}, [])


def test_an_error_leaves_nothing_behind(registry):
    def fail():
        with registry.write() as s:
            row = datasets.Dataset(id=datasets.dataset_id("x"), name="x", created_at=utc_now())
            ledger.write(s, Event.INGEST_PICTURES, {}, [row])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(registry) == set()
    report = check_ledger(registry)
    assert report.ok
    assert (report.events, report.unsealed) == (1, 0)


def test_a_write_without_an_event_leaves_no_head(registry):
    with registry.write():
        pass
    assert len(head_files(registry.heads)) == 1


def test_rows_stay_usable_after_the_session(full):
    with full.read() as s:
        rows = datasets.all_datasets(s)
    assert [row.name for row in rows] == ["birds"]


def test_a_missing_key_stops_writers_and_no_new_one_is_made(registry):
    registry.ledger_key.unlink()
    with pytest.raises(IntegrityError, match="missing"), registry.write():
        pass
    with pytest.raises(IntegrityError, match="missing"):
        create_registry(registry.root)
    assert not registry.ledger_key.exists()
    assert open_registry(registry.root).root == registry.root  # reading goes on


def test_a_writer_that_waits_too_long_says_so(registry, monkeypatch):
    monkeypatch.setattr(session, "BUSY_SECONDS", 0.05)
    waiting = open_registry(registry.root)
    with registry.write(), pytest.raises(BusyError, match="nothing was changed"), waiting.write():
        pass
    waiting.close()


def test_reading_goes_on_while_another_writes(registry):
    add(registry, "old")
    with registry.write() as writing:
        row = datasets.Dataset(id=datasets.dataset_id("new"), name="new", created_at=utc_now())
        ledger.write(writing, Event.INGEST_PICTURES, {}, [row])
        assert names(registry) == {"old"}
    assert names(registry) == {"old", "new"}


def test_a_head_that_cannot_be_written_does_not_undo_the_commit(registry, caplog):
    shutil.rmtree(registry.heads)
    registry.heads.write_text("a file in the folder's place")
    with pytest.raises(FileExistsError), registry.write():
        pass  # the seal, before anything is written
    registry.heads.unlink()
    registry.heads.mkdir()
    with registry.write() as s:
        ledger.write(s, Event.INGEST_PICTURES, {}, [])
        shutil.rmtree(registry.heads)
        registry.heads.write_text("in the way")
    assert "was not written" in caplog.text
    registry.heads.unlink()
    with registry.write():
        pass
    report = check_ledger(registry)
    assert report.ok
    assert (report.events, report.unsealed) == (2, 0)


def test_utc_now_sorts_as_time():
    first, second = utc_now(), utc_now()
    assert first <= second
    assert first.endswith("Z")
    assert len(first) == 27


def test_thumbnails_are_kept_beside_the_tables(registry):
    digest = "ab" * 32
    assert not registry.thumbnail(digest).exists()
    registry.keep_thumbnail(digest, b"one")
    registry.keep_thumbnail(digest, b"two")
    assert registry.thumbnail(digest).read_bytes() == b"one"
    assert registry.thumbnail(digest).is_relative_to(registry.cache)
    assert check_ledger(registry).ok
