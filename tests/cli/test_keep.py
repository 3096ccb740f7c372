"""Facts, watch and export on the command line: one document, the right exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from picdeed.flow import pipeline
from picdeed.flow.watch import pins
from picdeed.testing import tiny_pictures, tiny_registry

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    registry = tiny_registry(tmp_path / ".picdeed")
    pipeline.register(registry, tiny_pictures(tmp_path / "pictures", 2), "drawings")
    pipeline.freeze(registry, "drawings")
    return tmp_path


@pytest.fixture
def run(place: Path) -> Run:
    def run(*arguments: str) -> tuple[int, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "picdeed", *arguments, "--json"],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(ROOT / "platform")},
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done.returncode, json.loads(done.stdout)

    return run


def test_facts_are_added_and_listed(run: Run, place: Path) -> None:
    (place / "accounts.txt").write_text("900000")
    added = (
        "facts", "add", "annual-revenue-usd", "900000", "--since", "2026-01-01",
        "--evidence", "accounts.txt", "--by", "A. Clerk",
    )  # fmt: skip
    code, first = run(*added)
    assert (code, first["schema"], first["fact"]["value"]) == (0, "picdeed.facts/1", "900000")
    assert run(*added) == (0, first)
    code, listed = run("facts", "list")
    assert (code, listed["facts"]) == (0, [first["fact"]])
    assert isinstance(listed["asked"], dict)
    code, refused = run("facts", "add", "annual-revenue-usd", "1", "--since", "soon")
    assert (code, refused["schema"]) == (2, "picdeed.error/1")
    code, refused = run("facts", "add", "x", "1", "--since", "2026-01-01", "--evidence", "none")
    assert (code, "none" in refused["message"]) == (2, True)


def test_watch_is_one_document_of_any_day(run: Run, place: Path) -> None:
    code, now = run("watch")
    assert (code, now["schema"], now["days"]) == (0, "picdeed.watch/1", 30)
    assert (now["expiring"], now["changed_texts"]) == ([], [])
    run("facts", "add", "organisation-type", "museum", "--since", "2126-03-03")
    code, then = run("watch", "--as-of", "2126-03-01", "--days", "7")
    assert (code, then["as_of"]) == (0, "2126-03-01T00:00:00.000000Z")
    (fact,) = then["expiring"]
    assert set(fact) == {"kind", "id", "when", "what", "uses", "pictures"}
    assert (fact["kind"], fact["when"][:10]) == ("fact", "2126-03-03")
    assert run("watch", "--as-of", "soon")[0] == 2


def test_a_text_that_changed_is_listed(run: Run, place: Path) -> None:
    _, url, digest = pins(pipeline.rules())[0]
    (place / "text.txt").write_text("all rights reserved")
    code, found = run("watch", "--text", f"{url}=text.txt")
    (changed,) = found["changed_texts"]
    assert (code, changed["url"], changed["was"]) == (0, url, digest)
    for wrong in ("text.txt", "https://example.org/=text.txt", f"{url}=nowhere", f"{url}=."):
        assert run("watch", "--text", wrong)[0] == 2


def test_export_writes_the_notices(run: Run, place: Path) -> None:
    _, shown = run("snapshot", "drawings")
    code, done = run("export", "notices", shown["snapshot"][:12])
    assert (code, done["schema"]) == (0, "picdeed.export/1")
    assert Path(done["path"]) == place / f"NOTICES-{shown['snapshot'][:12]}.txt"
    Path(done["path"]).write_text("mine")
    code, refused = run("export", "notices", shown["snapshot"])
    assert (code, done["path"] in refused["message"]) == (2, True)
    assert run("export", "banana", shown["snapshot"])[0] == 2
    assert run("export", "notices", "adp_00")[0] == 2
