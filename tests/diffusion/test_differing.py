"""Is the first difference of two adapters and two logs found, and how far they are apart?"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from picdeed.diffusion.differing import adapters_apart, drifts_from, logs_apart
from picdeed.diffusion.tensors import read_safetensors, safetensors_bytes


@pytest.fixture
def changed(a_finished_run: Path, tmp_path: Path):
    """Writes the finished run's adapter with other tensors; both files."""

    def write(change) -> tuple[Path, Path]:
        own = a_finished_run / "adapter.safetensors"
        tensors, metadata = read_safetensors(own)
        names = sorted(tensors)
        change(tensors, names)
        (tmp_path / "other").write_bytes(safetensors_bytes(tensors, metadata))
        return own, tmp_path / "other"

    return write


def test_equal_files_are_nowhere_apart(changed) -> None:
    apart = adapters_apart(*changed(lambda *_: None))
    assert (apart.first, apart.largest, apart.share) == (None, 0.0, 0.0)
    assert apart.compared > 3
    assert apart.scale > 0


def test_the_first_tensor_that_differs_is_named_and_the_largest_distance_told(changed) -> None:
    def change(tensors, names) -> None:
        tensors[names[4]][0, 0] += 0.25
        tensors[names[2]] += 1e-4

    own, other = changed(change)
    apart = adapters_apart(own, other)
    assert apart.first == sorted(read_safetensors(own)[0])[2]
    assert apart.largest == pytest.approx(0.25)
    assert apart.scale == max(t.abs().max().item() for t in read_safetensors(own)[0].values())
    assert apart.share == apart.largest / apart.scale


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, names: tensors.pop(names[0]),
        lambda tensors, _: tensors.update(more=torch.zeros(1)),
        lambda tensors, names: tensors.update({names[0]: tensors[names[0]].double()}),
        lambda tensors, names: tensors.update({names[0]: tensors[names[0]][..., :1].clone()}),
    ],
    ids=["missing", "more", "type", "shape"],
)
def test_what_cannot_be_subtracted_has_no_distance(changed, change) -> None:
    apart = adapters_apart(*changed(change))
    assert apart.first is not None
    assert (apart.largest, apart.share) == (None, None)


def test_a_zero_of_another_sign_is_another_byte(changed, tmp_path: Path) -> None:
    own, other = changed(lambda tensors, names: tensors[names[0]].zero_())
    zero = Path(other.rename(tmp_path / "zero"))
    _, other = changed(lambda tensors, names: tensors[names[0]].zero_().neg_())
    apart = adapters_apart(zero, other)
    assert (apart.first, apart.largest) == (min(read_safetensors(own)[0]), 0.0)


def line(step: int, loss: float, **more) -> dict[str, float]:
    return {"step": step, "loss": loss, "lr": 0.1, **more}


LOG = [line(0, 2.0, seconds=1), line(1, 1.0, seconds=2)]


@pytest.mark.parametrize(
    ("other", "first", "largest"),
    [
        ([line(0, 2.0, seconds=9), line(1, 1.0, seconds=9)], None, 0.0),
        ([line(0, 2.0), line(1, 1.5)], 1, 0.5),
        ([line(0, 2.0), {**line(1, 1.0), "norm": 3}], 1, 0.0),
        ([line(0, 2.0)], 1, None),
        ([line(0, 2.0), line(1, 1.0), line(2, 1.0)], 2, None),
        ([line(0, 2.0), line(5, 1.0)], 1, None),
        ([], 0, None),
    ],
)
def test_logs_are_held_line_by_line(other, first, largest) -> None:
    apart = logs_apart(LOG, other)
    assert (apart.compared, apart.first, apart.largest, apart.scale) == (2, first, largest, 2.0)


def test_nothing_beside_nothing_is_equal() -> None:
    apart = logs_apart([], [])
    assert (apart.first, apart.largest, apart.share) == (None, 0.0, 0.0)


def test_where_two_losses_part_is_found() -> None:
    recorded = [line(step, 2.0) for step in range(5)]
    rebuilt = [line(0, 2.0), line(1, 2.001), line(2, 2.003), line(3, 2.0), line(4, 9.0)]
    assert drifts_from(recorded, rebuilt, 1e-3) == 2
    assert drifts_from(recorded, rebuilt[:2], 1e-3) is None
    assert drifts_from(recorded, rebuilt, 0.1) == 4
    assert drifts_from([], rebuilt, 1e-3) is None


def test_what_logs_did_not_always_say_is_compared_where_both_do() -> None:
    measured = [line(0, 2.0), line(1, 1.0, held_out=0.5, held_out_each=[0.4, 0.6])]
    assert logs_apart(LOG, measured).first is None
    assert logs_apart(measured, LOG).first is None
    other = [line(0, 2.0), line(1, 1.0, held_out=0.5, held_out_each=[0.5, 0.5])]
    assert logs_apart(measured, other).first == 1
