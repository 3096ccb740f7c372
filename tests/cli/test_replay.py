"""Does `runs replay` keep the contract, for scripts and for people?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from called import called
from replayable import Ran, copied, folder_of, here, make_ran, never

from picdeed.cli.look import say_replayed
from picdeed.flow import pipeline
from picdeed.flow.grounds import Ground
from picdeed.flow.replayed import Differs, Replayed, Surroundings
from picdeed.jobs import launch
from picdeed.registry.session import Registry

KEYS = {
    "schema", "run", "equal", "within", "tolerance", "environment", "adapter", "rebuilt",
    "tensors", "log_lines", "differs", "kept", "seconds",
}  # fmt: skip
DIFFERS = {
    "what", "tensor", "largest", "share", "step", "drifts_from", "losses", "environment",
}  # fmt: skip
Call = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return make_ran(tmp_path_factory.mktemp("ran"))


@pytest.fixture
def registry(ran: Ran, tmp_path: Path) -> Registry:
    return copied(ran, tmp_path)


@pytest.fixture
def call(
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> Call:
    """In this process, the training too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "foreground", here)

    def call(*arguments: str) -> tuple[int, Any]:
        return called(monkeypatch, capfd, "runs", "replay", *arguments, "--registry", "registry")

    return call


def test_a_run_that_is_rebuilt_is_0(call: Call, ran: Ran) -> None:
    code, document = call(ran.run[:12], "--keep", "kept")
    assert (code, document["schema"], set(document)) == (0, "picdeed.runs/1", KEYS)
    assert (document["run"], document["equal"], document["differs"]) == (ran.run, True, None)
    assert document["adapter"] == document["rebuilt"]
    assert document["kept"] == str(Path("kept").absolute())
    code, document = call(ran.run, "--keep", "kept")
    assert (code, document["error"]) == (2, "UsageError")


def test_one_that_is_not_is_5_and_says_where(call: Call, registry: Registry, ran: Ran) -> None:
    path = folder_of(registry, ran.run) / "log.jsonl"
    lines = path.read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | {"loss": 0.5})
    path.write_text("\n".join(lines) + "\n")
    code, document = call(ran.run)
    assert (code, document["equal"], set(document)) == (5, False, KEYS)
    assert set(document["differs"]) == DIFFERS
    assert (document["differs"]["what"], document["differs"]["step"]) == (["log"], 1)
    assert document["differs"]["environment"] == {}


EQUAL = Replayed(
    run="run_1", equal=True, within=True, tolerance=1e-3, environment=Surroundings.SAME,
    adapter="adp_1", rebuilt="adp_1", tensors=162, log_lines=200, differs=None, seconds=3.5,
)  # fmt: skip
CHANGES = {"versions.torch": {"recorded": "2.11.0", "here": "2.13.0"}}
FAR = Differs(("adapter", "log"), "unet.x", 0.25, 0.5, 7, 9, {"log": 0.25, "held_out": 0.125}, {})


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (EQUAL, "Run run_1 was rebuilt to the same bytes: adp_1 162 tensors, 200 lines of its log"),
        (replace(EQUAL, tensors=None, log_lines=None), "its id and how often each picture"),
        (
            replace(EQUAL, environment=Surroundings.OTHER),
            "The environment is other, and made no difference.",
        ),
        (
            replace(EQUAL, equal=False, within=False, differs=FAR),
            "unet.x; at most 0.25 apart, 0.5 of the largest value first line of the log: 7 losses",
        ),
        (
            replace(EQUAL, equal=False, within=False, differs=FAR),
            "more than 0.001 apart: from line 9 on held-out loss: 0.12 of itself apart The env",
        ),
        (
            replace(EQUAL, equal=False, within=False, differs=FAR),
            "Run run_1 was rebuilt, NOT what was recorded: adapter, log",
        ),
        (
            replace(EQUAL, equal=False, differs=replace(FAR, largest=None, share=None)),
            "first tensor: unet.x; of another shape first line of the log: 7",
        ),
        (
            replace(
                EQUAL,
                equal=False,
                environment=Surroundings.OTHER,
                differs=replace(FAR, drifts_from=None, environment=CHANGES),
            ),
            "was rebuilt, close to what was recorded: adapter, log",
        ),
        (
            replace(
                EQUAL,
                equal=False,
                within=False,
                environment=Surroundings.OTHER,
                differs=replace(FAR, environment=CHANGES),
            ),
            "was rebuilt, NOT confirmed: adapter, log",
        ),
        (replace(EQUAL, kept=Path("/elsewhere")), "left in /elsewhere"),
    ],
)
def test_a_person_reads_the_same(
    done: Replayed, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say_replayed(done)
    told = " ".join(capsys.readouterr().out.split())
    assert said in told
    assert ("versions.torch 2.11.0 2.13.0" in told) is bool(
        done.differs and done.differs.environment
    )


def test_refusals_are_documents(
    call: Call, registry: Registry, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "foreground", never)
    code, document = call("run_ffffffffffff")
    assert (code, document["error"]) == (2, "UnknownSubject")
    revoked = pipeline.withdraw(registry, ran.copies[0], Ground.TAKEDOWN)
    code, document = call(ran.run)
    assert (code, document["error"], document["run"]) == (3, "Denied", ran.run)
    assert document["revocation"] == revoked.revocation
    shutil.rmtree(folder_of(registry, ran.run))
    assert call(ran.run)[0] == 3
