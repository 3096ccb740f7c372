"""Which tables make a registry?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from picdeed.registry import (
    bases,
    claims,
    codes,
    conclusions,
    datasets,
    decisions,
    descent,
    facts,
    grants,
    ledger,
    looks,
    outputs,
    pictures,
    revocations,
    rollups,
    runs,
    similar,
    snapshots,
    texts,
    tombstones,
)
from picdeed.registry.tables import Table, is_covered

if TYPE_CHECKING:
    import sqlalchemy as sa

SUBJECTS = (
    pictures,
    claims,
    conclusions,
    grants,
    facts,
    texts,
    datasets,
    codes,
    similar,
    snapshots,
    bases,
    decisions,
    runs,
    outputs,
    revocations,
    tombstones,
    looks,
    descent,
    ledger,
    rollups,
)


def metadata() -> sa.MetaData:
    """The metadata of all tables; every subject above has been imported to fill it."""
    return Table.metadata


def table_order() -> dict[str, int]:
    """A place for each table: parents stand before the tables that refer to them."""
    return {table.name: place for place, table in enumerate(metadata().sorted_tables)}


def covered_tables() -> list[sa.Table]:
    """The tables whose every row the ledger must account for, parents before children."""
    return [table for table in metadata().sorted_tables if is_covered(table.name)]
