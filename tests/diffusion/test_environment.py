"""Does a result say on what it was computed?"""

from __future__ import annotations

from pathlib import Path

import torch

from picdeed.core.ids import canonical_json
from picdeed.diffusion import environment as environments
from picdeed.diffusion.environment import LIBRARIES, environment

CPU = torch.device("cpu")


def test_versions_and_processor_are_told(monkeypatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    found = environment(CPU)
    assert set(found) == {"versions", "cpu"}
    assert set(found["versions"]) == {"python", *LIBRARIES}
    assert found["versions"]["torch"] == torch.__version__
    assert set(found["cpu"]) == {"machine", "model", "capability", "features", "forced"}
    assert found["cpu"]["capability"] == torch.backends.cpu.get_cpu_capability()
    assert found["cpu"]["forced"]["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    canonical_json(found)  # what the registry keeps


def test_the_processor_is_read_from_what_linux_says(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environments, "_CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: Thing 9\nflags\t\t: fpu avx2 amx_tile smep avx512_bf16\n\n"
        "processor\t: 1\nmodel name\t: Other\n"
    )
    cpu = environment(CPU)["cpu"]
    assert (cpu["model"], cpu["features"]) == ("Thing 9", ["amx_tile", "avx2", "avx512_bf16"])


def test_where_linux_says_nothing_it_is_unknown(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environments, "_CPUINFO", tmp_path / "none")
    monkeypatch.setattr(environments.platform, "processor", lambda: "")
    cpu = environment(CPU)["cpu"]
    assert (cpu["model"], cpu["features"]) == ("unknown", [])


def test_a_run_records_it(a_finished_run) -> None:
    from picdeed.diffusion.runfolder import read_json

    result = read_json(a_finished_run / "result.json")
    now = environment(CPU)
    assert (result["cpu"], result["versions"]) == (now["cpu"], now["versions"])
