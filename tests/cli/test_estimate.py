"""Does `train --estimate` keep the contract, for scripts and for people?"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from replayable import BASE, RAIL, never

from picdeed.cli import main
from picdeed.cli.estimate import say_estimate, time_of
from picdeed.diffusion.estimated import Bytes, Estimate, Fitting, Seconds
from picdeed.diffusion.fit import Basis
from picdeed.flow import pipeline
from picdeed.flow.basefacts import Person
from picdeed.flow.estimate import Estimated, Price
from picdeed.flow.models import add_model
from picdeed.jobs import launch
from picdeed.registry import snapshots
from picdeed.registry.session import Registry
from picdeed.testing import tiny_model, tiny_pictures, tiny_registry

KEYS = {
    "schema", "snapshot", "base", "decision", "run", "is_known", "recipe", "price", "steps",
    "batch", "processes", "at_once", "device", "pictures", "held_out", "to_encode", "to_embed", "to_draw",
    "seconds", "memory", "fits", "nearest", "missing", "timed_with", "untried",
}  # fmt: skip
SECONDS = {
    "starting", "caching", "steps", "evidence", "a_step", "a_step_cpu", "timed", "total",
}  # fmt: skip
MEMORY = {
    "there_is", "least", "needed", "fixed", "a_picture", "resting", "a_look", "beside",
}  # fmt: skip
Call = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A tiny base, eight pictures, and a snapshot of them."""
    tmp_path = tmp_path_factory.mktemp("estimated")
    registry = tiny_registry(tmp_path / "registry")
    base = tiny_model(tmp_path / "base")
    add_model(registry, pipeline.rules(), base, name=BASE, person=Person(RAIL, "Ada", "Made it"))
    pipeline.register(registry, tiny_pictures(tmp_path / "pictures"), "drawings")
    pipeline.freeze(registry, "drawings")
    return registry


@pytest.fixture
def call(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """In this process; what is measured has one of its own."""
    monkeypatch.chdir(registry.root.parent)
    with registry.read() as session:
        (frozen,) = snapshots.all_snapshots(session)

    def call(*arguments: str) -> tuple[int, Any]:
        words = ["picdeed", "train", frozen.id, "--base", BASE, *arguments]
        monkeypatch.setattr(sys, "argv", [*words, "--registry", "registry", "--json"])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        told, errors = capfd.readouterr()
        assert "Traceback" not in errors, errors
        return int(ended.value.code or 0), json.loads(told)

    return call


def test_a_process_of_its_own_measures_and_is_told_of(call: Call, registry: Registry) -> None:
    code, told = call("--preset", "low-memory", "--estimate", "--price-per-hour", "36")
    assert (code, told["schema"], set(told)) == (0, "picdeed.estimate/1", KEYS)
    assert set(told["seconds"]) == SECONDS
    assert set(told["memory"]) == MEMORY
    assert (told["batch"], told["at_once"], told["recipe"]["micro_batch"]) == (4, 1, 1)
    assert (told["fits"], told["nearest"], told["missing"]) == (True, None, None)
    assert (told["timed_with"], told["untried"]) == ({}, None)
    parts = sum(told["seconds"][part] for part in ("starting", "caching", "steps", "evidence"))
    assert told["seconds"]["total"] == pytest.approx(parts)
    assert told["price"] == {"per_hour": 36.0, "total": pytest.approx(parts / 100)}
    assert not told["is_known"]
    assert not (registry.root / "runs" / told["run"]).exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--price-per-hour", "2"), "--price-per-hour goes with --estimate"),
        (("--estimate", "--detach"), "--detach: --estimate trains nothing"),
        (("--estimate", "--again"), "--again: --estimate trains nothing"),
        (("--estimate", "--preset", "no-such"), "no preset 'no-such' for bases of the family sd"),
        (("--estimate", "--set", "stepps=3"), "stepps"),
        (("--estimate", "--price-per-hour", "-2"), "--price-per-hour"),
        (("--estimate", "--without", "rev_1"), "--estimate"),
    ],
)
def test_what_cannot_be_asked_is_2(
    call: Call, options: tuple[str, ...], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "probing", never)
    monkeypatch.setattr(launch, "foreground", never)
    code, told = call(*options)
    assert (code, told["error"]) == (2, "UsageError")
    assert named in told["message"]


def test_a_probe_that_is_killed_is_1_and_says_so(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registry: Registry
) -> None:
    ends_itself = tmp_path / "python"
    ends_itself.write_text("#!/bin/sh\nkill -9 $$\n")
    ends_itself.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(ends_itself))
    code, told = call("--estimate")
    assert (code, told["error"]) == (1, "RunFailed")
    assert "killed by signal 9" in told["message"]
    assert not list((registry.cache / "replay").glob("run_*"))


GIB = 1 << 30
COST = Estimate(
    steps=800, batch=4, processes=1, at_once=4, device="cuda", pictures=36, held_out=4,
    to_encode=36, to_embed=37, to_draw=0,
    seconds=Seconds(12.0, 90.0, 7200.0, 600.0, 9.0, 8.5, 7),
    memory=Bytes(24 * GIB, 4 * GIB, 22 * GIB, 8 * GIB, 3 * GIB, 6 * GIB, GIB // 2, 5 * GIB),
    fits=True, nearest=None, missing=None,
)  # fmt: skip
TOLD = Estimated("snp_1", "bas_1", "dec_1", "run_1", False, {}, COST, Price(2.5, 5.49))
LITTLE = replace(COST, fits=False, memory=replace(COST.memory, there_is=10 * GIB))
PARTS = Fitting({"micro_batch": 1}, 9 * GIB, Basis.MEASURED, 7902.0)
ANEW = Fitting({"gradient_checkpointing": True}, 9 * GIB, Basis.MEASURED, 10800.0)
FEWER = Fitting({"quantize": "int8"}, 9 * GIB, Basis.COUNTED, None)
BARE = Bytes(GIB, 4 * GIB, None, None, None, None, None, None)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (TOLD, "800 steps of 4 pictures (4 at once), 36 to train on and 4 held out, on cuda"),
        (TOLD, "caching 90 s 36 pictures to encode, 37 captions to read"),
        (
            replace(TOLD, cost=replace(COST, to_draw=14)),
            "caching 90 s 36 pictures to encode, 37 captions to read, 14 class pictures to draw",
        ),
        (TOLD, "steps 2 h 9 s a step (8.5 CPU-s), median of 7"),
        (TOLD, "in all 2.19 h"),
        (TOLD, "learning 8.0 GiB and 3.0 GiB a picture evidence 6.0 GiB and 512 MiB a look"),
        (TOLD, "needed, with a tenth to spare 22.0 GiB there is 24.0 GiB"),
        (TOLD, "price: 5.49, at 2.5 an hour It fits. Next: repeat it without --estimate"),
        (replace(TOLD, is_known=True), "Next: it is on record already, and goes on without"),
        (
            replace(TOLD, cost=replace(LITTLE, nearest=PARTS)),
            "does not fit. Nearest that does: --set micro_batch=1 (9.0 GiB, 2.19 h in all) Measured;",
        ),
        (
            replace(TOLD, cost=replace(LITTLE, nearest=ANEW, timed_with=ANEW.change)),
            "median of 7 with --set gradient_checkpointing=true evidence",
        ),
        (
            replace(TOLD, cost=replace(LITTLE, nearest=ANEW)),
            "--set gradient_checkpointing=true (9.0 GiB, 3 h in all) Measured; what is learned stays",
        ),
        (
            replace(TOLD, cost=replace(LITTLE, nearest=FEWER)),
            "Nearest that may: --set quantize=int8 (9.0 GiB) Counted from what was measured; ask",
        ),
        (
            replace(TOLD, cost=replace(LITTLE, missing=GIB, untried="No package for it.")),
            "1.0 GiB are missing. Take a smaller base. Not all could be reckoned with: No package",
        ),
        (
            replace(TOLD, cost=replace(LITTLE, missing=2 * GIB)),
            "It does not fit. No setting makes it fit: 2.0 GiB are missing.",
        ),
        (
            replace(
                TOLD,
                price=None,
                cost=replace(
                    LITTLE,
                    at_once=0,
                    seconds=None,
                    memory=BARE,
                    nearest=Fitting({"processes": 1}, 4 * GIB, Basis.LEAST, None),
                ),
            ),
            "does not fit. Nearest that may: --set processes=1 (4.0 GiB at least) By arithmetic;",
        ),
        (
            replace(TOLD, price=None, cost=replace(LITTLE, seconds=None, memory=BARE)),
            "It does not fit. Not even one picture at a time does.",
        ),
    ],
)
def test_a_person_reads_the_same(
    done: Estimated, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say_estimate(done)
    assert said in " ".join(capsys.readouterr().out.replace("─", "").split())


def test_times_are_told_in_what_suits_them() -> None:
    assert [time_of(s) for s in (0.5, 119, 120, 7199, 7200)] == [
        "0.5 s", "119 s", "2 min", "120 min", "2 h",
    ]  # fmt: skip
