"""Does the wheel work where there is no checkout, and does the lock say what pyproject asks for?"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SECONDS = 120  # how long a page may take to answer on a busy machine


def outside() -> dict[str, str]:
    """The environment of somebody who never saw the checkout."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PICDEED_", "PYTHON"))}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "STREAMLIT_SERVER_HEADLESS": "true"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The bin folder of an environment with the wheel and, behind it, the packages of this one.

    The outer folders are named in a .pth file, whose own .pth files Python does not follow: an
    editable picdeed out there stays unseen.
    """
    folder = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    outer = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    (site / "outer.pth").write_text("\n".join(outer), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "-q",
         "--no-deps", "--no-index", "--ignore-installed", wheel],
        check=True, env=outside(), capture_output=True, text=True,
    )  # fmt: skip
    return folder / "bin"


def picdeed(installed: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [installed / "picdeed", *words],
        cwd=cwd, env=outside(), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_wheel_holds_what_picdeed_needs_besides_its_code(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    bundled = [n.removeprefix("picdeed/_bundled/") for n in names if "/_bundled/" in n]
    assert "dashboard/main.py" in bundled
    assert "migrations/env.py" in bundled
    assert any(re.fullmatch(r"migrations/versions/\d+_\w+\.py", n) for n in bundled)
    assert any(re.fullmatch(r"configs/licenses/.+\.toml", n) for n in bundled)
    assert any(re.fullmatch(r"configs/models/sprig\.toml", n) for n in bundled)
    weights = {n.split("/")[2] for n in bundled if re.match(r"models/sprig/.+\.safetensors$", n)}
    assert {"unet", "vae", "text_encoder"} <= weights
    assert "picdeed/py.typed" in names
    assert any(n.endswith("licenses/LICENSE") for n in names)


def test_the_wheel_holds_no_rubbish(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    wrong = re.compile(r"__pycache__|\.pyc$|\.part$|\.sqlite|\.pem$|(^|/)\.picdeed/|^tests/")
    assert not [n for n in names if wrong.search(n)]
    assert {n.split("/")[0] for n in names} == {
        "picdeed",
        f"picdeed-{PYPROJECT['project']['version']}.dist-info",
    }


def test_every_file_that_ships_from_the_root_is_in_the_wheel(wheel):
    """A file that git holds but the wheel leaves out works here and fails at every user's."""
    names = set(zipfile.ZipFile(wheel).namelist())
    done = subprocess.run(
        ["git", "ls-files", "-z", "dashboard", "migrations", "configs", "models", "platform/picdeed"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    held = [n for n in done.stdout.split("\0") if n and (ROOT / n).is_file()]
    if not held:
        pytest.skip("not a git checkout")
    inside = {
        n.removeprefix("platform/") if n.startswith("platform/") else f"picdeed/_bundled/{n}"
        for n in held
    }
    assert not inside - names


def test_the_installed_wheel_is_what_runs(installed, tmp_path):
    code = (
        "import picdeed; from picdeed.core.resources import bundled;"
        "print(picdeed.__file__); print(*map(bundled, ['configs', 'dashboard', 'models']))"
    )
    done = subprocess.run(
        [installed / "python", "-c", code],
        cwd=tmp_path, env=outside(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(ROOT) + "/" not in done.stdout
    assert done.stdout.count(str(installed.parent)) == 4


def test_help_and_init_work_from_an_unrelated_folder(installed, tmp_path):
    helped = picdeed(installed, "--help", cwd=tmp_path)
    assert helped.returncode == 0, helped.stderr
    assert "ingest" in helped.stdout
    made = picdeed(installed, "init", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["schema"] == "picdeed.init/1"
    assert Path(told["registry"]) == tmp_path / ".picdeed"
    assert (tmp_path / ".picdeed" / "registry.sqlite").is_file()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def answer(port: int, path: str, running: subprocess.Popen[bytes]) -> int:
    """The status of the first answer; 0 when the program ended or stayed silent."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and running.poll() is None:
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(asked), contextlib.suppress(OSError, http.client.HTTPException):
            asked.request("GET", path)
            return asked.getresponse().status
        time.sleep(0.3)
    return 0


def test_the_dashboard_answers_from_an_unrelated_folder(installed, tmp_path):
    made = picdeed(installed, "init", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as told:
        running = subprocess.Popen(
            [installed / "picdeed", "dashboard", "--port", str(port)],
            cwd=tmp_path, env=outside(), stdin=subprocess.DEVNULL, stdout=told,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        status = answer(port, "/", running)
        health = answer(port, "/_stcore/health", running)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        running.wait(30)
    assert (status, health) == (200, 200), log.read_text(errors="replace")


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_the_lock_pins_all_that_pyproject_asks_for():
    project = PYPROJECT["project"]
    asked = [*project["dependencies"], *PYPROJECT["build-system"]["requires"]]
    for part in (project["optional-dependencies"], PYPROJECT["dependency-groups"]):
        asked += [line for lines in part.values() for line in lines]
    pins = locked()
    wrong = []
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        if name not in {"torch", "picdeed"} and not (
            name in pins and requirement.specifier.contains(pins[name])
        ):
            wrong.append(f"{requirement}: {pins.get(name, 'not locked')}")
    assert not wrong


def test_the_lock_is_closed_and_agrees_with_itself():
    """`--no-deps` installs it: what a locked package needs must be locked, in a fitting version."""
    import importlib.metadata

    pins, wrong = locked(), []
    for name, version in [*pins.items(), ("torch", "")]:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            distribution = importlib.metadata.distribution(name)
            if version and distribution.version != version:
                continue  # another environment than make setup's
            for line in distribution.requires or []:
                need = Requirement(line)
                inner = canonicalize_name(need.name)
                if need.marker and not need.marker.evaluate({"extra": ""}):
                    continue
                if inner == "torch" or re.match(r"nvidia-|cuda-|triton$", inner):
                    continue
                if inner not in pins or not (
                    name == "torch" or need.specifier.contains(pins[inner], prereleases=True)
                ):
                    wrong.append(f"{name} needs {need}; locked is {pins.get(inner)}")
    assert not wrong


def test_torch_and_nvidia_stay_out_of_the_lock():
    assert not [n for n in locked() if re.match(r"(torch$|nvidia-|cuda-|triton$|picdeed$|pip$)", n)]


@pytest.mark.soak
@pytest.mark.network
def test_the_wheel_alone_in_an_empty_environment_runs_the_demo(wheel, tmp_path):
    """`pip install 'picdeed[train,dashboard]'` by somebody who has nothing else."""
    venv.create(tmp_path / "environment", with_pip=True)
    tools = tmp_path / "environment" / "bin"
    install = [tools / "python", "-m", "pip", "install", "-q", "-c", ROOT / "requirements.lock"]
    subprocess.run(
        [*install, "torch==2.13.0", f"{wheel}[train,dashboard]"], check=True, env=outside()
    )
    done = picdeed(tools, "demo", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["verified"]["intact"] == told["verified"]["total"] > 0
