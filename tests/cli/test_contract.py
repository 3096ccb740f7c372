"""The command line's contract: one document, the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from picdeed.testing import tiny_pictures, tiny_registry

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cli")
    tiny_registry(place / ".picdeed")
    tiny_pictures(place / "pictures", 3)
    tiny_pictures(place / "free-of-money", 1, {"license": "CC-BY-NC-4.0"}, first=20)
    tiny_pictures(place / "review", 1, {"license": "CC-BY-SA-4.0"}, first=30)
    return place


@pytest.fixture
def run(place: Path) -> Run:
    def run(*arguments: str, cwd: Path = place) -> tuple[int, Any]:
        """Exit code and the one JSON document; everything else on stdout is a failure."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
        done = subprocess.run(
            [sys.executable, "-m", "picdeed", *arguments, "--json"],
            cwd=cwd,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done.returncode, json.loads(done.stdout)

    return run


def test_the_flow_up_to_the_gate(run: Run, place: Path) -> None:
    code, document = run("ingest", "pictures", "--dataset", "drawings")
    assert (code, document["schema"], document["registered"]) == (0, "picdeed.ingest/1", 3)
    first = document["pictures"][0]
    assert set(first) == {"id", "path", "sha256", "license", "verdicts"}
    assert first["verdicts"]["train"] == "ALLOW"
    assert Path(first["path"]).is_absolute()
    assert document["pictures_file"] is None

    code, document = run("license", "drawings")
    assert (code, document["by_license"], document["conflicts"]) == (0, {"CC0-1.0": 3}, [])
    code, document = run("dedup")
    assert (code, document["clusters"], document["review"]) == (0, [], [])
    code, document = run("snapshot", "drawings", "--for", "train,share-adapter")
    assert (code, document["members"], document["left_out"]) == (0, 3, {})
    snapshot = document["snapshot"]
    assert document["root"] == snapshot.removeprefix("snp_")
    code, document = run("gate", snapshot[:9], "--base", "sprig", "--use", "sell-adapter")
    assert (code, document["verdict"], document["approved"]) == (0, "DUTIES", None)
    assert document["duties"]
    assert document["drop"] == []
    code, document = run("lineage", snapshot, "--depth", "1")
    assert sum(node["kind"] == "picture" for node in document["nodes"]) == 3
    code, document = run("models", "show", "sprig")
    assert (code, document["license"]) == (0, "Apache-2.0")
    code, document = run("audit")
    assert (code, document["ok"], document["problems"]) == (0, True, [])
    assert document["events"] > 3


def test_denied_is_3(run: Run) -> None:
    run("ingest", "free-of-money", "--dataset", "nc")
    code, document = run("snapshot", "nc")
    assert (code, document["snapshot"], document["left_out"]) == (3, None, {"license": 1})
    _, document = run("snapshot", "nc", "--all")
    code, gated = run("gate", document["snapshot"], "--base", "sprig", "--use", "train")
    assert (code, gated["verdict"], gated["drop_reason"]) == (3, "DENY", "nothing-left")
    code, refused = run("train", document["snapshot"], "--base", "sprig")
    assert (code, refused["schema"], refused["error"]) == (3, "picdeed.error/1", "Denied")
    assert refused["decision"] == gated["decision"]
    code, gated = run(
        "gate", document["snapshot"], "--base", "sprig", "--use", "train", "--non-commercial"
    )
    assert code == 0


def test_review_is_4(run: Run) -> None:
    run("ingest", "review", "--dataset", "review")
    _, document = run("snapshot", "review")
    code, gated = run("gate", document["snapshot"], "--base", "sprig", "--use", "share-adapter")
    assert (code, gated["verdict"]) == (4, "REVIEW")


def test_partly_done_is_6(run: Run, place: Path) -> None:
    source = tiny_pictures(place / "partly", 1, first=50)
    (source / "broken.png").write_text("no picture")
    code, document = run("ingest", "partly", "--dataset", "partly")
    assert (code, document["registered"]) == (6, 1)
    assert document["refused"][0]["reason"] == "not-a-picture"


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "nowhere", "--dataset", "x"),
        ("ingest", "pictures"),
        ("ingest", "pictures", "--dataset", "x", "--license", "free", "--strict"),
        ("snapshot", "nobody"),
        ("snapshot", "drawings", "--for", "dance"),
        ("gate", "snp_ffffffffffff", "--base", "sprig", "--use", "train"),
        ("train", "snp_ffffffffffff", "--base", "sprig", "--set", "nonsense=1"),
        ("generate", "--prompt", "a star"),
        ("generate", "run_ffffffffffff", "--prompt", "a star"),
        ("lineage", "img_ffffffffffff"),
        ("revoke", "img_ffffffffffff", "--ground", "takedown"),
        ("revoke", "sprig", "--ground", "boredom"),
        ("runs", "show", "run_ffffffffffff"),
        ("models", "show", "nothing"),
        ("dance",),
        ("audit", "--report", "report.docx"),
    ],
)
def test_usage_errors_are_2_with_a_document(run: Run, arguments: tuple[str, ...]) -> None:
    code, document = run(*arguments)
    assert (code, document["schema"]) == (2, "picdeed.error/1")
    assert document["message"]
    assert set(document) == {
        "schema", "error", "message", "hint", "decision", "revocation", "run",
    }  # fmt: skip


def test_no_registry_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    code, document = run("audit", cwd=tmp_path)
    assert (code, document["error"]) == (2, "NotARegistry")
    assert "picdeed init" in document["hint"]


def test_verify_works_without_a_registry(run: Run, tmp_path: Path) -> None:
    tiny_pictures(tmp_path / "p", 1)
    code, document = run("verify", str(tmp_path / "p" / "picture-001.png"), cwd=tmp_path)
    assert (code, document["files"][0]["integrity"]) == (0, "none")
    assert document["files"][0]["standing"] == "unknown"
    code, document = run("verify", "gone.png", cwd=tmp_path)
    assert (code, document["files"][0]["integrity"]) == (6, "unreadable")


def test_tampering_is_5_and_reported(run: Run, place: Path, tmp_path: Path) -> None:
    import shutil
    import sqlite3

    shutil.copytree(place / ".picdeed", tmp_path / "copy")
    with sqlite3.connect(tmp_path / "copy" / "registry.sqlite") as database:
        database.execute("UPDATE pictures SET width = width + 1")
    report = tmp_path / "audit.html"
    code, document = run("audit", "--registry", str(tmp_path / "copy"), "--report", str(report))
    assert (code, document["schema"], document["ok"]) == (5, "picdeed.audit/1", False)
    assert document["problems"]
    assert "Not everything holds" in report.read_text()


def test_a_revocation_is_simulated_then_applied(run: Run, place: Path) -> None:
    tiny_pictures(place / "gone", 1, first=60)
    _, document = run("ingest", "gone", "--dataset", "gone")
    picture = document["pictures"][0]["id"]
    code, simulated = run("revoke", picture, "--ground", "privacy", "--simulate")
    assert (code, simulated["applied"]) == (0, False)
    code, applied = run("revoke", picture, "--ground", "privacy")
    assert (code, applied["applied"]) == (0, True)
    assert applied["impact"]["pictures"] == [{"id": picture, "state": "revoked"}]
    code, document = run("snapshot", "gone")
    assert (code, document["left_out"]) == (3, {"revoked": 1})


def test_erasing_needs_a_yes_and_a_feed_needs_trust(run: Run, place: Path, tmp_path: Path) -> None:
    tiny_pictures(place / "personal", 1, first=70)
    _, document = run("ingest", "personal", "--dataset", "personal")
    picture = document["pictures"][0]["id"]
    code, document = run("erase", picture, "--because", "her letter")
    assert (code, document["error"]) == (2, "Unconfirmed")
    code, document = run("erase", picture, "--because", "her letter", "--yes")
    assert (code, document["schema"]) == (0, "picdeed.erase/1")
    assert document["erased"]["picture"] == picture
    assert Path(document["revoked"]["report"]).is_file()
    code, document = run("audit")
    assert (code, document["ok"]) == (0, True)

    feed = tmp_path / "feed.jsonl"
    code, document = run("tombstones", "export", "--to", str(feed))
    assert (code, document["schema"]) == (0, "picdeed.tombstones/1")
    assert document["entries"] >= 1
    tiny_registry(tmp_path / "other")
    other = ("--registry", str(tmp_path / "other"))
    code, refused = run("tombstones", "read", str(feed), *other)
    assert (code, refused["error"]) == (2, "UsageError")
    assert document["fingerprint"] in refused["message"]
    code, document = run("tombstones", "read", str(feed), "--trust", *other)
    assert (code, document["read"]["applied"], document["revoked"]) == (0, True, [])
    feed.write_bytes(feed.read_bytes().replace(b"privacy", b"mistake"))
    code, document = run("tombstones", "read", str(feed), *other)
    assert (code, document["error"]) == (5, "IntegrityError")


@pytest.mark.parametrize(
    "arguments",
    [
        ("revoke", "sprig", "--ground", "error", "--effective", "2999-01-01"),
        ("revoke", "sprig", "--ground", "error", "--effective", "someday"),
        ("erase", "img_ffffffffffff", "--because", "x", "--yes"),
        ("tombstones", "read", "nowhere", "--trust"),
        ("runs", "cancel", "run_ffffffffffff"),
    ],
)
def test_taking_back_what_cannot_be_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    code, document = run(*arguments)
    assert (code, document["schema"]) == (2, "picdeed.error/1")
