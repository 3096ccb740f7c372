"""How does a state change get its ledger row? One write path, and a session that knows no other.

Each event holds its payload, the Merkle root over the hashes of the rows that it wrote, the hash
of the event before it, its own hash over all that, and a signature. `ledger_rows` holds, row by
row, what was written (SHA-256 of the row's canonical JSON) or deleted (null). Both are
append-only.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event as hooks
from sqlalchemy.orm import (
    Mapped,
    ORMExecuteState,
    Session,
    SessionTransaction,
    UOWTransaction,
    mapped_column,
)

from picdeed.core.ids import canonical_json, hash_json, merkle_root, sha256
from picdeed.registry.heads import LedgerKey, event_message
from picdeed.registry.tables import (
    Table,
    is_covered,
    key_json,
    row_json,
    stored_cells,
    table_for,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from picdeed.core.events import Event

GENESIS = "0" * 64  # what the first event names as the hash before it


class LedgerEvent(Table, kw_only=True):
    """One event; `payload` is the text of canonical JSON, `at` ISO-8601 UTC, hashes are hex."""

    __tablename__ = "events"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    at: Mapped[str]
    payload: Mapped[str]
    rows_root: Mapped[str]
    previous: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    signature: Mapped[str]


class LedgerRow(Table, kw_only=True):
    """What one event did to one row. `row_key` is a canonical JSON list of the primary key."""

    __tablename__ = "ledger_rows"
    __table_args__ = (sa.Index("ix_ledger_rows_newest", "row_table", "row_key", "event_seq"),)

    event_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    row_table: Mapped[str]
    row_key: Mapped[str]
    row_sha256: Mapped[str | None]


@dataclass(slots=True)
class Writer:
    """What one write transaction knows: the key, the last event, whether rows may be flushed.

    `order` gives each table its place: parents before the tables that refer to them.
    """

    key: LedgerKey
    sequence: int
    hash: str
    order: Mapping[str, int]
    committed: tuple[int, str] | None = None
    is_over: bool = False
    is_open: bool = False


class LedgerSession(Session):
    """A session whose covered tables can be changed through `write` only."""


def utc_now() -> str:
    """Now, ISO-8601 UTC with microseconds: the registry's one clock."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write(
    session: Session,
    event: Event,
    payload: Mapping[str, Any],
    rows: Sequence[Table],
    deleted: Sequence[Table] = (),
    *,
    at: str | None = None,
) -> str:
    """Write new or changed `rows`, delete `deleted`, and record it as one event; gives its hash.

    Only inside `Registry.write()`. Every changed row of the session must be listed, each row
    once (ValueError otherwise); a value that its column would store differently is a TypeError.
    """
    writer = _writer(session)
    _refuse_unlisted(session, rows, deleted)
    entries = sorted(
        [_entry(row, written=True) for row in rows]
        + [_entry(row, written=False) for row in deleted]
    )
    if len({entry[:2] for entry in entries}) < len(entries):
        raise ValueError("a row is listed twice in one event")
    with _opened(writer):
        _flush(session, writer.order, rows, deleted)
        return _append(session, writer, event, payload, entries, at or utc_now())


def last_event(session: Session) -> tuple[int, str]:
    """Sequence and hash of the newest event; (0, GENESIS) before the first."""
    newest = sa.select(LedgerEvent.seq, LedgerEvent.hash).order_by(LedgerEvent.seq.desc()).limit(1)
    found = session.execute(newest).one_or_none()
    return (found[0], found[1]) if found else (0, GENESIS)


def events(
    session: Session, *, after: int = 0, limit: int | None = None, kind: str | None = None
) -> list[LedgerEvent]:
    """Events behind sequence `after`, oldest first."""
    wanted = sa.select(LedgerEvent).where(LedgerEvent.seq > after).order_by(LedgerEvent.seq)
    if kind is not None:
        wanted = wanted.where(LedgerEvent.kind == kind)
    return list(session.scalars(wanted if limit is None else wanted.limit(limit)))


def event_hash(  # noqa: PLR0917 - the order is that of the columns
    seq: Any, kind: Any, at: Any, payload: Any, rows_root: Any, previous: Any
) -> str:
    """The hash that binds an event: SHA-256 of the canonical JSON of its fields."""
    return hash_json(
        {
            "seq": seq,
            "kind": kind,
            "at": at,
            "payload": payload,
            "rows_root": rows_root,
            "previous": previous,
        }
    )


def row_leaf(table: Any, key: Any, digest: Any) -> bytes:
    """One leaf of an event's row tree: the canonical JSON of (table, key, hash or null)."""
    return canonical_json([table, key, digest])


_Entry = tuple[str, str, str]  # table, key, hash ("" when deleted)


def _entry(row: Table, *, written: bool) -> _Entry:
    table = table_of(row)
    cells = stored_cells(row)
    return table.name, key_json(table, cells), sha256(row_json(table, cells)) if written else ""


def _append(  # noqa: PLR0917 - all of them make the event
    session: Session,
    writer: Writer,
    event: Event,
    payload: Mapping[str, Any],
    entries: Sequence[_Entry],
    at: str,
) -> str:
    seq = writer.sequence + 1
    text = canonical_json(dict(payload)).decode()
    root = merkle_root(row_leaf(table, key, digest or None) for table, key, digest in entries)
    digest = event_hash(seq, str(event), at, text, root, writer.hash)
    values = {
        "seq": seq,
        "kind": str(event),
        "at": at,
        "payload": text,
        "rows_root": root,
        "previous": writer.hash,
        "hash": digest,
        "signature": writer.key.sign(event_message(digest)),
    }
    session.execute(sa.insert(table_for(LedgerEvent)), [values])
    if entries:
        session.execute(
            sa.insert(table_for(LedgerRow)),
            [
                {
                    "event_seq": seq,
                    "position": position,
                    "row_table": table,
                    "row_key": key,
                    "row_sha256": row_hash or None,
                }
                for position, (table, key, row_hash) in enumerate(entries)
            ],
        )
    writer.sequence, writer.hash = seq, digest
    return digest


def _flush(
    session: Session, order: Mapping[str, int], rows: Sequence[Table], deleted: Sequence[Table]
) -> None:
    # Parents first, children's deletion first: without relationships the unit of work does not
    # know the order that the foreign keys ask for.
    by_table: dict[str, list[Table]] = {}
    for row in rows:
        by_table.setdefault(table_of(row).name, []).append(row)
    for name in sorted(by_table, key=order.__getitem__):
        session.add_all(by_table[name])
        session.flush()
    for row in sorted(deleted, key=lambda row: -order[table_of(row).name]):
        session.delete(row)
        session.flush()


def _refuse_unlisted(session: Session, rows: Sequence[Table], deleted: Sequence[Table]) -> None:
    listed = {id(row) for row in (*rows, *deleted)}
    for row in (*session.new, *session.dirty, *session.deleted):
        if id(row) not in listed and (row not in session.dirty or session.is_modified(row)):
            raise ValueError(f"{row!r} was changed but is not listed in the event")


def _writer(session: Session) -> Writer:
    writer = session.info.get("writer")
    if not isinstance(writer, Writer):
        raise TypeError("ledger.write needs a session from Registry.write()")
    if writer.is_over:
        raise RuntimeError("this write was committed or rolled back: begin another one")
    return writer


@contextmanager
def _opened(writer: Writer) -> Iterator[None]:
    writer.is_open = True
    try:
        yield
    finally:
        writer.is_open = False


def _is_open(session: Session) -> bool:
    writer = session.info.get("writer")
    return isinstance(writer, Writer) and writer.is_open


@hooks.listens_for(LedgerSession, "after_commit")
def _remember_commit(session: Session) -> None:
    writer = session.info.get("writer")
    if isinstance(writer, Writer) and not writer.is_over:
        writer.committed, writer.is_over = (writer.sequence, writer.hash), True


@hooks.listens_for(LedgerSession, "after_soft_rollback")
def _remember_rollback(session: Session, _transaction: SessionTransaction) -> None:
    # A savepoint's end too: the writer could not tell which of its events are gone.
    writer = session.info.get("writer")
    if isinstance(writer, Writer):
        writer.is_over = True


@hooks.listens_for(LedgerSession, "before_flush")
def _refuse_flush(session: Session, _context: UOWTransaction, _instances: object) -> None:
    if _is_open(session):
        return
    for row in (*session.new, *session.dirty, *session.deleted):
        if row in session.dirty and not session.is_modified(row):
            continue
        if is_covered(table_of(row).name) or isinstance(row, (LedgerEvent, LedgerRow)):
            raise RuntimeError(f"{row!r} can only be written through ledger.write")


@hooks.listens_for(LedgerSession, "do_orm_execute")
def _refuse_statement(state: ORMExecuteState) -> None:
    if state.is_select or _is_open(state.session):
        return
    name = getattr(getattr(state.statement, "table", None), "name", None)
    if name is None or is_covered(name) or name in {"events", "ledger_rows"}:
        raise RuntimeError(f"{name or 'this'} can only be written through ledger.write")
