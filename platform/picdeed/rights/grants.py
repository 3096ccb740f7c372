"""What does a contract open, from when until when, and for whom?

A grant clears a prohibition only where it names that action (R1), and only one that was observed
before the grant was recorded: what its holder forbids afterwards binds again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from picdeed.rights.verdict import Use, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Grant:
    """One contract about one picture or base; times are ISO-8601 UTC, `ends` None for no end.

    `matched`: the licensor is a holder whom the picture's claims name. `terms` says in one line
    what the contract asks for.
    """

    id: str
    licensor: str
    actions: tuple[Use, ...]
    starts: str
    ends: str | None
    recorded_at: str
    matched: bool
    terms: str = ""

    def holds(self, at: str) -> bool:
        """Whether the contract is in force at this moment."""
        return self.starts <= at and (self.ends is None or at < self.ends)

    def clears(self, observed_at: str) -> bool:
        """Whether it answers a reservation against training that was observed at this time."""
        return (
            self.matched
            and Use.TRAIN in self.actions
            and bool(observed_at)
            and observed_at <= self.recorded_at
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A grant as it counts for one picture: DUTIES, or REVIEW where a person must look first."""

    id: str
    licensor: str
    actions: tuple[Use, ...]
    effect: Verdict
    clause: str
    terms: str

    def as_json(self) -> dict[str, Any]:
        """Plain values under the fields' names."""
        return {
            "id": self.id,
            "licensor": self.licensor,
            "actions": [use.value for use in self.actions],
            "effect": self.effect.value,
            "clause": self.clause,
            "terms": self.terms,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Held:
        """What `as_json` gave. Raises KeyError or ValueError on anything else."""
        return cls(
            str(row["id"]),
            str(row["licensor"]),
            tuple(Use(use) for use in row["actions"]),
            Verdict(row["effect"]),
            str(row["clause"]),
            str(row["terms"]),
        )


def hold(grants: Iterable[Grant], *, contested: bool) -> tuple[Held, ...]:
    """The grants in force as they count; `contested`: a copy of the picture claims otherwise."""
    return tuple(sorted((_hold(grant, contested) for grant in grants), key=lambda held: held.id))


def best(held: Iterable[Held], use: Use) -> Held | None:
    """The grant that opens a use the widest; None when none names it."""
    naming = [one for one in held if use in one.actions]
    return min(naming, key=lambda one: (one.effect.strictness, one.id), default=None)


def next_change(grants: Iterable[Grant], at: str) -> str | None:
    """The next moment at which one of them begins or ends."""
    moments = [
        when for g in grants for when in (g.starts, g.ends) if when is not None and when > at
    ]
    return min(moments, default=None)


def _hold(grant: Grant, contested: bool) -> Held:
    until = f" until {grant.ends[:10]}" if grant.ends else ""
    clause = f"{grant.id[:12]}: a contract with {grant.licensor}{until}"
    effect = Verdict.DUTIES
    if not grant.matched:
        effect = Verdict.REVIEW
        clause += "; the claims name another holder, or none: somebody must check the authority"
    elif contested:
        effect = Verdict.REVIEW
        clause += "; R10: a copy of the picture claims another licence"
    return Held(grant.id, grant.licensor, grant.actions, effect, clause, grant.terms)
