"""What came of training a run once more: equal, close, or not what was recorded?

Where environment and plan are the same, one bit less than equal is a finding. Elsewhere the last
bits move and training amplifies them: what is told is how far, and from which step on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import IntegrityError, RunFailed
from picdeed.diffusion.plan import RunPlan
from picdeed.diffusion.runfolder import read_json, read_log
from picdeed.flow.replanned import planned_exposures
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry

if TYPE_CHECKING:
    from picdeed.diffusion.differing import Apart

TOLERANCE = 1e-3
"""Where the environment is another one: the largest difference of two adapters, as a part of the
largest value in the recorded one; the same for the losses."""
UNKNOWN = "unknown"


class Surroundings(StrEnum):
    """Whether the run was rebuilt where and with what it was trained."""

    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Differs:
    """What is not equal. `what`: adapter, exposure, steps, log, held-out-loss.

    `tensor` is the first that differs, `largest` the largest absolute difference of any, `share`
    that as a part of the largest value in the recorded adapter; `step` is the first line of the log
    that differs, `drifts_from` the first whose loss is more than `tolerance` of itself away.
    `losses`: the largest difference of a step's loss as a part of the largest (`log`), and that of
    the adapter's held-out loss as a part of itself (`held_out`). Null: nothing differs there, or it
    cannot be told (the recorded file is gone; tensors have other names or shapes, no loss was
    measured). `environment`: {name: {recorded, here}}.
    """

    what: tuple[str, ...]
    tensor: str | None
    largest: float | None
    share: float | None
    step: int | None
    drifts_from: int | None
    losses: Mapping[str, float | None]
    environment: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Replayed:
    """`equal`: every tensor, exposure and line of the log is what was recorded. `within`: equal, or
    no further apart than `tolerance`. `tensors` and `log_lines` were compared; None: the recorded
    file is gone. Adapters are ids; `kept` is the folder that the rebuilt one was left in.
    """

    run: str
    equal: bool
    within: bool
    tolerance: float
    environment: Surroundings
    adapter: str
    rebuilt: str
    tensors: int | None
    log_lines: int | None
    differs: Differs | None
    kept: Path | None = None
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """5 when it is not what was recorded and the environment does not account for it."""
        accounted = self.within and self.environment is not Surroundings.SAME
        return 0 if self.equal or accounted else IntegrityError.exit_code


def compared(
    registry: Registry, row: Run, plan: RunPlan, folder: Path, recorded: Path | None
) -> Replayed:
    """What was recorded of a run beside the run folder of its replay; `recorded` is the adapter's
    file. Raises RunFailed on a folder without an adapter that was trained from its first step.
    """
    from picdeed.diffusion.differing import adapters_apart, drifts_from, logs_apart

    was: Mapping[str, Any] = row.result
    now = read_json(folder / "result.json") or {}
    rebuilt = folder / "adapter.safetensors"
    if not rebuilt.is_file() or now.get("resumed_from") is not None:
        raise RunFailed(
            f"Run {row.id[:12]} was not rebuilt from its first step; nothing can be said of it.",
            run=row.id,
        )
    tensors = adapters_apart(recorded, rebuilt) if recorded is not None else None
    before = read_log(registry.root / row.folder)
    after = read_log(folder)
    log = logs_apart(before, after) if before else None
    unequal = {
        "adapter": was["adapter_id"] != now["adapter_id"],
        "exposure": not was["exposure"] == now["exposure"] == planned_exposures(plan),
        "steps": log is not None and log.largest is None,
        "log": log is not None and log.first is not None,
        "held-out-loss": _losses_differ(was.get("loss"), now.get("loss")),
    }
    what = tuple(name for name, differs in unequal.items() if differs)
    changed = environment_changes(was, now)
    differs = Differs(
        what=what,
        tensor=str(tensors.first) if tensors and tensors.first is not None else None,
        largest=tensors.largest if tensors else None,
        share=tensors.share if tensors else None,
        step=int(log.first) if log and log.first is not None else None,
        drifts_from=drifts_from(before, after, TOLERANCE),
        losses={"log": log.share if log else None, "held_out": _held_out_apart(was, now)},
        environment=changed,
    )
    return Replayed(
        run=row.id,
        equal=not what,
        within=not what or _within(what, tensors, log),
        tolerance=TOLERANCE,
        environment=surroundings(changed),
        adapter=was["adapter_id"],
        rebuilt=now["adapter_id"],
        tensors=tensors.compared if tensors else None,
        log_lines=log.compared if log else None,
        differs=differs if what else None,
    )


def _losses_differ(was: Any, now: Any) -> bool:
    """Held-out losses, as far as both results tell them: a later picdeed may tell more."""
    if not isinstance(was, Mapping) or not isinstance(now, Mapping):
        return bool(was != now)
    return any(was[name] != now[name] for name in was.keys() & now.keys())


def _held_out_apart(was: Mapping[str, Any], now: Mapping[str, Any]) -> float | None:
    first, second = ((result.get("loss") or {}).get("adapter") for result in (was, now))
    if not isinstance(first, int | float) or not isinstance(second, int | float) or not first:
        return None
    return abs(second - first) / abs(first)


def _within(what: tuple[str, ...], tensors: Apart | None, log: Apart | None) -> bool:
    """Whether what differs are numbers, and these little; nothing to measure is not little."""
    if {"exposure", "steps"} & set(what) or ("adapter" in what and tensors is None):
        return False
    shares = [one.share for one in (tensors, log) if one is not None]
    return all(share is not None and share <= TOLERANCE for share in shares)


def environment_changes(
    was: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """What of the environment two results tell differently, by name: {recorded, here}.

    `unknown` stands where one of them does not say: results from before it was recorded.
    """
    first, second = _told(was), _told(now)
    return {
        name: {"recorded": first.get(name, UNKNOWN), "here": second.get(name, UNKNOWN)}
        for name in sorted(first.keys() | second.keys())
        if first.get(name, UNKNOWN) != second.get(name, UNKNOWN)
    }


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: result[name] for name in ("device", "threads") if name in result}
    for group in ("versions", "cpu", "gpu"):
        told |= {f"{group}.{name}": value for name, value in (result.get(group) or {}).items()}
    return told


def surroundings(changed: Mapping[str, Mapping[str, Any]]) -> Surroundings:
    """Which kind of environment these changes make of it."""
    if not changed:
        return Surroundings.SAME
    known = [pair for pair in changed.values() if UNKNOWN not in pair.values()]
    return Surroundings.OTHER if known else Surroundings.UNKNOWN
