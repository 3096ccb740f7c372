"""Are bases added, listed and shown as the contract says, for scripts and for people?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from called import called
from one_file import one_file

from picdeed.core.ids import sha256_file
from picdeed.core.resources import bundled
from picdeed.testing import tiny_model, tiny_registry

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, Any]]
KEYS = {
    "schema", "id", "name", "license", "sha256", "path", "deed", "deed_note", "license_facts",
    "origin", "verdicts", "is_there", "added_at", "revoked",
}  # fmt: skip
NO_DEED = "no deed: nobody recorded what it learned from"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    tiny_registry(place / ".picdeed")
    tiny_model(place / "bare")
    tiny_model(place / "apart", seed=1)
    (place / "apart" / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    (place / "apart" / "LICENSE.txt").write_text("MIT License\n")
    return place


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """In this process: a new one imports torch for seconds."""
    monkeypatch.chdir(place)

    def run(*arguments: str, text: bool = False) -> tuple[int, Any]:
        """Exit code and the one JSON document, or what a person reads."""
        return called(monkeypatch, capfd, *arguments, text=text)

    return run


def test_a_base_is_added_listed_and_shown(run: Run, place: Path) -> None:
    code, added = run("models", "add", "bare", "--name", "mine")
    assert (code, added["schema"], added["changed"]) == (0, "picdeed.models/1", ["added"])
    assert set(added) == KEYS | {"changed", "why_open"}
    assert (added["path"], added["deed"], added["deed_note"]) == (
        str(place / "bare"), None, NO_DEED,
    )  # fmt: skip
    code, again = run("models", "add", "bare")
    assert (code, again["changed"], again["id"]) == (0, [], added["id"])

    code, listed = run("models", "list")
    assert [one["name"] for one in listed["models"]] == ["mine", "sprig"]
    assert [one["deed"] is None for one in listed["models"]] == [True, False]
    code, shown = run("models", "show", added["id"][:12])
    assert (code, set(shown)) == (0, KEYS)
    assert shown["verdicts"]["train"] == "DENY"

    code, told = run("models", "show", "mine", text=True)
    assert (code, NO_DEED in told, "nobody says which" in told) == (0, True, True)
    code, told = run("models", "list", text=True)
    assert "no deed" in told
    code, told = run("models", "add", "bare", text=True)
    assert "on record already; nothing was changed" in told
    assert "Next: picdeed models add" in told


def test_one_file_of_weights_needs_a_folder_of_configs(run: Run, place: Path) -> None:
    tiny_model(place / "loose", seed=5)
    file = one_file(place / "loose", place / "loose.safetensors")
    code, refused = run("models", "add", file.name)
    assert (code, refused["error"]) == (2, "UsageError")
    assert "Nothing was recorded" in refused["message"]
    assert "--config FOLDER" in refused["hint"]
    assert "from_single_file" in refused["hint"]
    code, added = run("models", "add", file.name, "--config", "bare", "--license", "MIT")
    assert (code, added["name"], added["license"]) == (0, "loose", "MIT")
    assert added["origin"] == {"file": str(file), "sha256": sha256_file(file)}
    assert Path(added["path"]).is_relative_to(place / ".picdeed" / "models")
    code, again = run("models", "add", file.name, "--config", "bare", "--license", "MIT")
    assert (code, again["changed"], again["id"]) == (0, [], added["id"])
    _, told = run("models", "show", "loose", text=True)
    assert "converted" in told
    assert run("models", "add", "bare", "--config", "bare")[0] == 2
    (place / "loose.ckpt").write_bytes(file.read_bytes())
    code, refused = run("models", "add", "loose.ckpt", "--config", "bare")
    assert (code, "safetensors only" in refused["hint"]) == (2, True)
    file.write_bytes(b"no weights")
    assert run("models", "add", file.name, "--config", "bare")[0] == 2
    assert len(list((place / ".picdeed" / "models").iterdir())) == 1


def test_the_embedded_deed_is_read_aloud(run: Run) -> None:
    deed = json.loads((bundled("models") / "sprig" / "deed.json").read_text())
    code, shown = run("models", "show", "sprig")
    assert (code, set(shown), shown["deed"]) == (0, KEYS, deed)
    _, told = run("models", "show", "sprig", text=True)
    flat = told.replace(" ", "")
    assert deed["sha256"] in flat
    assert deed["snapshot"]["root"] in flat
    for package in deed["packages"]:
        assert f"{package['name']} {package['version']} {package['license']}" in told
    assert f"{len(deed['concepts'])}: {deed['concepts'][0]}" in told
    assert f"{len(deed['files'])}, each by its SHA-256" in told
    assert f"{deed['snapshot']['members']:,} pictures" in told
    assert all(duty["text"] in told for duty in deed["snapshot"]["duties"])
    assert "..." not in told.replace(" ... ", "")  # nested values are spelled out


def test_papers_that_contradict_each_other(run: Run, place: Path) -> None:
    code, refused = run("models", "add", "apart")
    assert (code, refused["error"]) == (2, "UsageError")
    assert all(one in refused["message"] for one in ("README.md", "LICENSE.txt", "MIT"))
    assert "Nothing was recorded" in refused["message"]
    word = ("--license", "MIT", "--by", "Ada", "--because", "the card is old")
    code, added = run("models", "add", "apart", *word)
    assert (code, added["license"], added["license_facts"][-1]["where"]) == (0, "MIT", "Ada")
    _, told = run("models", "show", "apart", text=True)
    assert "Ada says 'MIT': MIT; its words, because the card is old" in told
    shutil.move(place / "apart", place / "moved")
    code, document = run("audit")
    assert (code, document["problems"][0]["kind"]) == (5, "base-missing")
    code, moved = run("models", "add", "moved")
    assert (code, moved["changed"], moved["license"]) == (0, ["moved"], "MIT")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("bare", "--hub", "org/base"),
        ("bare", "--revision", "main"),
        ("bare", "--because", "I say so"),
        ("bare", "--license", "free"),
        ("bare", "--name", "a/b"),
        ("nowhere",),
        ("--hub", "base"),
    ],
)
def test_what_cannot_be_added_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    code, document = run("models", "add", *arguments)
    assert (code, document["schema"]) == (2, "picdeed.error/1")


def test_a_hub_that_nobody_reaches_is_told(place: Path) -> None:
    nobody = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}
    for environment in (nobody, {"HF_HUB_OFFLINE": "1"}):
        # A process of its own: the hub's library reads these once.
        done = subprocess.run(
            [sys.executable, "-m", "picdeed", "models", "add", "--hub", "org/base", "--json"],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(ROOT / "platform"), **environment},
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        document = json.loads(done.stdout)
        assert (done.returncode, document["error"]) == (1, "SourceError")
        assert "Nothing was recorded" in document["message"]
        assert "picdeed models add FOLDER" in document["hint"]
