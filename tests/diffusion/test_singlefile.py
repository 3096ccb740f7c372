"""Is a base in one file the same base as in a folder, and is half of one refused?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from one_file import one_file
from safetensors.torch import load_file, save_file

from picdeed.core.errors import UsageError
from picdeed.diffusion.models import check_base
from picdeed.diffusion.singlefile import convert
from picdeed.testing import tiny_model


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_one_file_becomes_the_same_base(tmp_path: Path, family: str) -> None:
    folder = tiny_model(tmp_path / "folder", family=family, dtype=torch.float16)
    other = tiny_model(tmp_path / "other", family=family, seed=1)
    file = one_file(folder, tmp_path / "all.safetensors")
    convert(file, other, tmp_path / "out")
    wanted, found = check_base(folder), check_base(tmp_path / "out")
    assert found.parameters == wanted.parameters
    for path in folder.glob("*/*.safetensors"):
        ours = load_file(tmp_path / "out" / path.relative_to(folder))
        theirs = load_file(path)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert found.parts["scheduler"] == wanted.parts["scheduler"]
    assert found.parts["tokenizer"] == wanted.parts["tokenizer"]


def _without(start: str) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    return lambda tensors: {k: t for k, t in tensors.items() if not k.startswith(start)}


@pytest.mark.parametrize(
    "change",
    [
        _without("cond_stage_model"),
        _without("first_stage_model"),
        _without("model.diffusion_model.middle_block"),
        lambda tensors: {k: t.float().fill_(float("nan")) for k, t in tensors.items()},
        lambda tensors: {"lora_unet_conv_in.alpha": next(iter(tensors.values()))},
    ],
)
def test_half_a_base_and_no_base_are_refused_and_leave_nothing(
    tmp_path: Path,
    tiny_base: Path,
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
) -> None:
    file = one_file(tiny_base, tmp_path / "all.safetensors")
    save_file(change(load_file(file)), file)
    with pytest.raises(UsageError, match=r"all\.safetensors"):
        convert(file, tiny_base, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.safetensors"]


def test_a_folder_of_another_family_or_size_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    file = one_file(tiny_base, tmp_path / "all.safetensors")
    with pytest.raises(UsageError, match="does not hold a base like"):
        convert(file, tiny_model(tmp_path / "xl", family="sdxl"), tmp_path / "out")
    with pytest.raises(UsageError, match="not read from one file"):
        convert(file, tiny_model(tmp_path / "flux", family="flux"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
