"""Do the rules for every test hold: no network, frozen variables, no quiet skipping?"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

ONE_SKIPPED = """
import pytest
@pytest.mark.parametrize("n", range(9))
def test_passes(n): pass
@pytest.mark.skip(reason="on purpose")
def test_skipped(): pass
"""
JOURNEY = """
import pytest
@pytest.mark.browser
def test_journey(): {body}
def test_other(): pass
"""


def run(folder: Path, source: str, *words: str, **variables: str):
    """pytest over one file under our conftest, in a process of its own."""
    (folder / "conftest.py").write_text((HERE / "conftest.py").read_text(encoding="utf-8"))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    browser\n    network\n")
    (folder / "test_one.py").write_text(source)
    # What this run itself was asked to require is not asked of the one inside it.
    ours = {k: v for k, v in os.environ.items() if not k.startswith("PICDEED_REQUIRE_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:playwright", *words],
        cwd=folder, env={**ours, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_too_many_skips_fail_the_run_and_workers_report_theirs(tmp_path):
    done = run(tmp_path, ONE_SKIPPED, "--most-skipped", "0.05", "-n", "2")
    assert done.returncode == 1
    assert "1 of 10 tests were skipped; at most 5% may be" in done.stdout
    assert "9 passed, 1 skipped" in done.stdout


def test_few_enough_skips_pass(tmp_path):
    assert run(tmp_path, ONE_SKIPPED, "--most-skipped", "0.1").returncode == 0


def test_a_required_journey_that_skipped_fails_the_run(tmp_path):
    source = JOURNEY.format(body="pytest.skip('no Chromium')")
    done = run(tmp_path, source, PICDEED_REQUIRE_BROWSER="1")
    assert done.returncode == 1
    assert "journey was not run" in done.stdout


def test_a_required_journey_that_ran_in_a_worker_counts(tmp_path):
    """And the user's own variables never reach a test."""
    body = "import os; assert 'PICDEED_REGISTRY' not in os.environ"
    done = run(
        tmp_path, JOURNEY.format(body=body), "-n", "1",
        PICDEED_REQUIRE_BROWSER="1", PICDEED_REGISTRY="elsewhere",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_environment_is_frozen():
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert "picdeed-tests-hf-" in os.environ["HF_HOME"]


def test_only_this_machine_answers():
    with socket.socket() as asked, pytest.raises(pytest.fail.Exception, match="connected to"):
        asked.connect(("192.0.2.1", 80))
    with pytest.raises(pytest.fail.Exception, match="looked up"):
        socket.getaddrinfo("example.org", 80)
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        client.connect(server.getsockname())
    assert socket.getaddrinfo("localhost", 80)
