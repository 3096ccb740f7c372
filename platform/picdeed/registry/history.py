"""When did the registry learn something? Read from the ledger, which dates every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from picdeed.core.ids import canonical_json
from picdeed.registry.ledger import LedgerEvent, LedgerRow
from picdeed.registry.tables import chunks

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session


def first_written(
    session: Session, table: str, keys: Collection[tuple[str, ...]]
) -> dict[tuple[str, ...], str]:
    """When each row (by primary key) was first written, ISO-8601 UTC; unknown rows are missing."""
    spelled = {canonical_json(list(key)).decode(): key for key in keys}
    found: dict[tuple[str, ...], str] = {}
    for part in chunks(spelled):
        wanted = (
            sa.select(LedgerRow.row_key, sa.func.min(LedgerEvent.at))
            .join(LedgerEvent, LedgerEvent.seq == LedgerRow.event_seq)
            .where(LedgerRow.row_table == table, LedgerRow.row_key.in_(part))
            .group_by(LedgerRow.row_key)
        )
        found.update({spelled[key]: at for key, at in session.execute(wanted)})
    return found
