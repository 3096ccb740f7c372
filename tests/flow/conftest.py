"""A registry with a few registered drawings; each test gets its own copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from picdeed.flow import pipeline
from picdeed.registry.session import Registry, open_registry
from picdeed.testing import tiny_pictures, tiny_registry

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
