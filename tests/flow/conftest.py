"""A registry with a few registered drawings; each test gets its own copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from replayable import Ran, make_ran

from picdeed.flow import pipeline
from picdeed.registry.session import Registry, open_registry
from picdeed.testing import tiny_model, tiny_pictures, tiny_registry

DATASET = "drawings"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry."""
    return tiny_registry(tmp_path / "registry")


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("filled")
    registry = tiny_registry(place / "registry")
    pipeline.register(registry, tiny_pictures(place / "pictures"), DATASET)
    registry.close()
    return place


@pytest.fixture
def filled(filled_once: Path, tmp_path: Path) -> Registry:
    """A registry that holds eight CC0 drawings in the dataset `drawings`."""
    shutil.copytree(filled_once / "registry", tmp_path / "registry")
    return open_registry(tmp_path / "registry")


@pytest.fixture(scope="session")
def tiny_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared and therefore never written to."""
    return tiny_model(tmp_path_factory.mktemp("bases") / "tiny")


@pytest.fixture
def make_model(tiny_once: Path, tmp_path: Path) -> Callable[..., Path]:
    """`make_model("name", **{"README.md": "..."})`: a tiny base's folder with these files in it."""

    def made(name: str = "my-style", **files: str) -> Path:
        folder = Path(shutil.copytree(tiny_once, tmp_path / "bases" / name))
        for file, text in files.items():
            (folder / file).write_text(text)
        return folder

    return made


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A registry with a finished run on a tiny base. Shared and therefore never written to."""
    return make_ran(tmp_path_factory.mktemp("ran"))
