"""Does every row equal what the ledger last wrote about it?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from picdeed.core.ids import sha256
from picdeed.registry.ledger import LedgerRow
from picdeed.registry.tables import CHUNK, RETIRED, CanonicalJson, key_json, row_json

Report = Callable[[str, str, str], None]  # subject, kind, message


def decode(raw: bytes) -> str:
    """Text of a cell; bytes that are no UTF-8 survive as surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def streamed(
    connection: sa.Connection,
    table: sa.Table,
    order: Sequence[sa.ColumnElement[Any]],
    only: sa.ColumnElement[bool] | None = None,
) -> Iterator[dict[str, Any]]:
    """Raw cells of each row by column name, as the database's driver gives them."""
    # NullType: no result processing, so a cell of a wrong type arrives as it is.
    columns = [sa.type_coerce(c, sa.types.NullType()).label(c.name) for c in table.columns]
    wanted = sa.select(*columns).order_by(*order)
    if only is not None:
        wanted = wanted.where(only)
    result = connection.execute(wanted.execution_options(yield_per=CHUNK))
    names = [column.name for column in table.columns]
    for row in result:
        yield dict(zip(names, row, strict=True))


def check_rows(connection: sa.Connection, tables: Iterable[sa.Table], report: Report) -> int:
    """Hold every row of these tables against its newest ledger row; gives the rows read."""
    listed = list(tables)
    rows = 0
    for table in listed:
        read, accounted = _check_table(connection, table, report)
        rows += read
        if accounted != _living(connection, table.name):
            _report_missing(connection, table, report)
    _report_strangers(connection, {table.name for table in listed}, report)
    return rows


def _check_table(connection: sa.Connection, table: sa.Table, report: Report) -> tuple[int, int]:
    read = accounted = 0
    for part in _batches(streamed(connection, table, list(table.primary_key))):
        keyed = [(key_json(table, cells), cells) for cells in part]
        newest = _newest(connection, table.name, [key for key, _ in keyed])
        for key, cells in keyed:
            read += 1
            subject = f"{table.name} {_shown(key)}"
            digest = newest.get(key)
            if digest is None:
                known = key in newest
                why = "It was deleted before." if known else "No event wrote it."
                report(subject, "unwritten", f"This row should not be there. {why}")
                continue
            accounted += 1
            if digest != sha256(row_json(table, cells)):
                report(subject, *_difference(table, cells))
    return read, accounted


def _difference(table: sa.Table, cells: dict[str, Any]) -> tuple[str, str]:
    for column in table.columns:
        if isinstance(column.type, CanonicalJson) and not _parses(cells[column.name]):
            return "unparsable", f"The row was edited: {column.name} is no JSON."
    return "changed", "The row is not what the ledger last wrote."


def _parses(text: Any) -> bool:
    if text is None:
        return True
    try:
        json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _newest_rows(table_name: str) -> sa.Subquery:
    """(row_key, newest event) of every row that the ledger ever mentioned in this table."""
    newest = sa.func.max(LedgerRow.event_seq).label("event_seq")
    wanted = sa.select(LedgerRow.row_key, newest).where(LedgerRow.row_table == table_name)
    return wanted.group_by(LedgerRow.row_key).subquery()


def _with_newest(table_name: str, *columns: Any) -> sa.Select[Any]:
    newest = _newest_rows(table_name)
    return (
        sa.select(*columns)
        .select_from(LedgerRow)
        .join(
            newest,
            (LedgerRow.row_key == newest.c.row_key) & (LedgerRow.event_seq == newest.c.event_seq),
        )
        .where(LedgerRow.row_table == table_name)
    )


def _newest(connection: sa.Connection, table_name: str, keys: Sequence[str]) -> dict[str, Any]:
    """Newest hash by key: None for a deleted row, no entry for one never written."""
    wanted = (
        sa.select(LedgerRow.row_key, LedgerRow.row_sha256)
        .where(LedgerRow.row_table == table_name, LedgerRow.row_key.in_(keys))
        .order_by(LedgerRow.row_key, LedgerRow.event_seq)
    )
    return dict(connection.execute(wanted).tuples().all())  # the last of each key wins


def _living(connection: sa.Connection, table_name: str) -> int:
    wanted = _with_newest(table_name, sa.func.count()).where(LedgerRow.row_sha256.is_not(None))
    return int(connection.execute(wanted).scalar_one())


def _report_missing(connection: sa.Connection, table: sa.Table, report: Report) -> None:
    wanted = _with_newest(table.name, LedgerRow.row_key).where(LedgerRow.row_sha256.is_not(None))
    wanted = wanted.order_by(LedgerRow.row_key).execution_options(yield_per=CHUNK)
    result = connection.execute(wanted)
    for part in _batches(row[0] for row in result):
        present = _present(connection, table, part)
        for key in part:
            if key not in present:
                report(f"{table.name} {_shown(key)}", "missing", "The row was removed.")


def _present(connection: sa.Connection, table: sa.Table, keys: Sequence[Any]) -> set[str]:
    columns = list(table.primary_key)
    raw = [sa.type_coerce(c, sa.types.NullType()) for c in columns]
    parsed = (_key_values(key) for key in keys)
    values = [one for one in parsed if one is not None and len(one) == len(columns)]
    where = (
        columns[0].in_([value[0] for value in values])
        if len(columns) == 1
        else sa.tuple_(*columns).in_(values)
    )
    names = [c.name for c in columns]
    rows = connection.execute(sa.select(*raw).where(where))
    return {key_json(table, dict(zip(names, row, strict=True))) for row in rows}


def _key_values(key: Any) -> tuple[str | int, ...] | None:
    """A primary key's values; None for text that is no key, and for keys of tampered cells."""
    try:
        values = json.loads(key)
    except (TypeError, ValueError, RecursionError):
        return None
    plain = isinstance(values, list) and all(isinstance(v, (str, int)) for v in values)
    return tuple(values) if plain else None


def _report_strangers(connection: sa.Connection, known: set[str], report: Report) -> None:
    wanted = sa.select(LedgerRow.row_table).distinct().order_by(LedgerRow.row_table)
    for (name,) in connection.execute(wanted).all():
        if name not in known and name not in RETIRED:
            report(f"ledger rows of {name!r}", "chain", "There is no such table.")


def _shown(key: Any) -> str:
    values = _key_values(key)
    return str(key) if values is None else " ".join(str(value) for value in values)


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    part: list[Any] = []
    for item in items:
        part.append(item)
        if len(part) == CHUNK:
            yield part
            part = []
    if part:
        yield part
