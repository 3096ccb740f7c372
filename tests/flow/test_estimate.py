"""Is an estimate asked of the gate, measured aside, and recorded nowhere?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from replayable import BASE, QUICK, Ran, copied, never

from picdeed.core.errors import BusyError, Denied, RunFailed, UsageError
from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.aside import aside
from picdeed.flow.estimate import Estimated, estimate
from picdeed.flow.grounds import Ground
from picdeed.registry import ledger, snapshots
from picdeed.registry.session import Registry

RECIPE = load_recipe("demo", QUICK)


def measured(folder: Path, *, progress) -> None:
    """What the probe's own process does, in this one."""
    from picdeed.diffusion.estimate import main

    code = main([str(folder)])
    progress("probe", 10, 10)
    if code:
        raise RunFailed(f"exit code {code}")


@pytest.fixture
def registry(ran: Ran, tmp_path: Path) -> Registry:
    return copied(ran, tmp_path)


def frozen(registry: Registry) -> str:
    with registry.read() as session:
        (one,) = snapshots.all_snapshots(session)
    return one.id


def ask(registry: Registry, recipe=RECIPE, probe=measured, **more) -> Estimated:
    return estimate(registry, frozen(registry), BASE, recipe, probe, **more)


def files(registry: Registry) -> dict[str, bytes]:
    """Everything but the database, what was read, and the lock of the place."""
    kept = {}
    for path in registry.root.rglob("*"):
        name = path.relative_to(registry.root).as_posix()
        if path.is_file() and not name.startswith(("cache/latents/", "registry.sqlite", "heads")):
            kept[name] = path.read_bytes()
    kept.pop("cache/replay/lock", None)
    return kept


def events(registry: Registry) -> Counter[str]:
    with registry.read() as session:
        return Counter(event.kind for event in ledger.events(session))


def test_nothing_is_recorded_and_nothing_but_what_was_read_is_left(
    registry: Registry, ran: Ran
) -> None:
    before, told = files(registry), events(registry)
    known = ask(registry, price_per_hour=7.2)
    assert (known.run, known.is_known) == (ran.run, True)
    other = ask(registry, seed=5, probe=left_alone(known))
    assert other.is_known is False
    assert other.run != ran.run
    assert files(registry) == before
    more = events(registry) - told
    assert set(more) <= {"gate.decided"}, "the gate answers as it does for a run"
    assert known.cost.fits
    assert known.cost.pictures + known.cost.held_out == 9
    assert known.recipe == RECIPE.model_dump(mode="json")
    assert known.price is not None
    assert known.cost.seconds is not None
    assert known.price.total == pytest.approx(known.cost.seconds.total * 7.2 / 3600)
    assert other.price is None


def silent(folder: Path, *, progress) -> None:
    """A probe that ends well and has nothing to say."""


def left_alone(known: Estimated):
    """A probe that looks at the plan, and says what an earlier one said."""

    def probe(folder: Path, *, progress) -> None:
        plan = json.loads((folder / "plan.json").read_text())
        assert (plan["seed"], plan["notices_sha256"]) == (5, None)
        assert plan["cache"].endswith("cache/latents")
        known.cost.write(folder)

    return probe


def test_the_gate_is_asked_first(registry: Registry, ran: Ran) -> None:
    pipeline.withdraw(registry, ran.copies[0], Ground.TAKEDOWN)
    with pytest.raises(Denied) as refused:
        ask(registry, probe=never)
    assert refused.value.decision


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -1.0])
def test_a_price_that_is_none_is_refused(registry: Registry, price: float) -> None:
    with pytest.raises(UsageError):
        ask(registry, probe=never, price_per_hour=price)


def test_why_nothing_was_measured_keeps_its_kind(registry: Registry) -> None:
    recipe = load_recipe("demo", [*QUICK, 'targets=["add_q_proj"]'])
    with pytest.raises(UsageError, match="add_q_proj") as told:
        ask(registry, recipe)
    assert "to_q" in told.value.hint

    def killed(folder: Path, *, progress) -> None:
        raise RunFailed("The probe was killed by signal 9.", hint="Free some memory.")

    def unreadable(folder: Path, *, progress) -> None:
        told = {"error": "UnreadablePicture", "message": "img does not decode", "hint": ""}
        (folder / "error.json").write_text(json.dumps(told))
        killed(folder, progress=progress)

    with pytest.raises(RunFailed, match="signal 9"):
        ask(registry, probe=killed)
    with pytest.raises(RunFailed, match="does not decode"):
        ask(registry, probe=unreadable)
    with pytest.raises(RunFailed, match="no estimate"):
        ask(registry, probe=silent)
    assert list((registry.cache / "replay").iterdir()) == [registry.cache / "replay" / "lock"]


def test_one_at_a_time_and_what_a_killed_one_left_is_removed(registry: Registry) -> None:
    with aside(registry), pytest.raises(BusyError):
        ask(registry, probe=never)
    left = registry.cache / "replay" / "run_killed"
    left.mkdir()
    (left / "plan.json").write_text("{}")

    def gone(folder: Path, *, progress) -> None:
        assert not left.exists()
        raise RunFailed("enough")

    with pytest.raises(RunFailed, match="enough"):
        ask(registry, probe=gone)
