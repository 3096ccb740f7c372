"""A real Chromium, a real server, a real registry."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path

import pytest

from picdeed.testing import tiny_registry

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """The machine's own Chromium: nothing is downloaded. Without it the journey is skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    return {
        **browser_type_launch_args,
        "executable_path": found,
        "args": ["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {**browser_context_args, "viewport": {"width": 1400, "height": 900}}


@pytest.fixture
def registry(tmp_path):
    return tiny_registry(tmp_path / "registry")


@pytest.fixture
def dashboard(registry, tmp_path):
    """The address of a running `picdeed dashboard`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "dashboard.log"
    command = [
        sys.executable, "-m", "picdeed", "dashboard", "--registry", str(registry.root),
        "--port", str(port),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
    with log.open("wb") as told:
        running = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=told,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address, running, log)
        yield address
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(30)


def _wait(address, running, log):
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and running.poll() is None:
        asked = http.client.HTTPConnection(address.removeprefix("http://"), timeout=2)
        with contextlib.closing(asked), contextlib.suppress(OSError, http.client.HTTPException):
            asked.request("GET", "/_stcore/health")
            if asked.getresponse().status == HTTPStatus.OK:
                return
        time.sleep(0.3)
    pytest.fail(f"the dashboard did not start:\n{log.read_text(errors='replace')}")
