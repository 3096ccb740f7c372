"""Is the registry found, opened after any kill, and shared by several writers?"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from picdeed.core.errors import BusyError, IntegrityError, MissingPart, NotARegistry, UsageError
from picdeed.core.events import Event
from picdeed.registry import datasets, ledger, session
from picdeed.registry.check import check_ledger
from picdeed.registry.heads import head_files
from picdeed.registry.session import create_registry, open_registry, utc_now

PLATFORM = Path(session.__file__).resolve().parents[2]
WRITE = """
import os, signal, sys
from picdeed.core.events import Event
from picdeed.registry import datasets, heads, ledger, session

def add(registry, name, at="2026-01-02T03:04:05.000000Z"):
    with registry.write() as s:
        row = datasets.Dataset(id=datasets.dataset_id(name), name=name, created_at=at)
        ledger.write(s, Event.INGEST_PICTURES, {"name": name}, [row])

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

registry = session.open_registry(sys.argv[1])
"""


def start(registry, code, *args) -> subprocess.Popen:
    """Another process that runs `code` with `add`, `die` and the open `registry`."""
    registry.close()
    environment = {**os.environ, "PYTHONPATH": str(PLATFORM)}
    command = [sys.executable, "-c", WRITE + code, str(registry.root), *args]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)


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


def test_a_kill_between_commit_and_head_is_sealed_by_the_next_writer(registry):
    killed = start(registry, "session.tree_heads.publish = die\nadd(registry, 'late')")
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    opened = open_registry(registry.root)
    assert names(opened) == {"late"}  # the commit had happened
    report = check_ledger(opened)
    assert report.ok
    assert report.unsealed == 1
    add(opened, "next")
    report = check_ledger(opened)
    assert report.ok
    assert report.unsealed == 0
    assert [n for n, _ in head_files(opened.heads)] == [1, 2, 3]
    opened.close()


def test_a_kill_before_the_commit_leaves_nothing(registry):
    code = """
with registry.write() as s:
    row = datasets.Dataset(id=datasets.dataset_id("x"), name="x", created_at="now")
    ledger.write(s, Event.INGEST_PICTURES, {}, [row])
    die()
"""
    killed = start(registry, code)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    opened = open_registry(registry.root)
    report = check_ledger(opened)
    assert report.ok
    assert (names(opened), report.events) == (set(), 1)
    opened.close()


def test_a_kill_while_it_is_made_is_mended_by_making_it_again(tmp_path):
    registry = create_registry(tmp_path / "first")
    for instant in (
        "migrate.upgrade",
        "tree_heads.create_key",
        "_begin_ledger",
        "tree_heads.publish",
    ):
        where = tmp_path / instant
        code = f"session.{instant} = die\nsession.create_registry(sys.argv[2])"
        killed = start(registry, code, str(where))
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
        made = create_registry(where)
        add(made, "works")
        report = check_ledger(made)
        assert report.ok, instant
        assert (report.events, report.unsealed) == (2, 0)
        made.close()


def test_it_opens_normally_after_kills_at_any_instant(registry):
    code = """
print("go", flush=True)
for i in range(10_000):
    add(registry, f"{sys.argv[2]}-{i}")
"""
    for turn in range(6):
        killed = start(registry, code, str(turn))
        killed.stdout.readline()
        time.sleep(0.03 + 0.037 * turn)
        killed.kill()
        killed.communicate()
        opened = open_registry(registry.root)
        report = check_ledger(opened)
        assert report.ok, report.problems
        assert report.unsealed <= 1
        assert report.rows == report.events - 1
        opened.close()
    add(registry, "last")
    assert check_ledger(registry).unsealed == 0


def test_two_processes_write_at_once(registry):
    code = "for i in range(25):\n    add(registry, f'{sys.argv[2]}-{i}')"
    both = [start(registry, code, name) for name in ("one", "two")]
    for i in range(5):
        add(registry, f"three-{i}")
    for process in both:
        process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    assert len(names(registry)) == 55
    report = check_ledger(registry)
    assert report.ok
    assert (report.events, report.unsealed) == (56, 0)


def test_checking_while_another_process_writes_finds_nothing(registry):
    busy = start(registry, "print('go', flush=True)\nfor i in range(60): add(registry, str(i))")
    busy.stdout.readline()
    while busy.poll() is None:
        report = check_ledger(registry)
        assert report.ok, report.problems
    busy.communicate()
    assert busy.returncode == 0


def test_two_processes_make_the_same_registry(tmp_path):
    registry = create_registry(tmp_path / "first")
    where = tmp_path / "same"
    code = "session.create_registry(sys.argv[2])"
    several = [start(registry, code, str(where)) for _ in range(3)]
    for process in several:
        process.communicate()
    assert [process.returncode for process in several] == [0, 0, 0]
    opened = open_registry(where)
    report = check_ledger(opened)
    assert report.ok
    assert report.events == 1
    opened.close()


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
