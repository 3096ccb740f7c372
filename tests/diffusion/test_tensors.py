"""Are equal tensors equal files, and are broken ones refused?"""

import os
import subprocess
import sys

import pytest
import torch
from safetensors import safe_open

from picdeed.core.errors import UsageError
from picdeed.diffusion.tensors import read_safetensors, safetensors_bytes, tensors_hash

ONE = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.int64)}


@pytest.mark.parametrize(
    "other",
    [
        {"c": ONE["a"], "b": ONE["b"]},
        {"a": ONE["a"].reshape(3, 2), "b": ONE["b"]},
        {"a": ONE["a"].half(), "b": ONE["b"]},
        {"a": ONE["a"] + torch.eye(2, 3) * 1e-6, "b": ONE["b"]},
        {"a": ONE["a"]},
    ],
    ids=["name", "shape", "type", "value", "missing"],
)
def test_the_hash_moves_with_names_shapes_types_and_values(other):
    assert tensors_hash(other) != tensors_hash(ONE)


def test_the_hash_does_not_see_order_or_memory_layout():
    turned = {"b": ONE["b"], "a": ONE["a"].t().contiguous().t()}
    assert tensors_hash(turned) == tensors_hash(ONE)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.bool])
def test_types_that_numpy_lacks_are_hashed_too(dtype):
    assert tensors_hash({"a": torch.ones(3).to(dtype)}) != tensors_hash({"a": torch.ones(3)})
    assert tensors_hash({"a": torch.tensor(1.0)}) != tensors_hash({"a": torch.zeros(0)})


WRITE = """
import sys, torch
from picdeed.diffusion.tensors import safetensors_bytes
sys.stdout.buffer.write(safetensors_bytes({"a": torch.ones(3)}, {c: c for c in "hgfedcba"}))
"""


def test_two_processes_write_the_same_bytes():
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    first, second = (
        subprocess.run([sys.executable, "-c", WRITE], check=True, capture_output=True, env=env)
        for _ in range(2)
    )
    assert first.stdout == second.stdout
    assert first.stdout == safetensors_bytes({"a": torch.ones(3)}, {c: c for c in "abcdefgh"})


def test_the_library_reads_what_was_written(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_bytes(ONE, {"name": "é"}))
    with safe_open(path, framework="pt") as stream:
        assert stream.metadata() == {"name": "é"}
        assert torch.equal(stream.get_tensor("a"), ONE["a"])
    assert read_safetensors(path)[1] == {"name": "é"}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused_by_file_and_name(tmp_path, bad):
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_bytes({"weight.7": torch.tensor([1.0, bad])}, {}))
    with pytest.raises(UsageError, match=r"x\.safetensors.*weight\.7"):
        read_safetensors(path)


@pytest.mark.parametrize("data", [b"", b"\x80\x04K\x01.", b"\xff" * 64, b"PK\x03\x04" * 9])
def test_what_is_no_safetensors_file_is_refused(tmp_path, data):
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"x\.safetensors"):
        read_safetensors(path)
    with pytest.raises(UsageError, match="none"):
        read_safetensors(tmp_path / "none")
