"""What does a person say about two pictures that look alike? Their word outlasts every rescan."""

from __future__ import annotations

from dataclasses import dataclass

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.registry import codes, ledger, pictures, subjects
from picdeed.registry.codes import PairDecision, PairVerdict
from picdeed.registry.session import Registry, utc_now

LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Decided:
    """One pair and what stands about it; `verdict` None when nothing does any more."""

    pictures: tuple[str, str]
    verdict: str | None
    keep: str | None
    by: str
    because: str
    recorded_at: str


def decide_pair(
    registry: Registry,
    first: str,
    second: str,
    verdict: PairVerdict | None,
    *,
    keep: str | None = None,
    by: str = "",
    because: str = "",
) -> Decided:
    """Record what two pictures are to each other, in place of what was said before.

    `verdict` None undoes. `keep`, one of the two, stands for both in snapshots. Raises UsageError
    when it is not one of the two, or when there is nothing to undo.
    """
    if len(by) + len(because) > LONGEST:
        raise UsageError("That is too long; nothing was recorded.")
    with registry.write() as session:
        ids = [subjects.resolve(session, one, {"img"}) for one in (first, second)]
        chosen = subjects.resolve(session, keep, {"img"}) if keep else None
        if ids[0] == ids[1]:
            raise UsageError("A picture is no pair with itself; nothing was recorded.")
        if chosen is not None and (chosen not in ids or verdict is not PairVerdict.MERGE):
            raise UsageError(
                "Only one of two merged pictures can stand for both; nothing was recorded.",
                hint="picdeed duplicates decide A B merge --keep A",
            )
        rows = pictures.by_ids(session, ids)
        a, b = sorted(rows[one].sha256 for one in ids)
        kept = rows[chosen].sha256 if chosen else None
        now = utc_now()
        standing = [row for row in codes.decisions(session) if (row.a, row.b) == (a, b)]
        if verdict is None and not standing:
            raise UsageError("Nothing was decided about these two; nothing was changed.")
        same = verdict is not None and any(
            (row.verdict, row.keep) == (verdict, kept) for row in standing[-1:]
        )
        if not same:
            for row in standing:
                row.undone_at = now
            new = []
            if verdict is not None:
                new.append(
                    PairDecision(
                        id=codes.decision_id(a, b, verdict, kept, now),
                        a=a,
                        b=b,
                        verdict=str(verdict),
                        keep=kept,
                        by=by,
                        because=because,
                        recorded_at=now,
                    )
                )
            payload = {"a": a, "b": b, "verdict": verdict and str(verdict), "by": by}
            ledger.write(session, Event.DEDUP_DECIDED, payload, [*standing, *new])
    return Decided((ids[0], ids[1]), verdict and str(verdict), chosen, by, because, now)


def list_decided(registry: Registry) -> tuple[Decided, ...]:
    """Every decision about a pair that stands, newest first."""
    with registry.read() as session:
        rows = codes.decisions(session)
    return tuple(
        Decided(
            (pictures.picture_id(row.a), pictures.picture_id(row.b)),
            row.verdict,
            pictures.picture_id(row.keep) if row.keep else None,
            row.by,
            row.because,
            row.recorded_at,
        )
        for row in reversed(rows)
    )
