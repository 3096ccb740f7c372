"""Does the registry open after a kill at any instant, and may several processes write?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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
