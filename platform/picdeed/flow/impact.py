"""What does a revocation do to each thing that it reaches? Section 4.5 of the rights model.

| ground | snapshots | unfinished runs | adapters and outputs |
|---|---|---|---|
| contract-ended, survival yes | not-usable | stopped | good, flagged |
| contract-ended, no or unknown | not-usable | stopped | suspended |
| opt-out, effective after the run began | not-usable | stopped | good, flagged |
| opt-out that predates the run | not-usable | stopped | suspended |
| takedown, privacy, error | not-usable | stopped | suspended |

A state never gets better: what another revocation suspended stays so, `withdrawn` and `erased`
stay what they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from picdeed.flow.aims import Aim
from picdeed.flow.grounds import Ground
from picdeed.registry import lineage, revocations, subjects
from picdeed.registry.descent import closure
from picdeed.registry.outputs import Output
from picdeed.registry.pictures import Picture, PictureState
from picdeed.registry.runs import Adapter, Run, RunState, Standing
from picdeed.registry.session import Session
from picdeed.registry.snapshots import Snapshot, SnapshotState

Row = Picture | Snapshot | Run | Adapter | Output

# Best first. What is held was never released: it stays held or is suspended.
_STANDINGS: tuple[str, ...] = (
    Standing.HELD,
    Standing.GOOD,
    Standing.SUSPENDED,
    Standing.WITHDRAWN,
)
_STATES: Mapping[str, tuple[str, ...]] = {
    "img": (PictureState.GOOD, PictureState.REVOKED, PictureState.ERASED),
    "snp": (SnapshotState.GOOD, SnapshotState.NOT_USABLE),
    "run": _STANDINGS,
    "adp": _STANDINGS,
    "out": _STANDINGS,
}
_FALLEN: Mapping[str, str] = {
    "img": PictureState.REVOKED,
    "snp": SnapshotState.NOT_USABLE,
    "run": Standing.SUSPENDED,
    "adp": Standing.SUSPENDED,
    "out": Standing.SUSPENDED,
}
_GROUPS = {
    "img": "pictures",
    "snp": "snapshots",
    "run": "runs",
    "adp": "adapters",
    "out": "outputs",
}
_UNFINISHED = (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True, slots=True)
class Touched:
    id: str
    state: str


@dataclass(frozen=True, slots=True)
class Impact:
    pictures: tuple[Touched, ...]
    snapshots: tuple[Touched, ...]
    runs: tuple[Touched, ...]
    adapters: tuple[Touched, ...]
    outputs: tuple[Touched, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that is reached. `row` is None for what has no state here, such as a base."""

    id: str
    before: str
    after: str
    row: Row | None = None

    @property
    def kind(self) -> str:
        """The three letters of its id."""
        return subjects.kind_of(self.id)

    @property
    def stops(self) -> bool:
        """Whether this is a run that goes on and must not."""
        row = self.row
        fell = self.after == Standing.SUSPENDED
        return isinstance(row, Run) and fell and row.state in _UNFINISHED

    def as_json(self) -> dict[str, str]:
        """One node of the report."""
        word = subjects.WORDS.get(self.kind, self.kind)
        return {"id": self.id, "kind": word, "before": self.before, "after": self.after}


def effects(session: Session, aim: Aim, ground: Ground, since: str) -> list[Effect]:
    """Everything that the aim reaches, by id, with its state before and after.

    The descent graph must be current.
    """
    reached = [
        one
        for one in closure(session, aim.falling | aim.flagged)
        if subjects.kind_of(one) != "clu"  # only the way from one copy to the next
    ]
    found = lineage.rows(session, reached).items()
    rows = {one: row for one, row in found if isinstance(row, Row)}
    lawful = [row.id for row in rows.values() if _lawful(row, ground, aim.survival, since)]
    fallen = set(closure(session, aim.falling, without=lawful))
    bare = revocations.last_states(session, [one for one in reached if one not in rows])
    return [
        _effect(one, rows[one], fell=one in fallen)
        if one in rows
        else _bare(one, bare.get(one, ""), fell=one in fallen)
        for one in reached
    ]


def impact_of(found: list[Effect]) -> Impact:
    """The lists of the contract: ids with their states after it."""
    groups: dict[str, list[Touched]] = {name: [] for name in _GROUPS.values()}
    for one in found:
        if one.row is not None:
            groups[_GROUPS[one.kind]].append(Touched(one.id, one.after))
    return Impact(**{name: tuple(touched) for name, touched in groups.items()})


def counted(found: list[Effect]) -> dict[str, dict[str, int]]:
    """How many things of each kind end in each state."""
    counts: dict[str, Counter[str]] = {}
    for one in found:
        word = subjects.WORDS.get(one.kind, one.kind)
        counts.setdefault(word, Counter())[one.after] += 1
    return {kind: dict(sorted(states.items())) for kind, states in sorted(counts.items())}


def state_of(row: Row) -> str:
    """What revocations change of it: a run's standing, everything else's state."""
    return row.standing if isinstance(row, Run) else row.state


def put(row: Row, state: str) -> None:
    """Set what `state_of` reads."""
    if isinstance(row, Run):
        row.standing = state
    else:
        row.state = state


def _lawful(row: Row, ground: Ground, survival: str, since: str) -> bool:
    """Whether what came out of this was made lawfully and may stay as it is."""
    if isinstance(row, Run) and row.state != RunState.SUCCEEDED:
        return False
    if ground is Ground.CONTRACT_ENDED:
        return survival == "yes" and isinstance(row, Run | Output)
    if ground is not Ground.OPT_OUT:
        return False
    if isinstance(row, Run):
        return since > row.started_at
    # Drawn by a base alone there is no run: the drawing itself was lawful or not.
    return isinstance(row, Output) and row.run_id is None and since > row.created_at


def _bare(one: str, before: str, *, fell: bool) -> Effect:
    """What has no state of its own, such as a base: only the effect says that it fell."""
    return Effect(one, before, revocations.GONE if fell else before)


def _effect(one: str, row: Row, *, fell: bool) -> Effect:
    before = state_of(row)
    if not fell:
        return Effect(one, before, before, row)
    kind = subjects.kind_of(one)
    order = _STATES[kind]
    after = max(before, _FALLEN[kind], key=order.index)
    return Effect(one, before, str(after), row)
