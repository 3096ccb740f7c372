"""Are cached codes those of the database, whatever was written, erased or damaged since?"""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import shutil
import threading
from functools import partial

import numpy as np
import pytest
from coded_rows import CODES, MARKS, rows_with_codes

from picdeed.core.events import Event
from picdeed.registry import code_cache, ledger
from picdeed.registry.code_cache import cached_columns, forget_codes
from picdeed.registry.code_columns import Columns, read_columns
from picdeed.registry.codes import CodeRow
from picdeed.registry.session import open_registry


@pytest.fixture
def coded_rows(make):
    return partial(rows_with_codes, make)


def told(columns: Columns) -> dict[bytes, tuple[object, ...]]:
    """Each picture with all that is known of it, whatever the order."""
    found = {}
    for at, name in enumerate(columns.names.tolist()):
        mine = np.flatnonzero(columns.owner == at)
        rows = [(bool(columns.trimmed[k]), columns.turned[k].tobytes()) for k in mine]
        found[name] = (
            sorted(rows), int(columns.quality[at]), columns.colours[at].tobytes(),
            columns.hashes[at].tolist(), columns.shape[at].tolist(),
        )  # fmt: skip
    assert len(found) == len(columns)
    return found


def check(registry) -> Columns:
    cached = cached_columns(registry, CODES, MARKS)
    with registry.read() as session:
        assert told(cached) == told(read_columns(session, CODES, MARKS))
    return cached


def is_mapped(columns: Columns) -> bool:
    return isinstance(columns.turned.base, np.memmap)


@pytest.fixture
def counted(monkeypatch):
    """How many pictures each reading of the database asked for; None is all."""
    asked = []

    def read(session, algorithm, fingerprint, pictures=None):
        asked.append(pictures if pictures is None else len(pictures))
        return read_columns(session, algorithm, fingerprint, pictures)

    monkeypatch.setattr(code_cache, "read_columns", read)
    return asked


@pytest.fixture
def folder(registry):
    return registry.cache / "codes" / "pdq256-1"


def test_only_what_is_new_is_read(registry, save, coded_rows, counted):
    assert len(check(registry)) == 0
    shown, rows = coded_rows(20)
    save(*shown, *rows)
    assert is_mapped(check(registry))
    more, others = coded_rows(4, seed=2)
    save(*more, *others)
    assert len(check(registry)) == 24
    check(registry)
    assert counted == [None, None, 4]


def test_a_ledger_that_went_on_about_other_things_is_no_reason_to_read(
    registry, save, make, coded_rows, counted
):
    shown, rows = coded_rows(5)
    save(*shown, *rows)
    check(registry)
    save(make.dataset("birds"))
    check(registry)
    assert counted == [None]


def test_a_deleted_code_is_gone_from_the_disk_too(registry, save, coded_rows, folder):
    shown, rows = coded_rows(6)
    save(*shown, *rows)
    check(registry)
    secret = bytes.fromhex(rows[2].colours)
    assert any(secret in p.read_bytes() for p in folder.rglob("colours"))
    with registry.write() as session:
        row = session.get(CodeRow, (shown[2].id, CODES))
        ledger.write(session, Event.ERASE_DONE, {}, [], deleted=[row])
    assert len(check(registry)) == 5
    assert not any(secret in p.read_bytes() for p in folder.rglob("colours"))
    assert len(list(folder.glob("data-*"))) == 1


def test_a_code_that_was_written_over_is_read_again(registry, save, coded_rows):
    shown, rows = coded_rows(6)
    save(*shown, *rows)
    check(registry)
    with registry.write() as session:
        row = session.get(CodeRow, (shown[2].id, CODES))
        row.quality = 77
        ledger.write(session, Event.DEDUP_FINGERPRINTED, {}, [row])
    assert 77 in check(registry).quality


def test_a_damaged_file_is_made_anew(registry, save, coded_rows, folder, counted):
    shown, rows = coded_rows(9)
    save(*shown, *rows)
    check(registry)
    for name in ("turned", "names", "owner", "hashes"):
        (path,) = folder.glob(f"data-*/{name}")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 8
        path.write_bytes(data)
        check(registry)
        path.write_bytes(data[:-1])
        check(registry)
        path.unlink()
        check(registry)
    assert counted == [None] * 13


def test_a_header_that_does_not_fit_is_not_believed(registry, save, coded_rows, folder):
    shown, rows = coded_rows(9)
    save(*shown, *rows)
    check(registry)
    header = json.loads((folder / "header.json").read_text())
    for wrong in (
        {**header, "format": 0},
        {**header, "algorithm": "pdq256/0"},
        {**header, "event": "0" * 64},
        {**header, "seq": header["seq"] + 5},
        {**header, "pictures": 3, "codes": 3},
        {**header, "data": "../elsewhere"},
        {**header, "sums": {}},
        [],
        "x",
    ):
        (folder / "header.json").write_text(json.dumps(wrong))
        check(registry)
    (folder / "header.json").write_text("{")
    check(registry)


def test_what_a_killed_writer_left_behind_the_rows_is_written_over(
    registry, save, coded_rows, folder, counted
):
    shown, rows = coded_rows(9)
    save(*shown, *rows)
    check(registry)
    for path in folder.glob("data-*/*"):
        path.write_bytes(path.read_bytes() + b"rubbish")
    more, others = coded_rows(2, seed=2)
    save(*more, *others)
    assert len(check(registry)) == 11
    assert counted == [None, 2]


def test_an_older_database_in_place_of_a_newer_one_is_noticed(registry, save, coded_rows, folder):
    shown, rows = coded_rows(4)
    save(*shown, *rows)
    check(registry)
    registry.close()
    shutil.copy(registry.root / "registry.sqlite", registry.root / "older")
    more, others = coded_rows(2, seed=2)
    save(*more, *others)
    assert len(check(registry)) == 6
    registry.close()
    shutil.move(registry.root / "older", registry.root / "registry.sqlite")
    (registry.root / "registry.sqlite-wal").unlink(missing_ok=True)
    assert len(check(open_registry(registry.root))) == 4


def test_who_has_old_files_mapped_keeps_what_it_read(registry, save, coded_rows):
    shown, rows = coded_rows(6)
    save(*shown, *rows)
    before = check(registry)
    kept = told(before)
    with registry.write() as session:
        row = session.get(CodeRow, (shown[0].id, CODES))
        ledger.write(session, Event.ERASE_DONE, {}, [], deleted=[row])
    check(registry)
    assert told(before) == kept


def test_forgetting_leaves_nothing_and_it_is_made_anew(registry, save, coded_rows, folder):
    assert not forget_codes(registry)
    shown, rows = coded_rows(6)
    save(*shown, *rows)
    check(registry)
    assert forget_codes(registry)
    assert [p.name for p in folder.iterdir()] == ["lock"]
    assert not forget_codes(registry)
    check(registry)


def test_a_cache_that_cannot_be_written_is_done_without(registry, save, coded_rows):
    shown, rows = coded_rows(3)
    save(*shown, *rows)
    shutil.rmtree(registry.cache)
    registry.cache.write_text("no folder")
    assert not is_mapped(check(registry))


def test_whoever_finds_it_locked_waits(registry, save, coded_rows, folder):
    shown, rows = coded_rows(3)
    save(*shown, *rows)
    check(registry)
    found = []
    asking = threading.Thread(target=lambda: found.append(len(check(registry))))
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        asking.start()
        asking.join(0.5)
        assert not found
    asking.join()
    assert found == [3]


def _ask(root: str) -> int:
    return len(cached_columns(open_registry(root), CODES, MARKS))


def test_several_processes_may_bring_it_up_at_once(registry, save, coded_rows):
    shown, rows = coded_rows(30)
    save(*shown, *rows)
    registry.close()
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_ask, [str(registry.root)] * 6) == [30] * 6
    check(registry)
