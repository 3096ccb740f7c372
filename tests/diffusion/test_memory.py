"""Is it known how much memory there is, and how much was in use at the fullest?"""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest
import torch

from picdeed.diffusion.memory import forget_peak, group_rooms, in_use, peak, there_is

CPU = torch.device("cpu")
MIB = 1 << 20


def group(folder: Path, names: tuple[str, str], limit: object, used: int, spare: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{spare} 30\nactive_file 7\n")


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
V2 = ("memory.max", "memory.current")


@pytest.mark.parametrize(
    ("line", "top", "names", "spare"),
    [
        ("0::/box/inner\n", "", V2, "inactive_file"),
        ("9:cpu:/x\n4:memory:/box/inner\n0::/\n", "memory", V1, "total_inactive_file"),
    ],
)
def test_every_control_group_above_a_process_limits_it(line, top, names, spare, tmp_path):
    own, groups = tmp_path / "cgroup", tmp_path / "groups"
    own.write_text(line)
    group(groups / top / "box", names, 1000, 400, spare)
    group(groups / top / "box" / "inner", names, "max", 400, spare)
    assert group_rooms(groups, own) == [1000 - 400 + 30]
    group(groups / top / "box" / "inner", names, 500, 900, spare)
    assert group_rooms(groups, own) == [0, 630]


def test_where_nothing_limits_a_process_the_machine_does(tmp_path):
    assert group_rooms(tmp_path, tmp_path / "none") == []
    (tmp_path / "cgroup").write_text("nonsense\n0::/../../etc\n")
    assert group_rooms(tmp_path / "groups", tmp_path / "cgroup") == []
    assert 0 < there_is(CPU) <= psutil.virtual_memory().total
    assert there_is(CPU, swap=True) >= there_is(CPU) - 256 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a process's peak")
def test_the_peak_is_what_was_in_use_since_it_was_forgotten():
    forget_peak(CPU)
    before = peak(CPU)
    held = torch.ones(96 * MIB // 4)
    with_it = peak(CPU)
    assert with_it - before >= 90 * MIB
    assert in_use(CPU) <= with_it + MIB  # the kernel counts in batches
    del held
    assert peak(CPU) == pytest.approx(with_it, abs=MIB)
    forget_peak(CPU)
    assert peak(CPU) <= with_it - 60 * MIB
