"""Does `--against` tell copies of what is on a list, register nothing, and refuse what is none?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from scenes import COPIES, keep, one_id, register, scene

from picdeed.core.errors import UsageError
from picdeed.flow import pipeline
from picdeed.flow.matched import GRAVITY, Against
from picdeed.flow.revoke import Ground
from picdeed.flow.takeback import read_feed
from picdeed.flow.tombstones import export_tombstones
from picdeed.registry import pictures
from picdeed.registry.codes import PairVerdict
from picdeed.registry.session import Registry
from picdeed.testing import tiny_registry

ROOT = Path(__file__).parents[2]


def ask(registry: Registry, source: str | Path, dataset: str | None = None) -> Against:
    return pipeline.dedup_against(registry, str(source), dataset)[1]


def ids(registry: Registry) -> list[str]:
    with registry.read() as session:
        return pictures.all_ids(session)


@pytest.fixture
def ours(registry: Registry, tmp_path: Path) -> dict[str, str]:
    """Three strangers in the dataset `ours`: ids by name."""
    folder = keep(tmp_path / "ours", one=scene(1), two=scene(2), three=scene(3))
    done = register(registry, folder, "ours")
    return {Path(one.path).stem: one.id for one in done.ingested.pictures}


def test_a_clients_folder_is_compared_and_forgotten(
    registry: Registry, ours: dict[str, str], tmp_path: Path
) -> None:
    theirs = keep(
        tmp_path / "theirs",
        same=scene(1),
        cut=COPIES["mirrored crop"](scene(2)),
        whole=scene(2, (960, 720)),
        stranger=scene(9),
    )
    (theirs / "readme.txt").write_text("a list")
    before = ids(registry)
    found = ask(registry, theirs)
    assert (found.kind, found.compared.pictures, found.compared.listed) == ("files", 3, 4)
    told = [(one.kind, one.picture, Path(one.listed.path or "").stem) for one in found.matches]
    assert told == [("same-pixels", ours["one"], "same"), ("contains", ours["two"], "cut")]
    assert found.matches[0].turn == "none"
    assert found.matches[1].edit
    assert (found.unchecked, ids(registry)) == ((), before)
    assert not list((registry.cache / "corners").glob("*/*")) or len(before) == 3


def test_one_file_and_an_archive_are_lists_too(
    registry: Registry, ours: dict[str, str], tmp_path: Path
) -> None:
    theirs = keep(tmp_path / "theirs", turned=COPIES["mirrored"](scene(3)))
    (match,) = ask(registry, theirs / "turned.png").matches
    assert (match.picture, match.kind, match.turn) == (ours["three"], "near", "flip-left-right")
    with zipfile.ZipFile(tmp_path / "list.zip", "w") as archive:
        archive.write(theirs / "turned.png", "turned.png")
    assert [one.kind for one in ask(registry, tmp_path / "list.zip").matches] == ["near"]


def test_what_cannot_be_decoded_is_listed(
    registry: Registry, ours: dict[str, str], tmp_path: Path
) -> None:
    theirs = keep(tmp_path / "theirs", same=scene(1))
    (theirs / "broken.png").write_text("no picture")
    cut = (theirs / "same.png").read_bytes()
    (theirs / "cut.png").write_bytes(cut[: len(cut) // 2])
    found = ask(registry, theirs)
    assert [one.kind for one in found.matches] == ["same-pixels"]
    assert {(Path(one.path).name, one.reason) for one in found.unchecked} == {
        ("broken.png", "not-a-picture"),
        ("cut.png", "truncated"),
    }


def test_another_dataset_without_a_match_with_itself(
    registry: Registry, ours: dict[str, str], tmp_path: Path
) -> None:
    copies = keep(tmp_path / "bought", cut=COPIES["crop of 30 %"](scene(1)), own=scene(5))
    bought = {
        Path(o.path).stem: o.id for o in register(registry, copies, "bought").ingested.pictures
    }
    (match,) = ask(registry, "bought", "ours").matches
    assert (match.kind, match.picture, match.listed.picture) == (
        "contains", ours["one"], bought["cut"],
    )  # fmt: skip
    (other,) = ask(registry, "ours", "bought").matches
    assert (other.kind, other.picture) == ("crop-of", bought["cut"])
    (whole,) = ask(registry, "bought").matches
    assert whole.picture == ours["one"]
    assert ask(registry, "ours", "ours").matches == ()
    register(registry, tmp_path / "ours", "both")
    assert [one.evidence for one in ask(registry, "both", "ours").matches] == [{"by": "file"}] * 3
    pipeline.decide_pair(registry, ours["one"], bought["cut"], PairVerdict.NOT_A_MATCH)
    assert ask(registry, "bought", "ours").matches == ()


def test_copies_inside_one_dataset_are_told_once(registry: Registry, tmp_path: Path) -> None:
    register(registry, keep(tmp_path / "d", a=scene(1), b=COPIES["mirrored"](scene(1))), "d")
    assert [one.kind for one in ask(registry, "d", "d").matches] == ["near"]


def test_tombstones_are_what_was_revoked_here_and_elsewhere(
    registry: Registry, ours: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="Nothing was revoked here"):
        ask(registry, "tombstones")
    teller = tiny_registry(tmp_path / "teller")
    there = one_id(teller, keep(tmp_path / "w", w=COPIES["mirrored"](scene(2))), "w")
    pipeline.withdraw(teller, there, Ground.TAKEDOWN, effective="2026-01-05")
    feed = export_tombstones(teller, tmp_path / "feed", fingerprints=True).path
    asked = ask(registry, feed)  # nobody trusted it, and nothing of it is kept
    assert (asked.kind, asked.compared.listed) == ("feed", 1)
    (match,) = asked.matches
    assert (match.picture, match.kind, match.listed.seq) == (ours["two"], "near", 1)
    assert (match.evidence["by"], match.evidence["ground"]) == ("code", "takedown")
    assert match.turn == "flip-left-right"
    read_feed(registry, feed, trust=True)
    pipeline.withdraw(registry, ours["one"], Ground.TAKEDOWN)
    copy = one_id(registry, keep(tmp_path / "late", cut=COPIES["crop of 30 %"](scene(1))), "late")
    told = {(one.picture, one.kind) for one in ask(registry, "tombstones").matches}
    assert told == {(ours["two"], "near"), (copy, "crop-of")}
    assert ask(registry, "tombstones", "late").compared.pictures == 1


def test_a_feed_names_the_same_file_by_its_hash(
    registry: Registry, ours: dict[str, str], tmp_path: Path
) -> None:
    teller = tiny_registry(tmp_path / "teller")
    there = one_id(teller, keep(tmp_path / "w", w=scene(2)), "w")
    pipeline.withdraw(teller, there, Ground.ERROR)
    (match,) = ask(registry, export_tombstones(teller, tmp_path / "plain").path).matches
    assert (match.kind, match.distance, match.evidence["by"]) == ("same-pixels", 0.0, "file")


def test_a_list_that_is_none_is_refused(
    registry: Registry, ours: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("neither")
    for source, said in (
        (tmp_path / "nowhere", "is no file or folder, no dataset"),
        (tmp_path / "empty", "holds no picture"),
        (tmp_path / "notes.txt", "neither a picture nor a tombstone feed"),
        ("theirs", "is no file or folder, no dataset"),
    ):
        with pytest.raises(UsageError, match=said) as refused:
            ask(registry, source)
        assert "nothing was compared" in refused.value.message
        assert refused.value.hint
    with pytest.raises(UsageError, match="no dataset 'nobody'"):
        ask(registry, "ours", "nobody")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="2 meanings"):
        ask(registry, "ours")
    assert ask(registry, "./ours").kind == "files"


def test_every_kind_has_its_weight() -> None:
    from picdeed.imaging.verify import PairKind

    assert {*map(str, PairKind)} - {"unrelated"} | {"possible"} == set(GRAVITY)


def test_the_command_says_what_scripts_rely_on(
    registry: Registry, ours: dict[str, str], tmp_path: Path
) -> None:
    theirs = keep(tmp_path / "theirs", same=scene(1))

    def run(*arguments: str) -> tuple[int, Any]:
        command = [sys.executable, "-m", "picdeed", "dedup", *arguments, "--json"]
        environment = {**os.environ, "PICDEED_REGISTRY": str(registry.root)}
        environment["PYTHONPATH"] = str(ROOT / "platform")
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert b"Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout)

    code, document = run("--against", str(theirs))
    assert (code, document["schema"]) == (0, "picdeed.dedup/1")
    assert {"clusters", "review", "pairs", "against"} <= document.keys()
    told = document["against"]
    assert set(told) == {
        "source", "kind", "compared", "matches", "unchecked", "notes",
    }  # fmt: skip
    assert set(told["matches"][0]) == {
        "picture", "listed", "kind", "distance", "turn", "evidence", "edit",
    }  # fmt: skip
    assert told["compared"] == {"pictures": 3, "listed": 1}
    assert Path(told["source"]).is_absolute()
    (theirs / "broken.png").write_text("no picture")
    code, document = run("--against", str(theirs), "ours")
    assert (code, len(document["against"]["unchecked"])) == (6, 1)
    code, document = run("--against", str(tmp_path / "nowhere"))
    assert (code, document["schema"]) == (2, "picdeed.error/1")
    code, document = run()
    assert (code, "against" in document) == (0, False)
