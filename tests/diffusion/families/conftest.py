"""A tiny base of every family, made once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from picdeed.testing import tiny_model

FAMILIES = ("sd", "sdxl", "sd3", "flux")


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Shared and therefore never written to."""
    place = tmp_path_factory.mktemp("families")
    return {name: tiny_model(place / name, family=name) for name in FAMILIES}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(folders: Mapping[str, Path], family: str) -> Path:
    return folders[family]
