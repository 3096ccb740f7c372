"""The flow on photographs that nobody here made: Debian's wallpapers, licensed file by file.

`lomiri-wallpapers-16.04` and `-20.04` come with one stanza a file in Debian's copyright format,
whose paths are those of the source package, not of the installed files.
"""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.jobs import launch
from picdeed.registry import claims
from picdeed.registry.session import Registry
from picdeed.rights.verdict import Use
from picdeed.testing import tiny_registry

PACKAGES = ("lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04")
QUICK = ("steps=2", "batch=2", "rank=2", "warmup_steps=0", "eval_noises=1")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages, unpacked; skipped, and said so, where they cannot be downloaded."""
    place = tmp_path_factory.mktemp("debian")
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        pytest.skip("no apt-get here: Debian's photographs cannot be downloaded")
    done = subprocess.run(
        ["apt-get", "download", *PACKAGES], cwd=place, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"Debian's photographs could not be downloaded: {done.stderr[-200:]}")
    for archive in sorted(place.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", archive, place / "root"], check=True)
    return place / "root"


@pytest.fixture(scope="module")
def registered(
    unpacked: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Registry, dict[str, str]]:
    """A registry with both packages' photographs, and each file's concluded licence."""
    registry = tiny_registry(tmp_path_factory.mktemp("photographs") / "registry")
    found = {}
    for package in PACKAGES:
        table = unpacked / "usr" / "share" / "doc" / package / "copyright"
        done = pipeline.register(
            registry, unpacked / "usr" / "share" / "backgrounds", "wallpapers", table=table
        )
        assert done.ingested.refused == ()
        found |= {
            Path(one.path).name: done.conclusions[one.id][0] for one in done.ingested.pictures
        }
    return registry, found


pytestmark = pytest.mark.network


def test_each_photograph_has_its_own_licence_and_author(
    registered: tuple[Registry, dict[str, str]],
) -> None:
    registry, licenses = registered
    counted = Counter(licenses.values())
    assert sum(counted.values()) >= 15
    assert {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"} & set(counted)
    assert "NOASSERTION" not in counted
    assert len(counted) >= 3
    with registry.read() as session:
        from picdeed.registry import pictures

        ids = pictures.all_ids(session)
        said = claims.of_many(session, ids)
    for picture in ids:
        kinds = {claim.kind for claim in said[picture]}
        assert {"license", "author"} <= kinds


def test_from_photograph_to_signed_output(
    registered: tuple[Registry, dict[str, str]],
) -> None:
    registry, _ = registered
    frozen = pipeline.freeze(registry, "wallpapers")
    assert frozen.members >= 15
    gated = pipeline.judge(registry, frozen.snapshot, "sprig", [Use.TRAIN])
    assert gated.verdict == "DUTIES"
    assert any(duty["license"].startswith("CC-BY-") for duty in gated.duties)
    shared = pipeline.judge(registry, frozen.snapshot, "sprig", [Use.SHARE_ADAPTER])
    assert shared.verdict in ("REVIEW", "DENY")  # two share-alikes in one adapter
    trained = pipeline.fine_tune(
        registry, frozen.snapshot, "sprig", load_recipe("demo", QUICK), launch.foreground
    )
    done = pipeline.publish(registry, trained.run, pipeline.Wish("a photograph", steps=2))
    seen = pipeline.verify([done.outputs[0].path], pipeline.trust_of(registry), registry)
    assert (seen.files[0].integrity, seen.files[0].standing) == ("intact", "good")
    assert seen.files[0].lineage["licenses"]
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok
