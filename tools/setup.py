# ruff: noqa: INP001, T201 -- a script that make runs before anything is installed; it prints.
"""How does a clone become an environment? `make setup` runs this with any Python from 3.11 on.

1. The environment is made. Where the outer Python already has a good torch (2.11 or newer), the
   environment sees the outer packages and that torch is kept: on a GPU machine it is the one
   that fits the driver.
2. Otherwise torch is installed first, as a CPU build where there is no NVIDIA GPU.
3. Everything else is installed exactly as the lock says, without asking the resolver again.
4. picdeed itself is installed so that edits in the checkout take effect at once.

Standard library only. Every step may be repeated; a step that failed leaves the rest usable.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path

OLDEST_PYTHON = (3, 11)
OLDEST_TORCH = (2, 11)
ROOT = Path(__file__).resolve().parent.parent

_LOOK_FOR_TORCH = """
import importlib.metadata, importlib.util
try:
    print(importlib.metadata.version("torch") if importlib.util.find_spec("torch") else "")
except importlib.metadata.PackageNotFoundError:
    print("")
"""
_OUTER_FOLDERS = """
import sys
print("\\n".join(p for p in sys.path if p.endswith(("site-packages", "dist-packages"))))
"""


class SetupError(Exception):
    """What to tell the user; nothing else is shown."""


def say(subject: str, text: str) -> None:
    """One plain line, its subject in a column of its own."""
    print(f"{subject:<10} {text}", flush=True)


def torch_of(python: str) -> str:
    """The version of the torch that this interpreter would import; empty when it has none."""
    done = subprocess.run(
        [python, "-c", _LOOK_FOR_TORCH], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def good_enough(version: str) -> bool:
    """Whether a torch of this version is kept: "2.11.0a0+git" and "2.13.0+cpu" are."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST_TORCH


def has_nvidia_gpu() -> bool:
    """Whether the driver shows at least one NVIDIA GPU."""
    if any(Path("/proc/driver/nvidia/gpus").glob("*")):
        return True
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    done = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "GPU " in done.stdout


def torch_wishes(wanted: str, *, gpu: bool) -> list[str]:
    """What to ask pip for, best first. Only a plain `torch==X` has a CPU build to prefer."""
    if gpu or not re.fullmatch(r"torch==[0-9][0-9a-z.]*", wanted):
        return [wanted]
    return [f"{wanted}+cpu", wanted]


def make_environment(folder: Path) -> str:
    """Makes `folder` a virtual environment unless it is one already; the path of its Python."""
    python = str(folder / "bin" / "python")
    if Path(python).exists() and _runs(python, "import pip"):
        return python
    if Path(sys.prefix).resolve() == folder.resolve():
        raise SetupError(f"{folder} is broken and active. Type `deactivate`, then again.")
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"This Python ({sys.executable}) cannot make environments: it lacks ensurepip.\n"
            f"Debian and Ubuntu keep it in a package of its own:\n"
            f"    sudo apt-get install python{version}-venv"
        )
    outer = torch_of(sys.executable)
    keep = good_enough(outer)
    command = [sys.executable, "-m", "venv", "--clear", str(folder)]
    if keep:
        command.insert(-1, "--system-site-packages")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}".rstrip())
    if keep and torch_of(python) != outer:
        _see_outer_environment(python)
    return python


def _runs(python: str, code: str) -> bool:
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def _see_outer_environment(python: str) -> None:
    """`--system-site-packages` passes over an outer *virtual* environment: name its folders."""
    shown = subprocess.run(
        [sys.executable, "-c", _OUTER_FOLDERS], capture_output=True, text=True, check=True
    ).stdout
    inner = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    Path(inner, "outer-packages.pth").write_text(shown, encoding="utf-8")


def install_torch(python: str, wanted: str, index: str) -> None:
    """Keeps a good torch, else installs `wanted`, a CPU build first where there is no GPU."""
    present = torch_of(python)
    if good_enough(present):
        say("torch", f"{present} (kept)")
        return
    gpu = has_nvidia_gpu()
    more = ["--extra-index-url", index] if index else []
    wishes = torch_wishes(wanted, gpu=gpu)
    for wish in wishes:
        say("torch", f"asking pip for {wish}")
        try:
            pip_install(python, [*more, wish])
        except SetupError as error:
            absent = re.search("No matching distribution found for torch", str(error))
            if wish == wishes[-1] or not absent:
                raise
            say("torch", "pip finds no CPU build; the usual one may bring NVIDIA's libraries,")
            say("", "several GB. TORCH_INDEX names an index of CPU builds (see README.md).")
        else:
            break
    say("torch", torch_of(python))


def install_locked(python: str, lock: Path) -> None:
    """Exactly what the lock names: torch and NVIDIA's packages are not in it."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    total = sum(1 for line in lines if line.strip() and not line.startswith("#"))
    if total:
        pip_install(python, ["--no-deps", "-r", str(lock)], total=total)
    say("packages", f"{total}/{total}")


def install_project(python: str, root: Path) -> None:
    """picdeed itself, editable; the lock already brought what builds it."""
    pip_install(python, ["--no-deps", "--no-build-isolation", "-e", str(root)])
    done = subprocess.run(
        [python, "-c", "import importlib.metadata as m; print(m.version('picdeed'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    say("picdeed", done.stdout.strip())


def pip_install(python: str, arguments: list[str], *, total: int = 0) -> None:
    """Runs pip, showing a counter instead of its chatter. Raises SetupError with its last words."""
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        *arguments,
    ]
    # A user-wide "install into my home" setting would make pip refuse inside an environment.
    environment = {**os.environ, "PIP_USER": "0"}
    said: deque[str] = deque(maxlen=25)
    seen = 0
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment,
    ) as running:
        for line in running.stdout or ():
            said.append(line.rstrip())
            if total and line.startswith(("Collecting ", "Requirement already satisfied: ")):
                seen += 1
                if sys.stdout.isatty():
                    print(f"\rpackages   {seen}/{total}", end="", flush=True)
    if total and sys.stdout.isatty():
        print("\r", end="")
    if running.returncode != 0:
        raise SetupError(
            "\n".join(said) + f"\npip failed while installing {' '.join(arguments)}.\n"
            "Nothing else was changed; `make setup` goes on from here."
        )


def main() -> int:
    """0 done, 1 failed with a message."""
    if tuple(sys.version_info[:2]) < OLDEST_PYTHON:
        print(
            f"picdeed needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.\n"
            "Name another one: make setup PYTHON=python3.11",
            file=sys.stderr,
        )
        return 1
    parser = argparse.ArgumentParser(description="Makes picdeed's environment.")
    parser.add_argument("--folder", type=Path, default=ROOT / ".venv")
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock")
    parser.add_argument("--torch", default="torch==2.13.0")
    parser.add_argument("--torch-index", default="")
    parser.add_argument("--without-project", action="store_true")
    chosen = parser.parse_args()
    try:
        python = make_environment(chosen.folder)
        say("python", f"{sys.version.split()[0]} in {chosen.folder}")
        install_torch(python, chosen.torch, chosen.torch_index)
        install_locked(python, chosen.lock)
        if not chosen.without_project:
            install_project(python, ROOT)
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
