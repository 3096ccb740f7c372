"""Does the exported file hold what was asked for, and is no other file ever overwritten?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from picdeed.core.errors import UnknownSubject, UsageError
from picdeed.core.ids import sha256_file
from picdeed.exports.notices import export_notices
from picdeed.flow import pipeline
from picdeed.registry.session import Registry
from picdeed.testing import tiny_pictures, tiny_registry


@pytest.fixture
def frozen(tmp_path: Path) -> tuple[Registry, str]:
    registry = tiny_registry(tmp_path / "registry")
    pipeline.register(registry, tiny_pictures(tmp_path / "pictures", 2), "drawings")
    return registry, pipeline.freeze(registry, "drawings").snapshot or ""


def test_without_a_place_it_goes_into_the_current_folder(
    frozen: tuple[Registry, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, snapshot = frozen
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = export_notices(registry, pipeline.rules(), snapshot[:10])
    assert done.path == tmp_path / "here" / f"NOTICES-{snapshot[:12]}.txt"
    assert done.sha256 == sha256_file(done.path)
    assert (done.subject, done.pictures) == (snapshot, 2)
    assert done.missing == {"holder": 2, "source": 2, "title": 2}
    before = done.path.stat().st_mtime_ns
    assert export_notices(registry, pipeline.rules(), snapshot) == done
    assert done.path.stat().st_mtime_ns == before


def test_a_different_file_is_never_overwritten(
    frozen: tuple[Registry, str], tmp_path: Path
) -> None:
    registry, snapshot = frozen
    place = tmp_path / "NOTICES.txt"
    place.write_text("mine")
    with pytest.raises(UsageError, match=r"NOTICES\.txt holds something else"):
        export_notices(registry, pipeline.rules(), snapshot, place)
    assert place.read_text() == "mine"
    assert not list(tmp_path.glob(".*.part"))


def test_a_json_name_asks_for_the_json_form(frozen: tuple[Registry, str], tmp_path: Path) -> None:
    registry, snapshot = frozen
    done = export_notices(registry, pipeline.rules(), snapshot, tmp_path / "notices.json")
    document = json.loads(done.path.read_bytes())
    assert document["schema"] == "picdeed.notices/1"
    assert len(document["parts"][0]["pictures"]) == 2


def test_a_place_that_is_none_is_refused(frozen: tuple[Registry, str], tmp_path: Path) -> None:
    registry, snapshot = frozen
    with pytest.raises(UsageError, match="no folder"):
        export_notices(registry, pipeline.rules(), snapshot, tmp_path / "missing" / "x.txt")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no plain file"):
        export_notices(registry, pipeline.rules(), snapshot, tmp_path / "link")
    with pytest.raises(UnknownSubject):
        export_notices(registry, pipeline.rules(), "snp_00", tmp_path)
