"""Does `train --without` keep the contract, for scripts and for people?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from called import called
from replayable import Ran, copied, here, make_ran, never

from picdeed.flow import pipeline
from picdeed.flow.claims import Saying
from picdeed.flow.grounds import Ground
from picdeed.jobs import launch
from picdeed.registry import pictures
from picdeed.registry.session import Registry
from picdeed.rights.claims import ClaimKind
from picdeed.testing import tiny_pictures

KEYS = {
    "of", "adapter_before", "outcome", "reason", "decision", "left_out", "empty_steps",
    "pictures_left", "revocations", "estimate", "train", "statement", "statement_sha256",
    "difference",
}  # fmt: skip
DIFFERENCE = {
    "same", "tensors", "largest", "share", "distance", "held_out", "comparable", "why_not",
    "environment",
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
    monkeypatch.setattr(launch, "foreground", never)

    def call(*arguments: str, text: bool = False) -> tuple[int, Any]:
        return called(monkeypatch, capfd, *arguments, "--registry", "registry", text=text)

    return call


def test_it_costs_is_trained_and_is_told(
    call: Call, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, document = call("revoke", ran.copies[0], "--ground", "takedown")
    assert code == 0
    cause = document["revocation"]
    code, planned = call("train", "--without", cause[:12], "--dry-run")
    assert (code, planned["schema"], planned["dry_run"]) == (0, "picdeed.train/1", True)
    (one,) = planned["retrained"]
    assert (set(one), one["of"], one["outcome"]) == (KEYS, ran.run, "planned")
    assert set(one["left_out"]["rows"]) == set(ran.copies)
    assert one["estimate"]["steps"] == 3
    assert one["estimate"]["seconds"] > 0
    assert (one["train"], one["statement"], one["difference"]) == (None, None, None)
    code, text = call("train", "--without", cause[:12], "--dry-run", text=True)
    assert "1 of 6 rows fall out, with 2 pictures trained on; 0 held out" in text
    assert "3 steps, at most" in text

    monkeypatch.setattr(launch, "foreground", here)
    code, text = call("train", "--without", cause, "--run", ran.run[:12], text=True)
    assert code == 0
    assert "retrained, without, in place of" in text
    assert "with the pictures" in text
    assert "signed statement, about the adapter only:" in text
    monkeypatch.setattr(launch, "foreground", never)
    code, done = call("train", "--without", cause)
    (one,) = done["retrained"]
    assert (code, one["outcome"], one["train"]["state"]) == (0, "retrained", "succeeded")
    assert set(one["difference"]) == DIFFERENCE
    assert json.loads(Path(one["statement"]).read_text())["run"] == one["train"]["run"]
    code, shown = call("runs", "show", ran.run[:12])
    assert shown["retrained_as"] == [one["train"]["run"]]
    code, shown = call("runs", "show", one["train"]["run"][:12])
    assert (shown["counterfactual_of"], shown["without"]) == (ran.run, [cause])
    text = call("runs", "show", one["train"]["run"][:12], text=True)[1]
    assert f"by the plan of {ran.run[:12]}, without what {cause[:12]} took back" in text
    text = call("runs", "show", ran.run[:12], text=True)[1]
    assert f"{one['train']['run'][:12]} is by its plan, without" in text


def test_what_rights_refuse_is_that_refusal(call: Call, registry: Registry, ran: Ran) -> None:
    cause = pipeline.withdraw(registry, ran.copies[0], Ground.TAKEDOWN).revocation
    with registry.read() as session:
        other = next(one for one in pictures.all_ids(session) if one not in ran.copies)
    said = {ClaimKind.LICENSE: "CC-BY-NC-4.0"}
    pipeline.claim(registry, pipeline.rules(), other, said, Saying(by="Eve"))
    code, document = call("train", "--without", cause)
    assert (code, document["error"]) == (3, "Denied")
    assert document["decision"]


def test_where_it_reached_no_adapter_it_says_so(call: Call, registry: Registry) -> None:
    tiny_pictures(Path("more"), 1, first=40)
    new = pipeline.register(registry, Path("more"), "others").ingested.pictures[0].id
    cause = pipeline.withdraw(registry, new, Ground.TAKEDOWN).revocation
    assert call("train", "--without", cause)[1]["retrained"] == []
    assert "reached no adapter" in call("train", "--without", cause, text=True)[1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--dry-run",), "go with --without"),
        (("--run", "run_1"), "go with --without"),
        (("snp_1", "--without", "rev_1"), "SNAPSHOT: --without trains by the plan"),
        (("--without", "rev_1", "--seed", "0", "--base", "x"), "--seed, --base: --without"),
        (("--without", "rev_ffffffff"), "knows no revocation"),
        ((), "--base BASE"),
    ],
)
def test_what_cannot_be_meant_is_2(call: Call, more: tuple[str, ...], said: str) -> None:
    code, document = call("train", *more)
    assert (code, said in document["message"]) == (2, True), document["message"]
