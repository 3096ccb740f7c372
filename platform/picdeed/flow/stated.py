"""What can be said of an adapter that was trained without something? Signed, and no more than that.

The file lies beside the impact reports, its hash stands in the ledger, and `picdeed audit` checks
both. It speaks of the adapter, never of the base below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from picdeed.core.errors import IntegrityError
from picdeed.core.events import Event
from picdeed.core.ids import sha256, sha256_file
from picdeed.credentials.keys import load_identity
from picdeed.diffusion.plan import RunPlan, Without, read_plan
from picdeed.flow.replanned import planned_exposures
from picdeed.flow.replayed import Surroundings, environment_changes, surroundings
from picdeed.registry import counterfactuals, ledger, subjects
from picdeed.registry.bases import Base
from picdeed.registry.heads import load_key
from picdeed.registry.reports import keep_report, read_report, report_file, sign_report
from picdeed.registry.runs import Adapter, Run, RunState
from picdeed.registry.session import Registry, Session, utc_now

SCHEMA = "picdeed.trained-without/1"
# Rule: "trained without" speaks of the adapter only.
_STATEMENT = (
    "The adapter named here was trained without the pictures listed under left_out: no step of its "
    "run read them, and it was not continued from an adapter that did. It was trained by the plan "
    "of the run named under counterfactual_of, less their rows; recipe, seed and order are that "
    "run's, and were chosen while these pictures were there."
)
_LIMITS = """\
It speaks of the adapter alone. It says nothing of the base model, which may have seen anything.
It says nothing of the earlier adapter or of what was drawn with it: the revocation left these as \
they stand.
Copies and crops of the pictures were left out where they are known and were revoked; what nobody \
has found yet may be among the pictures that were trained on.
It rests on this registry's record of its own run. Whoever holds the registry can train the same \
plan again and compare (picdeed runs replay).
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """An adapter beside the one that was trained with the rows.

    `same`: their tensors are equal. `tensors` were compared, `largest` is the largest absolute
    difference, `share` that as a part of the largest value, `distance` the norm of the difference
    as a part of the norm; None: the earlier file is gone, or shapes differ. `held_out` has the loss
    of `base`, `before` and `after` and the number of `pictures` each was measured on, or None;
    `comparable` says whether these are the same pictures, `why_not` why they are not.
    `environment`: another one moves tensors too, by no picture's doing.
    """

    same: bool
    tensors: int | None
    largest: float | None
    share: float | None
    distance: float | None
    held_out: Mapping[str, Any] | None
    comparable: bool
    why_not: str | None
    environment: Surroundings


@dataclass(frozen=True, slots=True)
class Stated:
    """A signed statement: where it lies, its SHA-256, and how the two adapters differ."""

    path: Path
    sha256: str
    difference: Difference


def state(registry: Registry, run: str) -> Stated | None:
    """The signed statement about a finished run (a whole id) that leaves something out.

    Made once, and made again where its file is gone. None for any other run, and before its end.
    Raises IntegrityError where the run's plan does not leave out what was recorded.
    """
    with registry.read() as session:
        known = counterfactuals.of_run(session, run)
        row = subjects.require(session, Run, run)
        if known is None or row.state != RunState.SUCCEEDED:
            return None
        recorded = counterfactuals.statement_of(session, run)
        first = subjects.require(session, Run, known.of)
        document = _document(registry, session, row, first)
    difference = _difference(registry, first, row)
    path = report_file(registry, run)
    if recorded is not None and path.is_file() and sha256_file(path) == recorded:
        read_report(registry, run)
        return Stated(path, recorded, difference)
    identity = load_identity(registry.keys)
    document |= {
        "revocations": list(known.revocations),
        "difference": asdict(difference),
        "signer": {"subject": identity.subject, "development": identity.development},
    }
    data = sign_report(load_key(registry.ledger_key), document, schema=SCHEMA)
    with registry.write() as session:
        keep_report(registry, run, data)
        payload = {"run": run, "of": first.id, "statement": sha256(data)}
        ledger.write(session, Event.TRAIN_COMPARED, payload, [])
    return Stated(path, sha256(data), difference)


def _document(registry: Registry, session: Session, row: Run, first: Run) -> dict[str, Any]:
    """What is said, but for the comparison; checked against the run's own result first."""
    plan = read_plan(registry.root / row.folder)
    without = _require_left_out(plan, row, first)
    base = subjects.require(session, Base, row.base_id)
    adapter = subjects.require(session, Adapter, row.result["adapter_id"])
    before: Mapping[str, int] = first.result["exposure"]
    sequence, digest = ledger.last_event(session)
    return {
        "statement": _STATEMENT,
        "limits": _LIMITS.splitlines(),
        "adapter": {"id": adapter.id, "sha256": row.result["adapter_sha256"]},
        "run": row.id,
        "counterfactual_of": {"run": first.id, "adapter": first.result["adapter_id"]},
        "left_out": {one: before.get(one, 0) for one in (*without.members, *without.held_out)},
        "held_out_left_out": list(without.held_out),
        "rows": {"before": sum(before.values()), "after": sum(row.result["exposure"].values())},
        "snapshot": plan.snapshot,
        "snapshot_root": plan.snapshot_root,
        "decision": plan.decision,
        "base": {"name": base.name, "sha256": base.sha256},
        "plan_sha256": plan.digest(),
        "made_at": utc_now(),
        "ledger": {"sequence": sequence, "hash": digest},
    }


def _require_left_out(plan: RunPlan, row: Run, first: Run) -> Without:
    """The run showed what its plan says, and nothing that it says was left out."""
    without = plan.without
    shown = row.result["exposure"]
    if (
        without is None
        or (plan.run, without.run) != (row.id, first.id)
        or shown != planned_exposures(plan)
        or not set(shown).isdisjoint((*without.members, *without.held_out))
        or not set(row.result["held_out"]).isdisjoint(without.held_out)
    ):
        raise IntegrityError(
            f"plan.json of run {row.id[:12]} is not what was trained; no statement was made.",
            hint="picdeed audit says what else is not what it was.",
            run=row.id,
        )
    return without


def _difference(registry: Registry, first: Run, row: Run) -> Difference:
    from picdeed.diffusion.differing import adapters_apart, distance

    paths = [registry.root / one.folder / "adapter.safetensors" for one in (first, row)]
    apart = adapters_apart(*paths) if all(path.is_file() for path in paths) else None
    before, after = first.result.get("loss"), row.result.get("loss")
    measured = before is not None and after is not None
    why_not = None
    if not measured:
        why_not = row.result.get("loss_reason") or first.result.get("loss_reason")
    elif first.result["held_out"] != row.result["held_out"]:
        gone = len(first.result["held_out"]) - len(row.result["held_out"])
        why_not = f"{gone} of the pictures that were held out fell too, so others are measured on."
    return Difference(
        same=first.result["adapter_id"] == row.result["adapter_id"],
        tensors=apart.compared if apart else None,
        largest=apart.largest if apart else None,
        share=apart.share if apart else None,
        distance=distance(*paths) if apart else None,
        held_out={
            "base": after["base"],
            "before": before["adapter"],
            "after": after["adapter"],
            "pictures": [before["pictures"], after["pictures"]],
        }
        if measured
        else None,
        comparable=why_not is None,
        why_not=why_not,
        environment=surroundings(environment_changes(first.result, row.result)),
    )
