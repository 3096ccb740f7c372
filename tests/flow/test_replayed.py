"""Is equal told from close, and a difference that the environment explains from one it does not?"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from replayable import Ran, copied, folder_of, row_of

from picdeed.core.errors import RunFailed
from picdeed.diffusion.runfolder import read_json, read_log, write_json
from picdeed.diffusion.tensors import read_safetensors, safetensors_bytes, tensors_hash
from picdeed.flow.replanned import replanned
from picdeed.flow.replayed import TOLERANCE, Replayed, Surroundings, compared

Change = Callable[[dict[str, Any], dict[str, torch.Tensor]], None]


@pytest.fixture
def compare(ran: Ran, tmp_path: Path) -> Callable[..., Replayed]:
    """Compares the run with its own folder after a change to the copy's result and tensors."""
    registry = copied(ran, tmp_path)
    row, own = row_of(registry, ran.run), folder_of(registry, ran.run)
    again = tmp_path / "again"
    shutil.copytree(own, again)

    def compare(
        change: Change = lambda *_: None,
        *,
        log: Callable[[list[dict[str, Any]]], None] = lambda _: None,
        gone: bool = False,
        old: bool = False,
    ) -> Replayed:
        result = read_json(again / "result.json") or {}
        tensors, metadata = read_safetensors(again / "adapter.safetensors")
        change(result, tensors)
        result["adapter_id"] = f"adp_{tensors_hash(tensors)}"
        (again / "adapter.safetensors").write_bytes(safetensors_bytes(tensors, metadata))
        write_json(again / "result.json", result)
        lines = read_log(again)
        log(lines)
        (again / "log.jsonl").write_text("".join(f"{_json(line)}\n" for line in lines))
        if old:  # before the processor was recorded
            row.result = {name: value for name, value in row.result.items() if name != "cpu"}
        recorded = None if gone else own / "adapter.safetensors"
        return compared(registry, row, replanned(registry, row), again, recorded)

    return compare


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


def elsewhere(result: dict[str, Any]) -> None:
    result["versions"]["torch"] = "9.9.0"
    result["cpu"]["capability"] = "NEON"


def nudged(share: float, *, there: bool = True) -> Change:
    """One number moved by a share of the largest value, on another machine or here."""

    def change(result: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        scale = max(tensor.abs().max().item() for tensor in tensors.values())
        tensors[max(tensors)].view(-1)[0] += share * scale
        if there:
            elsewhere(result)

    return change


def test_equal_is_equal(compare) -> None:
    done = compare()
    assert (done.equal, done.exit_code, done.environment) == (True, 0, Surroundings.SAME)
    assert done.differs is None


def test_equal_elsewhere_is_equal(compare) -> None:
    done = compare(lambda result, _: elsewhere(result))
    assert (done.equal, done.exit_code, done.environment) == (True, 0, Surroundings.OTHER)
    assert done.differs is None


@pytest.mark.parametrize(
    ("share", "there", "code"),
    [(1e-5, True, 0), (0.1, True, 5), (1e-5, False, 5), (TOLERANCE * 1.5, True, 5)],
)
def test_close_is_enough_only_elsewhere(compare, share: float, there: bool, code: int) -> None:
    done = compare(nudged(share, there=there))
    assert (done.equal, done.exit_code) == (False, code)
    assert done.within is (share < TOLERANCE)
    assert done.differs is not None
    assert done.differs.what == ("adapter",)
    assert done.differs.share == pytest.approx(share, rel=0.05)
    assert done.differs.tensor is not None
    changes = {"cpu.capability", "versions.torch"} if there else set()
    assert set(done.differs.environment) == changes
    if there:
        assert done.differs.environment["versions.torch"]["here"] == "9.9.0"


def test_an_old_result_that_does_not_say_is_unknown_and_close_is_enough(compare) -> None:
    done = compare(nudged(1e-5, there=False), old=True)
    assert (done.environment, done.exit_code) == (Surroundings.UNKNOWN, 0)
    assert done.differs is not None
    assert done.differs.environment["cpu.model"]["recorded"] == "unknown"
    assert compare(nudged(0.1, there=False), old=True).exit_code == 5


def test_when_the_recorded_file_is_gone_its_id_decides(compare) -> None:
    assert compare(gone=True).equal
    done = compare(nudged(1e-9), gone=True)
    assert (done.equal, done.exit_code, done.tensors) == (False, 5, None)
    assert done.differs is not None
    assert (done.differs.tensor, done.differs.largest) == (None, None)


def test_tensors_of_another_shape_have_no_distance(compare) -> None:
    def change(result: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        elsewhere(result)
        tensors.pop(min(tensors))

    done = compare(change)
    assert (done.exit_code, done.differs.largest) == (5, None)


def test_another_exposure_is_never_close(compare) -> None:
    def change(result: dict[str, Any], _: object) -> None:
        elsewhere(result)
        result["exposure"][min(result["exposure"])] += 1

    done = compare(change)
    assert (done.exit_code, done.differs.what, done.differs.tensor) == (5, ("exposure",), None)


def test_the_log_is_held_line_by_line(compare) -> None:
    done = compare(log=lambda lines: lines[2].update(seconds=99.0))
    assert done.equal
    done = compare(log=lambda lines: lines[1].update(loss=lines[1]["loss"] * (1 + 1e-6)))
    assert (done.differs.what, done.differs.step, done.exit_code) == (("log",), 1, 5)
    assert 0 < done.differs.losses["log"] < 1e-5
    assert (done.differs.losses["held_out"], done.differs.drifts_from) == (0.0, None)
    done = compare(lambda result, _: elsewhere(result))
    assert (done.differs.what, done.exit_code) == (("log",), 0)
    done = compare(log=lambda lines: lines.pop())
    assert (done.differs.what, done.differs.step, done.exit_code) == (("steps", "log"), 1, 5)


def test_a_log_far_away_is_not_close(compare) -> None:
    done = compare(
        lambda result, _: elsewhere(result), log=lambda lines: lines[1].update(loss=99.0)
    )
    assert (done.differs.what, done.exit_code, done.within) == (("log",), 5, False)
    assert done.differs.drifts_from == 1


def test_the_held_out_loss_is_compared_as_far_as_both_tell_it(compare) -> None:
    assert compare(lambda result, _: result["loss"].update(more=1)).equal
    done = compare(lambda result, _: result["loss"].update(adapter=9.0))
    assert (done.differs.what, done.exit_code) == (("held-out-loss",), 5)
    assert done.differs.losses["held_out"] > 1
    done = compare(lambda result, _: result.update(loss=None))
    assert (done.differs.what, done.differs.losses["held_out"]) == (("held-out-loss",), None)


def test_what_went_on_from_a_checkpoint_proves_nothing(compare) -> None:
    with pytest.raises(RunFailed, match="first step"):
        compare(lambda result, _: result.update(resumed_from=2))
