"""Does `picdeed signals` say what it found, in one document?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from picdeed.flow import pipeline
from picdeed.flow.statements import Given
from picdeed.testing import tiny_pictures, tiny_registry

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path: Path):
    registry = tiny_registry(tmp_path / ".picdeed")
    given = Given(source_url="https://a.example/a.jpg")
    pipeline.register(registry, tiny_pictures(tmp_path / "s", 1), "d", given=given)
    registry.close()

    def run(*arguments: str):
        done = subprocess.run(
            [sys.executable, "-m", "picdeed", "signals", *arguments, "--json"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT / "platform")},
            capture_output=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout)

    return run


def test_recorded_answers(run, tmp_path):
    said = {
        "url": "https://a.example/a.jpg",
        "status": 200,
        "headers": {"X-Robots-Tag": "noai"},
        "fetched_at": "2026-11-01T00:00:00Z",
    }
    (tmp_path / "e.jsonl").write_text(json.dumps(said))
    code, document = run("d", "--evidence", "e.jsonl")
    assert (code, document["schema"], document["opt_outs"]) == (0, "picdeed.signals/1", 1)
    assert set(document) >= {"checked", "opt_outs", "unreachable", "not_checked", "warnings"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((), 2), (("--evidence", "none.warc"), 2), (("no-such-dataset", "--evidence", "e"), 2)],
)
def test_requests_that_cannot_be_carried_out(run, arguments, code):
    found, document = run(*arguments)
    assert (found, document["schema"]) == (code, "picdeed.error/1")
