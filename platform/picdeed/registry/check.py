"""Does the database still hold what was written, and nothing else?

Recomputed from the raw cells: the chain of events with its signatures, each event's row tree, each
row against its newest ledger row, and the signed heads against the chain. This finds edits by
anyone without the signing key. Rolling back database and heads together shows only against a head
that was kept elsewhere, and so does a history that somebody wrote anew under another key.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import merkle_root
from picdeed.registry import descent_edges, ledger
from picdeed.registry.check_rows import check_rows, decode, streamed
from picdeed.registry.heads import (
    Head,
    event_message,
    head_files,
    load_key,
    parse_head,
    signed_by,
)
from picdeed.registry.reports import check_reports
from picdeed.registry.schema import covered_tables, metadata
from picdeed.registry.tables import is_covered, json_value, table_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from picdeed.registry.session import Registry

MOST_PROBLEMS = 1000  # a wiped ledger must not fill the memory: the rest is counted


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: what it is about, one word for its kind, one sentence."""

    subject: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What was read. `unsealed` events have no signed head yet: a kill left them, no problem."""

    events: int
    rows: int
    unsealed: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


@dataclass(slots=True)
class _Findings:
    problems: list[Problem] = field(default_factory=list)
    more: int = 0

    def add(self, subject: str, kind: str, message: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(subject, kind, message))
        else:
            self.more += 1

    def all(self) -> tuple[Problem, ...]:
        if not self.more:
            return tuple(self.problems)
        rest = Problem("ledger", "more", f"{self.more} more problems are not listed.")
        return (*self.problems, rest)


@dataclass(slots=True)
class _Chain:
    """What the walk along the events found: their number, the last one, the hashes asked for."""

    wanted: set[int]
    events: int = 0
    last: int = 0
    previous: str = ledger.GENESIS
    at: dict[int, str] = field(default_factory=dict)


def check_ledger(registry: Registry, head: Path | None = None) -> LedgerReport:
    """Recompute everything that the ledger vouches for; `head` is a tree head kept elsewhere.

    Reads one consistent state while others may write, in memory that does not grow with the
    registry. Raises UsageError when the file `head` does not exist; everything else that is
    wrong is a problem in the report.
    """
    findings = _Findings()
    foreign = _foreign_head(head, findings) if head is not None else None
    # Heads before rows: a writer may commit between the two, and a head must never be newer
    # than the state that it is held against.
    known = list(_read_heads(registry, findings))
    public_key = _public_key(registry, findings)
    chain = _Chain(
        wanted={one.sequence for one in known} | ({foreign.sequence} if foreign else set())
    )
    rows = _check_state(registry, public_key, chain, findings)
    sealed = _check_heads(known, public_key, chain, findings)
    if foreign is not None:
        _check_head(foreign, str(head), public_key, chain, findings)
    _check_revocations(registry, findings)
    return LedgerReport(chain.events, rows, max(0, chain.last - sealed), findings.all())


def _foreign_head(path: Path, findings: _Findings) -> Head | None:
    if not path.is_file():
        raise UsageError(f"{path} is no file.", hint="--head takes a copy of a file from heads/.")
    try:
        return parse_head(path.read_bytes())
    except ValueError as error:
        findings.add(str(path), "head", f"This tree head cannot be read: {error}.")
        return None


def _read_heads(registry: Registry, findings: _Findings) -> Iterator[Head]:
    for sequence, path in head_files(registry.heads):
        try:
            head = parse_head(path.read_bytes())
        except FileNotFoundError:  # cleared away by a writer at this moment
            continue
        except (ValueError, OSError) as error:
            findings.add(path.name, "head", f"This tree head cannot be read: {error}.")
            continue
        if head.sequence != sequence:
            findings.add(path.name, "head", f"It speaks of event {head.sequence}.")
        yield head


def _public_key(registry: Registry, findings: _Findings) -> str | None:
    try:
        return load_key(registry.ledger_key).public
    except IntegrityError as error:
        findings.add("keys/ledger.pem", "key", error.message)
        return None


def _check_state(
    registry: Registry, public_key: str | None, chain: _Chain, findings: _Findings
) -> int:
    """Everything inside the database, in one reading; gives the number of rows read."""
    try:
        with _undecoded(registry.engine) as connection:
            if connection.dialect.name == "sqlite":
                _check_database(connection, findings)
            if not _check_schema(connection, findings):
                return 0
            _walk(connection, public_key, chain, findings)
            return check_rows(connection, covered_tables(), findings.add)
    except sa.exc.DBAPIError as error:
        findings.add("database", "database", f"The database cannot be read: {error.orig}.")
        return 0


@contextmanager
def _undecoded(engine: sa.Engine) -> Iterator[sa.Connection]:
    if engine.dialect.name != "sqlite":
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            yield connection
        return
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.text_factory = decode  # text that is no UTF-8 must not stop the reading
        try:
            yield connection
        finally:
            driver.text_factory = str


def _check_database(connection: sa.Connection, findings: _Findings) -> None:
    for (message,) in connection.execute(sa.text("PRAGMA integrity_check(20)")):
        if message != "ok":
            findings.add("database", "database", f"SQLite: {message}.")


def _check_schema(connection: sa.Connection, findings: _Findings) -> bool:
    """Whether all tables can be read; other tables or columns than the schema's are problems."""
    inspector = sa.inspect(connection)
    found = set(inspector.get_table_names())
    whole = True
    for table in metadata().sorted_tables:
        if table.name not in found:
            findings.add(table.name, "schema", "The table is missing.")
            whole = False
            continue
        columns = {str(column["name"]) for column in inspector.get_columns(table.name)}
        for name in sorted(columns ^ set(table.columns.keys())):
            missing = name not in columns
            what = "is missing" if missing else "does not belong here"
            findings.add(f"{table.name}.{name}", "schema", f"The column {what}.")
            whole = whole and not missing
    for name in sorted(found - set(metadata().tables)):
        if is_covered(name):
            findings.add(name, "schema", "The table does not belong here.")
    return whole


def _check_revocations(registry: Registry, findings: _Findings) -> None:
    """The signed reports, and the graph that a revocation walks: an edge less would hide things."""
    try:
        with registry.read() as session:
            for revocation, message in check_reports(registry, session):
                findings.add(revocation, "report", message)
            for parent, child, relation in descent_edges.check(session):
                edge = f"{parent[:16]} {relation} {child[:16]}"
                findings.add("descent", "descent", f"The graph and its rows differ: {edge}.")
    except (sa.exc.DBAPIError, IntegrityError, ValueError, TypeError) as error:
        # Rows that cannot be read were named above; that they could not be compared is told too.
        said = str(error).partition("\n")[0]
        findings.add("descent", "descent", f"The descent graph cannot be compared: {said}")


def _walk(
    connection: sa.Connection, public_key: str | None, chain: _Chain, findings: _Findings
) -> None:
    events, rows = table_for(ledger.LedgerEvent), table_for(ledger.LedgerRow)
    written = _Grouped(streamed(connection, rows, (rows.c.event_seq, rows.c.position)))
    for cells in streamed(connection, events, (events.c.seq,)):
        values = {c.name: json_value(c, cells[c.name]) for c in events.columns}
        leaves = written.up_to(cells["seq"], findings)
        _check_event(values, leaves, public_key, chain, findings)
    written.rest(findings)


def _check_event(
    values: dict[str, Any],
    leaves: list[bytes],
    public_key: str | None,
    chain: _Chain,
    findings: _Findings,
) -> None:
    seq = values["seq"]
    subject = f"event {seq}"
    bound = {name: values[name] for name in values if name not in {"hash", "signature"}}
    if seq != chain.last + 1:
        findings.add(subject, "chain", f"It follows event {chain.last}: events are missing.")
    if values["previous"] != chain.previous:
        findings.add(subject, "chain", "It does not name the hash of the event before it.")
    if values["hash"] != ledger.event_hash(**bound):
        findings.add(subject, "event", "The event was edited: its hash does not fit.")
    if values["rows_root"] != merkle_root(leaves):
        findings.add(subject, "rows-root", "Its ledger rows are not those that it wrote.")
    digest = str(values["hash"])
    if public_key and not signed_by(public_key, str(values["signature"]), event_message(digest)):
        findings.add(subject, "signature", "It was not signed with this registry's key.")
    chain.events += 1
    chain.previous = digest
    if isinstance(seq, int):
        chain.last = seq
        if seq in chain.wanted:
            chain.at[seq] = digest


class _Grouped:
    """Ledger rows in the order of their events, handed out event by event."""

    def __init__(self, rows: Iterator[dict[str, Any]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def up_to(self, seq: Any, findings: _Findings) -> list[bytes]:
        """The leaves of event `seq`; rows of events that do not exist are problems."""
        leaves: list[bytes] = []
        while self._next is not None and _not_after(self._next["event_seq"], seq):
            if self._next["event_seq"] == seq:
                leaves.append(_leaf(self._next))
            else:
                _orphan(self._next, findings)
            self._next = next(self._rows, None)
        return leaves

    def rest(self, findings: _Findings) -> None:
        """Everything behind the last event."""
        while self._next is not None:
            _orphan(self._next, findings)
            self._next = next(self._rows, None)


def _not_after(one: Any, other: Any) -> bool:
    numbers = isinstance(one, (int, float)) and isinstance(other, (int, float))
    return one <= other if numbers else one is None


def _leaf(cells: dict[str, Any]) -> bytes:
    columns = table_for(ledger.LedgerRow).columns
    table, key, digest = (
        json_value(columns[name], cells[name]) for name in ("row_table", "row_key", "row_sha256")
    )
    return ledger.row_leaf(table, key, digest)


def _orphan(cells: dict[str, Any], findings: _Findings) -> None:
    where = f"ledger row {cells['event_seq']}/{cells['position']}"
    findings.add(where, "chain", "It belongs to an event that does not exist.")


def _check_heads(
    known: list[Head], public_key: str | None, chain: _Chain, findings: _Findings
) -> int:
    """The newest sequence that a sound head vouches for."""
    sealed = 0
    for head in known:
        name = f"head-{head.sequence:012d}.json"
        if _check_head(head, name, public_key, chain, findings):
            sealed = max(sealed, head.sequence)
    # Only the events of the very last write can be without a head, and the first event is a
    # write of its own.
    if not known and chain.last > 1:
        findings.add("heads", "head", "The signed tree heads are missing.")
    return sealed


def _check_head(
    head: Head, name: str, public_key: str | None, chain: _Chain, findings: _Findings
) -> bool:
    if not head.holds():
        findings.add(name, "head", "Its signature does not fit: the tree head was edited.")
    elif public_key and head.public_key != public_key:
        findings.add(name, "head", "It was signed with another key than this registry's.")
    elif head.sequence > chain.last:
        findings.add(
            name,
            "rolled-back",
            f"It vouches for event {head.sequence}; the database ends at event {chain.last}.",
        )
    elif chain.at.get(head.sequence) != head.hash:
        findings.add(name, "head", f"Event {head.sequence} is not the one that it vouches for.")
    else:
        return True
    return False
