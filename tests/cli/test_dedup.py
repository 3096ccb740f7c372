"""What do the options of `dedup` do together, and what does its document say of a model?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from scenes import scene
from tiny_towers import write_tower

from picdeed.cli.app import main
from picdeed.flow import pipeline
from picdeed.testing import tiny_registry


@pytest.fixture
def registry(tmp_path) -> Path:
    made = tiny_registry(tmp_path / "registry")
    folder = tmp_path / "pictures"
    folder.mkdir()
    scene(1).save(folder / "a.png")
    scene(1).resize((240, 180)).save(folder / "b.png")
    pipeline.register(made, folder, "d")
    made.close()
    return tmp_path / "registry"


@pytest.fixture
def call(registry, monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["picdeed", "dedup", *words, "--registry", str(registry)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    return run


def test_the_document_tells_of_the_model_or_null(call, tmp_path):
    code, out = call("d", "--json")
    assert (code, json.loads(out)["embedding"]) == (0, None)
    folder = write_tower(tmp_path / "tower", "dinov2")
    code, out = call("d", "--embedding", str(folder), "--json")
    told = json.loads(out)["embedding"]
    assert code == 0
    assert told["algorithm"].startswith("embed:dinov2:")
    assert (told["model"], told["threshold"], told["pictures"], told["embedded"]) == (
        "dinov2", 0.75, 2, 2,
    )  # fmt: skip
    # The codes were there first.
    assert (told["proposed"], told["looked_at"], told["found"]) == (1, 0, 0)
    code, out = call("d", "--embedding", str(folder), "--embedding-threshold", "0.6")
    assert code == 0
    assert "dinov2 from 0.6 on: 1 pairs" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--embedding-threshold", "0.5"), "stands without --embedding"),
        (("--embedding", ".", "--against", "tombstones"), "--against"),
        (("--embedding", "nowhere"), "nowhere"),
        (("--embedding", ".", "--embedding-threshold", "2"), "no cosine"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(call, words, said):
    code, out = call("d", *words, "--json")
    assert code == 2
    assert said in json.loads(out)["message"]
