"""Are the files that ship with picdeed found in a checkout and in a wheel?"""

import shutil
from pathlib import Path

import pytest

from picdeed.core import resources
from picdeed.core.errors import MissingPart

ROOT = Path(__file__).resolve().parents[2]


def test_a_checkout_reads_its_own_folders():
    assert resources.bundled("configs") == ROOT / "configs"


def test_a_missing_part_is_named():
    with pytest.raises(MissingPart, match="'nothing'") as missing:
        resources.bundled("nothing")
    assert missing.value.hint


def place(folder: Path, monkeypatch) -> Path:
    """The package's folder as resources sees it, moved under `folder`."""
    package = folder / "picdeed"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", package)
    return package


def test_a_wheel_reads_its_bundled_copy(tmp_path, monkeypatch):
    package = place(tmp_path / "site-packages", monkeypatch)
    (package / "_bundled/configs").mkdir(parents=True)
    assert resources.bundled("configs") == package / "_bundled/configs"


def test_a_stale_bundled_copy_never_hides_the_checkout(tmp_path, monkeypatch):
    package = place(tmp_path / "platform", monkeypatch)
    (package / "_bundled/configs").mkdir(parents=True)
    (tmp_path / "configs").mkdir()
    (tmp_path / "pyproject.toml").touch()
    assert resources.bundled("configs") == tmp_path / "configs"
    shutil.rmtree(tmp_path / "configs")
    assert resources.bundled("configs") == package / "_bundled/configs"


def test_a_strangers_folder_around_a_wheel_is_never_read(tmp_path, monkeypatch):
    # site-packages inside somebody's project: its `configs` is not ours.
    package = place(tmp_path / "lib/site-packages", monkeypatch)
    (tmp_path / "lib/pyproject.toml").touch()
    (tmp_path / "lib/configs").mkdir()
    (package / "_bundled").mkdir()
    with pytest.raises(MissingPart):
        resources.bundled("configs")
