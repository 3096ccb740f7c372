"""Is everything found that audit promises to find, by hand with sqlite3, and nothing more?"""
# ruff: noqa: S608 - the statements are built from our own table names

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.events import Event
from picdeed.registry import check, claims, datasets, ledger
from picdeed.registry.check import check_ledger
from picdeed.registry.heads import create_key as make_key
from picdeed.registry.heads import head_files, parse_head, sign_head
from picdeed.registry.schema import covered_tables, metadata

AT = "2026-01-02T03:04:05.000000Z"
# All but what can be rebuilt at any time.
VOUCHED = [t for t in metadata().sorted_tables if not t.name.endswith(("_rollup", "_cache"))]
COLUMNS = [(table.name, column.name) for table in VOUCHED for column in table.columns]


def sql(registry, statement, *values):
    """Run one statement behind the registry's back."""
    registry.close()
    with closing(sqlite3.connect(registry.root / "registry.sqlite")) as connection:
        cursor = connection.execute(statement, values)
        rows = cursor.fetchall()
        connection.commit()
        return rows


def kinds(registry, head=None):
    return {problem.kind for problem in check_ledger(registry, head).problems}


def add_dataset(registry, name):
    with registry.write() as session:
        row = datasets.Dataset(id=datasets.dataset_id(name), name=name, created_at=AT)
        ledger.write(session, Event.INGEST_PICTURES, {"name": name}, [row])


def test_a_sound_registry_has_no_problem(full):
    report = check_ledger(full)
    assert report.ok
    assert report.problems == ()
    assert (report.events, report.unsealed) == (4, 0)
    counted = sum(sql(full, f"SELECT count(*) FROM {t.name}")[0][0] for t in covered_tables())
    assert report.rows == counted > 20


def test_the_full_registry_has_a_row_in_every_table(full):
    for table in VOUCHED:
        assert sql(full, f"SELECT count(*) FROM {table.name}")[0][0], table.name


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_editing_any_column_of_any_table_is_found(full, table, column):
    ((rowid, old),) = sql(full, f'SELECT rowid, "{column}" FROM {table} ORDER BY rowid LIMIT 1')
    match old:
        case int():
            new = (
                1 - old
                if column in {"conflict", "opt_out", "checked", "commercial", "matched"}
                else old + 1000
            )
        case float():
            new = old + 0.5
        case str() if old.startswith(("{", "[")):
            new = '{"x":1}'  # valid JSON: only the hash can tell
        case str():
            new = old[:-1] + "~"
        case None:
            new = "x"
    sql(full, f'UPDATE {table} SET "{column}" = ? WHERE rowid = ?', new, rowid)
    assert not check_ledger(full).ok


@pytest.mark.parametrize("table", [t.name for t in VOUCHED])
def test_deleting_a_row_of_any_table_is_found(full, table):
    sql(full, f"DELETE FROM {table} WHERE rowid = (SELECT min(rowid) FROM {table})")
    assert not check_ledger(full).ok


@pytest.mark.parametrize("table", [t.name for t in covered_tables()])
def test_emptying_a_table_reports_every_row(full, table):
    ((n,),) = sql(full, f"SELECT count(*) FROM {table}")
    sql(full, f"DELETE FROM {table}")
    problems = check_ledger(full).problems
    assert [p.kind for p in problems] == ["missing"] * n
    assert all(p.subject.startswith(table) for p in problems)


def test_a_row_that_no_event_wrote_is_found(full):
    sql(full, "INSERT INTO datasets VALUES ('dat_1', 'mine', '2026')")
    (problem,) = check_ledger(full).problems
    assert (problem.subject, problem.kind) == ("datasets dat_1", "unwritten")


def test_a_deleted_row_that_came_back_is_found(full):
    gone = datasets.dataset_id("gone")
    sql(full, "INSERT INTO datasets VALUES (?, 'gone', ?)", gone, AT)
    (problem,) = check_ledger(full).problems
    assert problem.kind == "unwritten"
    assert "deleted before" in problem.message


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("verdicts", "{not json"),
        ("verdicts", "[" * 100_000),
        ("verdicts", b"\xff\x00"),
        ("conflict", "maybe"),
        ("conflict", 2),
        ("license", b"bytes"),
        ("until", 1.5),
        ("rule", "\x00"),
    ],
)
def test_a_cell_that_cannot_be_parsed_is_a_problem_and_no_crash(full, column, value):
    sql(full, f"UPDATE standings SET {column} = ?", value)
    report = check_ledger(full)
    assert len(report.problems) == 1
    assert {p.kind for p in report.problems} == {
        "unparsable" if column == "verdicts" else "changed"
    }


@pytest.mark.parametrize("table", ["pictures", "events", "ledger_rows"])
def test_text_that_is_no_utf8_is_a_problem_and_no_crash(full, table):
    column = {"pictures": "media_type", "events": "payload", "ledger_rows": "row_key"}[table]
    sql(full, f"UPDATE {table} SET {column} = CAST(x'ff61' AS TEXT)")
    assert not check_ledger(full).ok
    with full.read() as session:  # the pool's connection is left as it was
        assert session.connection().connection.driver_connection.text_factory is str


@pytest.mark.parametrize(
    ("column", "value"),
    [("seq", "first"), ("seq", -1), ("payload", None), ("signature", "zz"), ("hash", b"\x00")],
)
def test_an_event_that_cannot_be_parsed_is_a_problem_and_no_crash(full, column, value):
    sql(full, "PRAGMA ignore_check_constraints = ON")
    if value is None:
        value = ""
    sql(full, f"UPDATE events SET {column} = ? WHERE seq = 2", value)
    assert not check_ledger(full).ok


@pytest.mark.parametrize("value", ["x", b"x", -3, 99, 1.5])
def test_a_ledger_row_of_no_event_is_a_problem_and_no_crash(full, value):
    sql(full, "UPDATE ledger_rows SET event_seq = ? WHERE position = 3 AND event_seq = 2", value)
    assert {"chain", "rows-root"} <= kinds(full)


def test_ledger_rows_of_a_strange_table_are_found(full):
    sql(full, "UPDATE ledger_rows SET row_table = 'nothing' WHERE position = 0")
    assert {"chain", "rows-root"} <= kinds(full)


def test_swapping_the_hashes_of_two_ledger_rows_is_found(full):
    sql(full, "UPDATE ledger_rows SET position = -1 WHERE position = 0 AND event_seq = 2")
    sql(full, "UPDATE ledger_rows SET position = 0 WHERE position = 1 AND event_seq = 2")
    sql(full, "UPDATE ledger_rows SET position = 1 WHERE position = -1 AND event_seq = 2")
    assert kinds(full) == {"rows-root"}


def test_truncating_the_chain_is_found_by_the_head(full):
    sql(full, "DELETE FROM ledger_rows WHERE event_seq >= 3")
    sql(full, "DELETE FROM events WHERE seq >= 3")
    # The rows are consistent with event 2: only the head knows that there was more.
    report = check_ledger(full)
    assert {p.kind for p in report.problems} == {"rolled-back"}
    assert report.events == 2


def test_an_event_taken_out_of_the_middle_is_found(full):
    sql(full, "DELETE FROM ledger_rows WHERE event_seq = 3")
    sql(full, "DELETE FROM events WHERE seq = 3")
    found = [p.message for p in check_ledger(full).problems if p.subject == "event 4"]
    assert len(found) == 2
    assert "follows event 2" in found[0]
    assert "hash of the event before" in found[1]


def test_an_older_database_under_the_same_heads_is_found_and_not_written_to(full, tmp_path):
    database = full.root / "registry.sqlite"
    shutil.copy(database, tmp_path / "old.sqlite")
    add_dataset(full, "new")
    full.close()
    shutil.copy(tmp_path / "old.sqlite", database)
    assert kinds(full) == {"rolled-back"}
    with pytest.raises(IntegrityError, match="Nothing was written"), full.write():
        pass


def test_database_and_heads_rolled_back_together_show_only_against_a_kept_head(full, tmp_path):
    full.close()
    shutil.copytree(full.root, tmp_path / "old")
    add_dataset(full, "new")
    kept = shutil.copy(head_files(full.heads)[-1][1], tmp_path / "kept.json")
    assert check_ledger(full, kept).ok
    full.close()
    shutil.rmtree(full.root)
    shutil.copytree(tmp_path / "old", full.root)
    assert check_ledger(full).ok
    (problem,) = check_ledger(full, kept).problems
    assert problem.kind == "rolled-back"


def test_a_kept_head_of_a_forked_history_is_found(full, tmp_path):
    full.close()
    shutil.copytree(full.root, tmp_path / "old")
    add_dataset(full, "one")
    kept = shutil.copy(head_files(full.heads)[-1][1], tmp_path / "kept.json")
    full.close()
    shutil.rmtree(full.root)
    shutil.copytree(tmp_path / "old", full.root)
    add_dataset(full, "two")  # as long as the other history, but another one
    assert check_ledger(full).ok
    assert kinds(full, kept) == {"head"}


def test_a_kept_head_of_another_registry_is_found(full, registry):
    (_, foreign) = head_files(registry.heads)[-1]
    (problem,) = check_ledger(full, foreign).problems
    assert "another key" in problem.message


def test_a_kept_head_that_is_missing_or_unreadable(full, tmp_path):
    with pytest.raises(UsageError):
        check_ledger(full, tmp_path / "nowhere.json")
    for content in (b"", b"{}", b"[]", b"\xff", b'{"schema":"picdeed.head/1","sequence":"1"}'):
        (tmp_path / "bad.json").write_bytes(content)
        assert kinds(full, tmp_path / "bad.json") == {"head"}


@pytest.mark.parametrize("field", ["sequence", "hash", "signature", "public_key"])
def test_editing_a_head_is_found_and_stops_writers(full, field):
    _, path = head_files(full.heads)[-1]
    document = json.loads(path.read_bytes())
    old = document[field]
    document[field] = old + 1 if field == "sequence" else ("1" if old[0] == "0" else "0") + old[1:]
    path.write_text(json.dumps(document))
    assert "head" in kinds(full)
    with pytest.raises(IntegrityError, match="Nothing was written"), full.write():
        pass
    assert json.loads(path.read_bytes()) == document  # the evidence stays


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"null", b'{"sequence": 1e999}'])
def test_an_unreadable_head_is_a_problem_and_no_crash(full, content):
    _, path = head_files(full.heads)[-1]
    path.write_bytes(content)
    report = check_ledger(full)
    assert {p.kind for p in report.problems} == {"head"}


def test_a_head_signed_with_another_key_is_found(full, tmp_path):
    last = check_ledger(full).events
    _, path = head_files(full.heads)[-1]
    forged = sign_head(make_key(tmp_path / "other.pem"), last, parse_head(path.read_bytes()).hash)
    path.write_bytes(forged.to_bytes())
    assert kinds(full) == {"head"}


def test_missing_heads_are_found(full):
    for _, path in head_files(full.heads):
        path.unlink()
    assert kinds(full) == {"head"}


def test_an_event_appended_without_the_key_is_found(full):
    # The forger knows every rule but the key: chain, roots and hashes all fit.
    ((previous,),) = sql(full, "SELECT hash FROM events WHERE seq = 4")
    root = ledger.merkle_root([])
    digest = ledger.event_hash(5, "ingest.pictures", AT, "{}", root, previous)
    sql(
        full,
        "INSERT INTO events VALUES (5, 'ingest.pictures', ?, '{}', ?, ?, ?, ?)",
        AT, root, previous, digest, "00" * 64,
    )  # fmt: skip
    report = check_ledger(full)
    assert {p.kind for p in report.problems} == {"signature"}
    assert report.unsealed == 1


def test_a_lost_or_broken_key_is_a_problem_and_no_crash(full):
    full.ledger_key.write_text("nonsense")
    assert kinds(full) == {"key"}
    full.ledger_key.unlink()
    assert kinds(full) == {"key"}


def test_strange_and_missing_tables_and_columns_are_found(full):
    sql(full, "CREATE TABLE stowaway (id TEXT)")
    sql(full, "CREATE TABLE thumbnails_cache (id TEXT)")  # may be made again: exempt
    sql(full, "ALTER TABLE pictures ADD COLUMN extra TEXT")
    found = {(p.subject, p.kind) for p in check_ledger(full).problems}
    assert found == {("stowaway", "schema"), ("pictures.extra", "schema")}
    sql(full, "DROP TABLE pairs")
    sql(full, "ALTER TABLE runs DROP COLUMN error")
    found = {(p.subject, p.kind) for p in check_ledger(full).problems}
    assert {("pairs", "schema"), ("runs.error", "schema")} <= found


def test_a_damaged_database_file_is_a_problem_and_no_crash(full):
    full.close()
    database = full.root / "registry.sqlite"
    data = bytearray(database.read_bytes())
    for page in range(4096 * 3, len(data), 4096):
        data[page : page + 64] = b"\xa5" * 64
    database.write_bytes(data)
    assert "database" in kinds(full)


def test_an_emptied_index_that_hides_claims_is_found(full):
    name = "ix_picture_claims_picture_id"
    ((page,),) = sql(full, "SELECT rootpage FROM sqlite_master WHERE name = ?", name)
    with (full.root / "registry.sqlite").open("r+b") as database:
        database.seek((page - 1) * 4096)
        database.write(bytes.fromhex("0a 0000 0000 1000 00"))  # an index leaf without a cell
    with full.read() as session:
        assert claims.of(session, sql(full, "SELECT id FROM pictures")[0][0]) == []
    found = check_ledger(full).problems
    assert {p.kind for p in found} == {"database"}
    assert name in found[0].message


def test_a_flood_of_problems_is_counted(full, monkeypatch):
    monkeypatch.setattr(check, "MOST_PROBLEMS", 2)
    for table in covered_tables():
        sql(full, f"DELETE FROM {table.name}")
    problems = check_ledger(full).problems
    assert len(problems) == 3
    assert problems[-1].kind == "more"
    assert int(problems[-1].message.split()[0]) > 15


def test_what_was_not_sealed_is_counted_and_no_problem(full):
    _, newest = head_files(full.heads)[-1]
    newest.unlink()  # as if a kill had come before it was written
    report = check_ledger(full)
    assert report.ok
    assert report.unsealed == 2
    add_dataset(full, "next")
    report = check_ledger(full)
    assert report.ok
    assert report.unsealed == 0
    assert [sequence for sequence, _ in head_files(full.heads)] == [1, 2, 4, 5]
