# ruff: noqa: INP001, T201 -- a script that make runs; it prints.
"""Which versions does `make setup` install? `make lock` asks the resolver anew and writes them.

A throwaway environment gets everything that pyproject.toml asks for in its newest versions; what
came out is frozen. torch, triton and NVIDIA's packages stay out: which build fits is a question
of the machine (tools/setup.py), not of the project. There are no hashes: a hash list would tie
the lock to one kind of machine.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = re.compile(r"^(torch|triton|picdeed|pip|pytorch-triton.*|nvidia-.*|cuda-.*)$")
# hatchling asks for it when picdeed is installed editable; pyproject.toml cannot say so.
BUILD = ["editables"]
HEAD = """\
# Every package of picdeed's environment but torch, triton and NVIDIA's: those fit the machine.
# Written by `make lock` for Python {python}; read by `make setup`, which installs exactly this.
"""


def wanted(pyproject: Path) -> list[str]:
    """Every requirement of pyproject.toml: base, extras, development, and the build's own."""
    told = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    project = told["project"]
    asked = [*project["dependencies"], *told["build-system"]["requires"], *BUILD]
    for part in project["optional-dependencies"].values():
        asked += part
    for group in told["dependency-groups"].values():
        asked += group
    return [line for line in asked if not line.startswith("picdeed[")]


def name_of(line: str) -> str:
    """The normalised name (PEP 503) of a `name==version` line."""
    return re.sub(r"[-_.]+", "-", line.partition("==")[0].strip()).lower()


def locked(frozen: str) -> list[str]:
    """The lines of `pip freeze --all` that belong into the lock, sorted by name."""
    lines = [line.strip() for line in frozen.splitlines() if "==" in line]
    return sorted((line for line in lines if not LEFT_OUT.match(name_of(line))), key=name_of)


def resolve(torch: str, index: str) -> str:
    """What the resolver picks today, as `pip freeze --all` prints it."""
    more = ["--extra-index-url", index] if index else []
    with tempfile.TemporaryDirectory(prefix="picdeed-lock-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-q", "--upgrade", "pip"], check=True)
        subprocess.run([*pip, "install", "-q", *more, torch], check=True)
        subprocess.run(
            [*pip, "install", "-q", *more, torch, *wanted(ROOT / "pyproject.toml")], check=True
        )
        done = subprocess.run([*pip, "freeze", "--all"], check=True, capture_output=True, text=True)
    return done.stdout


def main() -> None:
    """Writes requirements.lock, or takes another environment's `pip freeze --all` by `--from`."""
    parser = argparse.ArgumentParser(description="Writes requirements.lock.")
    parser.add_argument("--torch", default="torch==2.13.0")
    parser.add_argument("--torch-index", default="")
    parser.add_argument("--from", dest="frozen", type=Path, help="freeze list, - for stdin")
    chosen = parser.parse_args()
    if chosen.frozen is None:
        frozen = resolve(chosen.torch, chosen.torch_index)
    else:
        frozen = sys.stdin.read() if str(chosen.frozen) == "-" else chosen.frozen.read_text()
    lines = locked(frozen)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    target = ROOT / "requirements.lock"
    target.write_text(HEAD.format(python=python) + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{target}: {len(lines)} packages")


if __name__ == "__main__":
    main()
