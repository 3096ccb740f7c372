"""The shipped base's deed: the pinned packages, registered again, give its Merkle root."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from picdeed.core.errors import IntegrityError, MissingPart, SourceError
from picdeed.core.resources import bundled
from picdeed.flow.basefiles import read_deed
from picdeed.flow.pretrain import check_deed


def test_the_deed_names_its_snapshot_and_its_sources() -> None:
    deed = read_deed(bundled("models") / "sprig")
    assert deed.license == "Apache-2.0"
    frozen = deed.content["snapshot"]
    assert frozen["id"] == f"snp_{frozen['root']}"
    assert frozen["verdict"] == "DUTIES"
    assert {"train", "share-adapter", "sell-adapter"} <= set(frozen["uses"])
    assert {package["license"] for package in deed.content["packages"]} == {"MIT", "Apache-2.0"}


def test_the_weights_are_those_of_the_deed() -> None:
    from picdeed.diffusion.models import check_base

    folder = bundled("models") / "sprig"
    assert check_base(folder).sha256 == read_deed(folder).sha256


def test_a_broken_deed_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"deed\.json"):
        read_deed(tmp_path)
    (tmp_path / "deed.json").write_text(json.dumps({"name": "x"}))
    with pytest.raises(IntegrityError, match=r"deed\.json"):
        read_deed(tmp_path)


@pytest.mark.soak  # two and a half minutes: 2,183 pictures are drawn, compared and gated
@pytest.mark.network
def test_the_pinned_packages_give_the_shipped_root(tmp_path: Path) -> None:
    recipe = bundled("configs") / "pretrain" / "sprig.toml"
    try:
        found = check_deed(recipe, tmp_path)
    except (MissingPart, SourceError) as error:
        pytest.skip(f"the pinned packages cannot be downloaded: {error.message}")
    assert found.verdict == "DUTIES"
    assert found.root == found.shipped_root
    assert found.same
