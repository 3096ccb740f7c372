"""Which runs are another run's plan less the rows of what was revoked, and what was said of them?

Told by the ledger's own events: the one that starts such a run has the key `without`, the one that
compares it names the hash of the signed statement. No edge of descent: what was revoked is exactly
what such a run does not come from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from picdeed.core.errors import IntegrityError
from picdeed.core.events import Event
from picdeed.core.ids import content_id
from picdeed.registry.ledger import LedgerEvent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy.orm import Session

WITHOUT = "without"


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """`run` follows the plan of the run `of`, less some rows. `named` are the revocations that it
    was started for, and that its adapter's header names; `revocations` also those that took back
    the same pictures again. All are whole ids.
    """

    run: str
    of: str
    named: tuple[str, ...]
    revocations: tuple[str, ...]


def counterfactual_id(inputs: Mapping[str, Any], of: str, left_out: Collection[str]) -> str:
    """The id of the run of these inputs, snapshot and all, by the plan of the run `of`.

    The same pictures left out of the same run are one run, whatever took them back.
    """
    without = {"run": of, "pictures": sorted(left_out)}
    return content_id("run", {**inputs, WITHOUT: without})


def said_of(of: str, revocations: Collection[str]) -> dict[str, Any]:
    """What the payload of a `train.started` holds under the key `without`."""
    return {"run": of, "revocations": sorted(revocations)}


def counterfactuals(session: Session) -> list[Counterfactual]:
    """Every such run, oldest first."""
    found: dict[str, Counterfactual] = {}
    for payload in _payloads(session, Event.TRAIN_STARTED, WITHOUT):
        run, said = payload["run"], payload[WITHOUT]
        because = tuple(said["revocations"])
        known = found.get(run) or Counterfactual(run, said["run"], because, ())
        every = dict.fromkeys((*known.revocations, *because))
        found[run] = Counterfactual(run, known.of, known.named, tuple(every))
    return list(found.values())


def of_run(session: Session, run: str) -> Counterfactual | None:
    """What a run (a whole id) leaves out of another's plan; None for any ordinary run."""
    return next((one for one in counterfactuals(session) if one.run == run), None)


def statement_of(session: Session, run: str) -> str | None:
    """SHA-256 of the newest signed statement about a run (a whole id); None before there is one."""
    return statements(session).get(run)


def statements(session: Session) -> dict[str, str]:
    """SHA-256 of the newest signed statement, by run."""
    told = _payloads(session, Event.TRAIN_COMPARED, "statement")
    return {payload["run"]: payload["statement"] for payload in told}


def _payloads(session: Session, event: Event, key: str) -> Iterator[dict[str, Any]]:
    """Payloads of events of a kind that hold this key, oldest first."""
    wanted = sa.select(LedgerEvent.seq, LedgerEvent.payload).where(
        LedgerEvent.kind == str(event), LedgerEvent.payload.contains(f'"{key}":')
    )
    for seq, text in session.execute(wanted.order_by(LedgerEvent.seq)):
        try:
            payload = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise IntegrityError(
                f"Event {seq} cannot be read, so which runs leave out what cannot be told.",
                hint="Run picdeed audit to see what is wrong.",
            ) from error
        if key in payload:
            yield payload
