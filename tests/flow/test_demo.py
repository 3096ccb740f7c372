"""The demo stops who must be stopped, and the commands by hand give what it gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from picdeed.diffusion.recipe import default_preset, load_recipe
from picdeed.flow import pipeline
from picdeed.flow.demo import DATASET, EACH, SEED, USES
from picdeed.sources.demo_set import Cause, write_demo_pictures
from picdeed.sources.linocut import UNSEEN, caption
from picdeed.testing import tiny_registry

ROOT = Path(__file__).parents[2]


def picdeed(*arguments: str | Path, cwd: Path) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
    done = subprocess.run(
        [sys.executable, "-m", "picdeed", *map(str, arguments), "--json"],
        cwd=cwd,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    place = tmp_path_factory.mktemp("demo")
    return place, picdeed("demo", cwd=place)


def test_the_document(demo: tuple[Path, dict[str, Any]]) -> None:
    place, document = demo
    assert document["schema"] == "picdeed.demo/1"
    assert document["registry"] == str(place / "picdeed-demo-1" / ".picdeed")
    total = len(UNSEEN) * EACH
    assert document["verified"] == {"intact": total, "total": total}
    assert all(Path(one["path"]).is_file() for one in document["outputs"])
    assert document["revoked_impact"]["outputs"] == total
    assert {"ingest", "snapshot", "gate", "train", "generate", "audit"} <= set(document["seconds"])


def test_each_special_picture_is_stopped_by_the_stage_that_should(
    demo: tuple[Path, dict[str, Any]],
) -> None:
    stopped = {row["cause"]: row["by"] for row in demo[1]["stopped"]}
    assert stopped == {
        "exact-copy": "ingest",
        "jpeg-copy": "dedup",
        "webp-copy": "dedup",
        "small-copy": "dedup",
        "opt-out": "license",
        "non-commercial": "license",
        "unlicensed": "license",
    }


def test_the_adapter_learned_what_it_never_saw(demo: tuple[Path, dict[str, Any]]) -> None:
    _, document = demo
    run = picdeed("runs", "show", document["run"], "--registry", document["registry"], cwd=demo[0])
    loss = run["loss"]
    assert loss["adapter"] < 0.9 * loss["base"]
    assert loss["learned"]


def test_the_stages_by_hand_ask_for_the_same_run(
    demo: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, document = demo
    registry = tiny_registry(tmp_path / "registry")
    pictures = write_demo_pictures(tmp_path / "pictures")
    pipeline.register(registry, pictures.folder, DATASET)
    frozen = pipeline.freeze(registry, DATASET, pipeline.Query(uses=USES))
    assert frozen.snapshot == document["snapshot"]
    recipe = load_recipe(default_preset("sprig"))
    asked = pipeline.fine_tune(registry, frozen.snapshot, "sprig", recipe, None, uses=USES)
    assert asked.run == document["run"]


@pytest.mark.soak  # it trains the demo's adapter once more
def test_the_commands_by_hand_give_the_same_ids(
    demo: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, document = demo
    pictures = write_demo_pictures(tmp_path / "pictures")
    picdeed("init", cwd=tmp_path)
    ingested = picdeed("ingest", pictures.folder, "--dataset", DATASET, cwd=tmp_path)
    uses = ",".join(USES)
    frozen = picdeed("snapshot", DATASET, "--for", uses, cwd=tmp_path)
    assert frozen["snapshot"] == document["snapshot"]
    trained = picdeed("train", frozen["snapshot"], "--base", "sprig", "--use", uses, cwd=tmp_path)
    assert trained["adapter"]["id"] == document["adapter"]
    drawn = []
    for word in UNSEEN:
        wish = ("--prompt", caption(word), "-n", str(EACH), "--seed", str(SEED))
        drawn += picdeed("generate", trained["run"], *wish, cwd=tmp_path)["outputs"]
    assert [one["id"] for one in drawn] == [one["id"] for one in document["outputs"]]
    theirs = picdeed(
        "lineage", document["snapshot"], "--depth", "1", "--registry", document["registry"],
        cwd=demo[0],
    )  # fmt: skip
    members = {node["id"] for node in theirs["nodes"] if node["kind"] == "picture"}
    assert members <= {one["id"] for one in ingested["pictures"]}
    assert len(members) == frozen["members"]


@pytest.fixture(scope="module")
def with_all(tmp_path_factory: pytest.TempPathFactory) -> int:
    return members_without(None, tmp_path_factory.mktemp("all"))


def members_without(cause: Cause | None, place: Path) -> int:
    registry = tiny_registry(place / "registry")
    write_demo_pictures(place / "pictures", without=cause)
    pipeline.register(registry, place / "pictures", DATASET)
    return pipeline.freeze(registry, DATASET, pipeline.Query(uses=USES)).members


@pytest.mark.parametrize("cause", list(Cause))
def test_without_its_cause_a_picture_is_a_member(
    cause: Cause, with_all: int, tmp_path: Path
) -> None:
    assert members_without(cause, tmp_path) == with_all + 1
