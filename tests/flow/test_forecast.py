"""Is a use lost exactly when the rules, asked about that day, no longer let it pass?"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.forecast import losses
from picdeed.flow.grants import Contract, grant
from picdeed.jobs import launch
from picdeed.registry.session import Registry, open_registry, utc_now
from picdeed.rights.verdict import Use
from picdeed.testing import tiny_pictures, tiny_registry

QUICK = ("steps=1", "batch=1", "rank=1", "warmup_steps=0", "eval_noises=1")
ROW = {"license": "CC-BY-NC-4.0", "author": "The House"}


@dataclass(frozen=True)
class Life:
    place: Path
    adapter: str


@pytest.fixture(scope="module")
def lived_once(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """An adapter from four pictures under a contract without an end that allows training only."""
    place = tmp_path_factory.mktemp("forecast")
    registry = tiny_registry(place / "registry")
    pipeline.register(registry, tiny_pictures(place / "house", 4, ROW), "house")
    allow(registry, place, "house", (Use.TRAIN,), None)
    frozen = pipeline.freeze(registry, "house")
    recipe = load_recipe("demo", QUICK)
    done = pipeline.fine_tune(registry, frozen.snapshot, "sprig", recipe, launch.foreground)
    registry.close()
    return Life(place, done.adapter["id"])


@pytest.fixture
def lived(lived_once: Life, tmp_path: Path) -> Registry:
    shutil.copytree(lived_once.place / "registry", tmp_path / "registry")
    return open_registry(tmp_path / "registry")


def allow(
    registry: Registry, place: Path, target: str, uses: tuple[Use, ...], ends: str | None
) -> None:
    paper = place / "paper.txt"
    paper.write_text("They may.")
    said = Contract("The House", "Us", uses, paper, starts="2020-01-01", ends=ends, survival="no")
    grant(registry, target, said)


def lost(registry: Registry, since: str, until: str) -> list[tuple[str, tuple[str, ...]]]:
    with registry.read() as session:
        found = losses(session, pipeline.rules(), since=since, until=until, known_at=utc_now())
    return [(one.when[:10], one.uses) for one in found]


def test_only_the_uses_that_the_contract_opened_are_lost(lived: Registry, tmp_path: Path) -> None:
    assert lost(lived, "2120", "2130") == []
    allow(lived, tmp_path, "house", (Use.SELL_ADAPTER, Use.SELL_OUTPUTS), "2126-03-02")
    assert lost(lived, "2120", "2130") == [("2126-03-02", ("sell-adapter", "sell-outputs"))]
    assert lost(lived, "2126-03-03", "2130") == []
    assert lost(lived, "2120", "2126-03-02") == []


def test_a_contract_that_follows_takes_the_place_of_the_one_that_ends(
    lived: Registry, tmp_path: Path
) -> None:
    allow(lived, tmp_path, "house", (Use.SELL_ADAPTER,), "2126-03-02")
    allow(lived, tmp_path, "house", (Use.SELL_ADAPTER,), "2127-03-02")
    assert lost(lived, "2120", "2130") == [("2127-03-02", ("sell-adapter",))]


def test_one_picture_is_enough_to_lose_a_use(lived: Registry, tmp_path: Path) -> None:
    allow(lived, tmp_path, "house", (Use.SELL_ADAPTER,), None)
    assert lost(lived, "2120", "2130") == []
    with lived.read() as session:
        from picdeed.registry.pictures import page

        one = page(session).items[0].picture.id
    pipeline.withdraw(lived, one, pipeline.Ground.ERROR)
    # revoked already: the adapter is suspended, and no day to come takes more from it
    assert lost(lived, "2000", "2130") == []
