"""What is a row of the registry, and which bytes stand for it in the ledger?"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, Session

from picdeed.core.errors import IntegrityError
from picdeed.core.ids import canonical_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

CHUNK = 500  # keys per IN (...): far below SQLite's limit of variables
_SAFE_INT = 2**53 - 1  # above it RFC 8785 has no exact number


class CanonicalJson(sa.types.TypeDecorator[Any]):
    """A JSON value stored as the text of its canonical form (RFC 8785)."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect | None) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Canonical text; None is SQL NULL. Raises ValueError on what JSON cannot hold."""
        return None if value is None else canonical_json(value).decode()

    def process_result_value(self, value: Any, dialect: sa.Dialect | None) -> Any:  # noqa: ARG002 - SQLAlchemy's
        """The JSON value; raises IntegrityError on text that somebody broke."""
        if value is None:
            return None
        try:
            return json.loads(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise IntegrityError(
                f"A row of the registry cannot be read: {str(value)[:60]!r} is not JSON.",
                hint="Run picdeed audit to see which row it is.",
            ) from error


class Table(MappedAsDataclass, DeclarativeBase, kw_only=True, eq=False):
    """What every table of the registry derives from. Rows are built with keywords only."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads a plain class attribute
        str: sa.Text,
        int: sa.BigInteger,
        float: sa.Double,
        bool: sa.Boolean(create_constraint=False),
    }


AnyRow = TypeVar("AnyRow", bound=Table)

# Derived tables of earlier schemas: dropped by a migration and computed anew, never evidence.
RETIRED = ("conclusions",)
_EXEMPT_SUFFIXES = ("_cache", "_rollup", "_facet")
_EXEMPT_NAMES = ("events", "ledger_rows", "alembic_version")


def is_covered(table_name: str) -> bool:
    """Whether rows of this table must be written through the ledger."""
    return table_name not in _EXEMPT_NAMES and not table_name.endswith(_EXEMPT_SUFFIXES)


def table_of(row: Table) -> sa.Table:
    """The table a row belongs to."""
    return table_for(type(row))


def table_for(model: type[Table]) -> sa.Table:
    """The table behind a class of rows."""
    table = model.__table__
    assert isinstance(table, sa.Table)  # noqa: S101 - mypy: a mapped class has a real table here
    return table


def storable(text: str) -> str:
    r"""Text that every database takes: NUL and lone surrogates become visible `\x00` escapes."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def stored_value(column: sa.Column[Any], value: Any) -> Any:
    """What the database will hold for a row's attribute.

    Raises TypeError when the database would silently keep something else than was given, which
    the next audit would have to call an edit.
    """
    if value is None:
        return None
    kind = column.type
    if isinstance(kind, CanonicalJson):
        return kind.process_bind_param(value, None)
    if isinstance(kind, sa.Boolean) and isinstance(value, bool):
        return value
    if isinstance(kind, sa.Text) and isinstance(value, str):
        return str(value)
    if isinstance(kind, sa.BigInteger) and isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(kind, sa.Double) and isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise TypeError(f"{column} cannot hold {value!r} ({type(value).__name__})")


def json_value(column: sa.Column[Any], raw: Any) -> Any:  # noqa: PLR0911 - one per type of cell
    """A JSON value for whatever a database cell holds, tampered cells included. Never raises."""
    match raw:
        case 0 | 1 if isinstance(column.type, sa.Boolean) and isinstance(raw, int):
            return bool(raw)
        case None | bool():
            return raw
        case int():
            return raw if abs(raw) <= _SAFE_INT else {"int": str(raw)}
        case float():
            return raw if math.isfinite(raw) else {"float": repr(raw)}
        case str():
            try:
                raw.encode()
            except UnicodeEncodeError:
                return {"bytes": raw.encode("utf-8", "surrogateescape").hex()}
            return raw
        case bytes() | bytearray() | memoryview():
            return {"bytes": bytes(raw).hex()}
        case _:
            return {"other": repr(raw)}


def row_json(table: sa.Table, cells: Mapping[str, Any]) -> bytes:
    """Canonical JSON of all columns of one row, as the database holds them."""
    return canonical_json({c.name: json_value(c, cells[c.name]) for c in table.columns})


def key_json(table: sa.Table, cells: Mapping[str, Any]) -> str:
    """Canonical JSON list of a row's primary key."""
    return canonical_json([json_value(c, cells[c.name]) for c in table.primary_key]).decode()


def stored_cells(row: Table) -> dict[str, Any]:
    """The cells that the database holds for this row once it is flushed."""
    columns = sa.inspect(type(row)).columns
    return {c.name: stored_value(c, getattr(row, a)) for a, c in columns.items()}


def _key_of(row: Table) -> tuple[Any, ...]:
    return tuple(sa.inspect(type(row)).primary_key_from_instance(row))


def _by_model(rows: Iterable[AnyRow]) -> dict[type[AnyRow], dict[tuple[Any, ...], AnyRow]]:
    models: dict[type[AnyRow], dict[tuple[Any, ...], AnyRow]] = {}
    for row in rows:
        models.setdefault(type(row), {}).setdefault(_key_of(row), row)
    return models


def _known(
    session: Session, model: type[AnyRow], keys: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], AnyRow]:
    columns = sa.inspect(model).primary_key
    found: dict[tuple[Any, ...], AnyRow] = {}
    for part in chunks(keys):
        wanted = (
            columns[0].in_([key[0] for key in part])
            if len(columns) == 1
            else sa.tuple_(*columns).in_(part)
        )
        found.update({_key_of(r): r for r in session.scalars(sa.select(model).where(wanted))})
    return found


def chunks(items: Collection[Any], size: int = CHUNK) -> Iterable[list[Any]]:
    """`items` in lists of at most `size`."""
    listed = list(items)
    return (listed[i : i + size] for i in range(0, len(listed), size))


def fresh(session: Session, rows: Iterable[AnyRow]) -> list[AnyRow]:
    """The rows whose key the database does not hold yet, each key once, first come first kept.

    For append-only facts (pictures, occurrences, claims): what is known already stays as it is.
    """
    kept: list[AnyRow] = []
    for model, by_key in _by_model(rows).items():
        known = _known(session, model, list(by_key))
        kept.extend(row for key, row in by_key.items() if key not in known)
    return kept


def merged(
    session: Session, rows: Iterable[AnyRow], ignoring: Collection[str] = ()
) -> list[AnyRow]:
    """New rows, and known rows that now say something else (the loaded row, brought up to date).

    For derived rows (conclusions, clusters): an empty list means that there is nothing to write.
    Columns named in `ignoring` (dates, mostly) do not count as a difference by themselves.
    """
    kept: list[AnyRow] = []
    for model, by_key in _by_model(rows).items():
        known = _known(session, model, list(by_key))
        for key, row in by_key.items():
            old = known.get(key)
            if old is None:
                kept.append(row)
                continue
            names = sa.inspect(model).columns.keys()
            differ = [n for n in names if getattr(old, n) != getattr(row, n)]
            if set(differ) - set(ignoring):
                for name in differ:
                    setattr(old, name, getattr(row, name))
                kept.append(old)
    return kept
