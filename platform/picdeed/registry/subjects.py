"""Which thing does a user mean by an id, a unique prefix of one, or a name?"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from picdeed.core.errors import UnknownSubject
from picdeed.core.ids import looks_like_id
from picdeed.registry.bases import Base
from picdeed.registry.datasets import Dataset
from picdeed.registry.decisions import Decision
from picdeed.registry.grants import Grant
from picdeed.registry.outputs import Output
from picdeed.registry.pictures import Picture
from picdeed.registry.revocations import Revocation
from picdeed.registry.runs import Adapter, Run
from picdeed.registry.similar import Cluster
from picdeed.registry.snapshots import Snapshot
from picdeed.registry.tables import Table

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

MODELS: dict[str, type[Table]] = {
    "img": Picture,
    "dat": Dataset,
    "snp": Snapshot,
    "dec": Decision,
    "run": Run,
    "adp": Adapter,
    "out": Output,
    "clu": Cluster,
    "rev": Revocation,
    "grt": Grant,
    "bas": Base,
}
WORDS = {
    "img": "picture",
    "dat": "dataset",
    "snp": "snapshot",
    "dec": "decision",
    "run": "run",
    "adp": "adapter",
    "out": "output",
    "grt": "grant",
    "clu": "cluster",
    "rev": "revocation",
    "bas": "base",
}


def kind_of(subject: str) -> str:
    """The three letters before an id's underscore."""
    return subject.split("_", 1)[0]


def resolve(session: Session, text: str, kinds: Collection[str] | None = None) -> str:
    """The whole id for a whole id, a unique prefix of one, or a dataset's or base's name.

    `kinds` restricts to id prefixes such as {"run", "adp"}. Raises UnknownSubject when nothing
    fits, several things do, or what fits is of another kind.
    """
    allowed = set(MODELS) if kinds is None else set(kinds)
    named = _by_name(session, text, allowed)
    found = named or _by_prefix(session, text, allowed)
    if len(found) == 1:
        return found[0]
    what = " or ".join(WORDS[kind] for kind in WORDS if kind in allowed)
    if kinds is None:
        what = "thing"
    if not found:
        raise UnknownSubject(
            f"The registry knows no {what} {text!r}.",
            hint="Give a whole id, a unique prefix of one, or a dataset's or base's name.",
        )
    raise UnknownSubject(
        f"{text!r} fits several: {', '.join(found[:3])}{' ...' if len(found) > 3 else ''}.",  # noqa: PLR2004 - shown
        hint="Give more digits.",
    )


AnyRow = TypeVar("AnyRow", bound=Table)


def find(session: Session, model: type[AnyRow], identity: str) -> AnyRow | None:
    """The row with exactly this id."""
    return session.get(model, identity)


def require(session: Session, model: type[AnyRow], text: str) -> AnyRow:
    """The row that a whole id, a unique prefix or a name means; raises UnknownSubject."""
    kind = next(kind for kind, known in MODELS.items() if known is model)
    row = session.get(model, text) or session.get(model, resolve(session, text, {kind}))
    assert row is not None  # noqa: S101 - resolve has just read its id in this transaction
    return row


def _by_name(session: Session, text: str, allowed: set[str]) -> list[str]:
    found: list[str] = []
    for kind, model in (("dat", Dataset), ("bas", Base)):
        if kind in allowed:
            found += session.scalars(sa.select(model.id).where(model.name == text))
    return found


def _by_prefix(session: Session, text: str, allowed: set[str]) -> list[str]:
    if not looks_like_id(text) or kind_of(text) not in allowed:
        return []
    model = MODELS.get(kind_of(text))
    if model is None:
        return []
    column = sa.inspect(model).primary_key[0]
    # A range uses the key's index where LIKE would read the whole table: every hex digit sorts
    # before "g".
    wanted = sa.select(column).where(column >= text, column < text + "g")
    rows = session.scalars(wanted.order_by(column).limit(4))
    return [row for row in rows if row.startswith(text)]
