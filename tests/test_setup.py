"""Does `make setup` choose torch as it promises? Real environments, real pip, tiny wheels."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUP = ROOT / "tools" / "setup.py"


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tiny_torch(folder: Path, version: str) -> Path:
    """A wheel named torch that holds one line."""
    folder.mkdir(exist_ok=True)
    path = folder / f"torch-{version}-py3-none-any.whl"
    info = f"torch-{version}.dist-info"
    files = {
        "torch/__init__.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


def outer_python(folder: Path, torch: str = "") -> Path:
    """An interpreter of its own, with a torch of this version when one is named."""
    venv.create(folder, with_pip=False, symlinks=True)
    if torch:
        (site,) = folder.glob("lib/python*/site-packages")
        with zipfile.ZipFile(tiny_torch(folder / "wheels", torch)) as wheel:
            wheel.extractall(site)
    return folder / "bin" / "python"


def run_setup(
    python: Path, folder: Path, index: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    """tools/setup.py with an empty lock and a folder of wheels instead of an index."""
    (folder / "empty.lock").touch()
    index.mkdir(exist_ok=True)
    alone = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
    return subprocess.run(
        [python, SETUP, "--folder", folder / "env", "--lock", folder / "empty.lock",
         "--without-project", *more],
        env={**alone, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def torch_in(folder: Path) -> str:
    done = subprocess.run(
        [folder / "env" / "bin" / "python", "-c", "import torch; print(torch.__version__)"],
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    return done.stdout.strip()


def test_an_outer_torch_that_is_good_enough_is_kept_and_seen(tmp_path):
    tiny_torch(tmp_path / "index", "2.13.0")
    done = run_setup(outer_python(tmp_path / "outer", "2.12.1+cu130"), tmp_path, tmp_path / "index")
    assert done.returncode == 0, done.stderr
    assert "2.12.1+cu130 (kept)" in done.stdout
    assert torch_in(tmp_path) == "2.12.1+cu130"


def test_an_outer_torch_that_is_too_old_gives_way_to_the_users_choice(tmp_path):
    for version in ("2.12.0", "2.13.0"):
        tiny_torch(tmp_path / "index", version)
    python = outer_python(tmp_path / "outer", "2.10.1")
    done = run_setup(python, tmp_path, tmp_path / "index", "--torch", "torch==2.12.0")
    assert done.returncode == 0, done.stderr
    assert "kept" not in done.stdout
    assert torch_in(tmp_path) == "2.12.0"


def test_a_failed_setup_tells_why_and_goes_on_to_the_cpu_build(tmp_path):
    python = outer_python(tmp_path / "outer")
    failed = run_setup(python, tmp_path, tmp_path / "index")
    assert failed.returncode == 1
    assert "No matching distribution found for torch==2.13.0" in failed.stderr
    assert "Traceback" not in failed.stderr

    tiny_torch(tmp_path / "index", "2.13.0")
    tiny_torch(tmp_path / "index", "2.13.0+cpu")
    done = run_setup(python, tmp_path, tmp_path / "index")
    assert done.returncode == 0, done.stderr
    gpu = load(SETUP).has_nvidia_gpu()
    assert gpu or torch_in(tmp_path) == "2.13.0+cpu"

    again = run_setup(python, tmp_path, tmp_path / "nothing")
    assert again.returncode == 0, again.stderr
    assert "(kept)" in again.stdout


@pytest.mark.parametrize(
    ("version", "kept"),
    [
        ("2.11.0", True), ("2.11.0a0+git1f2e", True), ("3.0", True), ("2.13.0+cpu", True),
        ("2.10.9", False), ("1.13.1", False), ("2", False), ("", False), ("unknown", False),
    ],
)  # fmt: skip
def test_versions_are_compared_as_numbers(version, kept):
    assert load(SETUP).good_enough(version) is kept


@pytest.mark.parametrize(
    ("wanted", "gpu", "wishes"),
    [
        ("torch==2.13.0", False, ["torch==2.13.0+cpu", "torch==2.13.0"]),
        ("torch==2.13.0", True, ["torch==2.13.0"]),
        ("torch==2.13.0+cu130", False, ["torch==2.13.0+cu130"]),
        ("torch>=2.11", False, ["torch>=2.11"]),
        ("./torch.whl", False, ["./torch.whl"]),
    ],
)
def test_only_a_plain_pin_is_asked_for_as_a_cpu_build(wanted, gpu, wishes):
    assert load(SETUP).torch_wishes(wanted, gpu=gpu) == wishes


def test_the_lock_leaves_out_what_fits_the_machine():
    lock = load(ROOT / "tools" / "lock.py")
    frozen = (
        "zipp==4.1\ntorch==2.13.0+cpu\nnvidia-cublas==13.1\nnvidia_nvjitlink==13.0\ntriton==3.9\n"
        "cuda-bindings==13.0\npip==26.3\nImageHash==4.3.2\n-e git+ssh://x#egg=picdeed\nsetuptools==84.0\n"
    )
    assert lock.locked(frozen) == ["ImageHash==4.3.2", "setuptools==84.0", "zipp==4.1"]
    asked = lock.wanted(ROOT / "pyproject.toml")
    assert {"torch>=2.11", "ruff>=0.15"} <= set(asked)
    assert not [line for line in asked if line.startswith("picdeed")]


def test_an_old_python_is_told_so_in_words(tmp_path):
    """The message must be reachable: nothing above it may need a newer Python than it names."""
    source = SETUP.read_text(encoding="utf-8")
    compile(source, str(SETUP), "exec", dont_inherit=True)
    code = (
        "import sys, runpy; sys.version_info = (3, 9, 2, 'final', 0);"
        f"sys.argv = ['setup.py']; runpy.run_path({str(SETUP)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
