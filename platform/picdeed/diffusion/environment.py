"""On what was this computed? Everything besides the plan that can move the last bits of a result.

Libraries by version, the processor by its name and vector instructions, what torch makes of these,
and the variables that make torch, oneDNN or MKL choose other kernels.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

# What a picture, a caption or a weight passes through on its way to the adapter.
LIBRARIES = (
    "torch", "diffusers", "transformers", "peft", "safetensors", "tokenizers", "pillow", "numpy",
)  # fmt: skip
_CPUINFO = Path("/proc/cpuinfo")
_VECTOR = ("avx", "amx", "sse", "ssse", "fma", "asimd", "sve", "bf16", "i8mm")
_FORCING = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
)


def environment(device: torch.device, more: Iterable[str] = ()) -> dict[str, Any]:
    """`versions`, `cpu` and, on CUDA, `gpu`, as a run's result holds them (JSON values). `more` are
    packages that this run alone used.
    """
    told: dict[str, Any] = {"versions": _versions(more), "cpu": _cpu()}
    if device.type == "cuda":
        told["gpu"] = {
            "name": torch.cuda.get_device_name(device),
            "capability": ".".join(map(str, torch.cuda.get_device_capability(device))),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        }
    return told


def _versions(more: Iterable[str]) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in (*LIBRARIES, *more)},
        "torch": torch.__version__,  # its metadata leaves the build out: +cpu, +cu130
    }


def _cpu() -> dict[str, Any]:
    """`capability` is the set of kernels that torch takes here, `features` what the processor has,
    `forced` the variables that narrow either.
    """
    said = _cpuinfo()
    flags = (said.get("flags") or said.get("Features") or "").split()
    return {
        "machine": platform.machine(),
        "model": said.get("model name") or platform.processor() or "unknown",
        "capability": torch.backends.cpu.get_cpu_capability(),
        "features": sorted(flag for flag in flags if flag.startswith(_VECTOR)),
        "forced": {name: os.environ[name] for name in _FORCING if name in os.environ},
    }


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor; nothing elsewhere."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
