"""Which picture leaves a dataset? Its bytes, claims and earlier snapshots stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.registry import datasets, ledger, subjects
from picdeed.registry.session import Registry, utc_now


@dataclass(frozen=True, slots=True)
class Removed:
    """`changed` are the pictures whose membership changed now."""

    dataset: str
    changed: tuple[str, ...]
    members: int


def remove(
    registry: Registry, dataset: str, pictures: Sequence[str], *, undo: bool = False
) -> Removed:
    """Take pictures (ids or prefixes) out of a dataset, or with `undo` back in.

    A removed picture stays out when its file is registered again. Raises UsageError for a
    picture that was never in the dataset; nothing is changed then.
    """
    with registry.write() as session:
        home = datasets.by_name(session, dataset)
        held = {row.picture_id: row for row in datasets.members(session, home.id, removed=True)}
        wanted = [subjects.resolve(session, picture, {"img"}) for picture in pictures]
        strangers = [picture for picture in wanted if picture not in held]
        if strangers:
            raise UsageError(
                f"{strangers[0][:12]} is not in the dataset {dataset}; nothing was changed."
            )
        rows = [held[p] for p in dict.fromkeys(wanted) if (held[p].removed_at is None) != undo]
        for row in rows:
            row.removed_at = None if undo else utc_now()
        if rows:
            payload = {"dataset": home.id, "pictures": len(rows), "undo": undo}
            ledger.write(session, Event.REMOVE_RECORDED, payload, rows)
        left = len(datasets.members(session, home.id))
    return Removed(home.id, tuple(row.picture_id for row in rows), left)
