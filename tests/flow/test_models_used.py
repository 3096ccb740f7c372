"""Can a base that was added be trained on and drawn with, and do its papers go along?"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import pytest

from picdeed.core.errors import MissingPart, RunFailed
from picdeed.core.resources import bundled
from picdeed.diffusion.models import check_base
from picdeed.diffusion.plan import NOTICES
from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.baseviews import show_model
from picdeed.flow.models import add_model
from picdeed.flow.notices import notices, notices_of
from picdeed.jobs import launch
from picdeed.registry import bases, descent, descent_edges
from picdeed.registry.session import Registry, open_registry
from picdeed.rights.catalogue import text_digest
from picdeed.rights.verdict import Use
from picdeed.testing import tiny_model, tiny_pictures, tiny_registry

QUICK = ("steps=2", "batch=2", "rank=2", "warmup_steps=0", "eval_noises=1")
RAIL = "LicenseRef-picdeed-openrail-plus-plus-m-2023-07-26"
RAIL_TEXT = "CreativeML Open RAIL++-M License\ndated July 26, 2023\n\nAttachment A\n"


@dataclass(frozen=True)
class Life:
    place: Path
    snapshot: str
    run: str


@pytest.fixture(scope="module")
def lived_once(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """A tiny base under Open RAIL++-M, an adapter of it, and a picture."""
    place = tmp_path_factory.mktemp("used")
    registry = tiny_registry(place / "registry")
    folder = tiny_model(place / "base")
    (folder / "LICENSE.md").write_text(RAIL_TEXT)
    (folder / "NOTICE").write_text("my-style, tuned by Somebody\n")
    add_model(registry, pipeline.rules(), folder, name="my-style")
    pipeline.register(registry, tiny_pictures(place / "pictures", 8), "drawings")
    frozen = pipeline.freeze(registry, "drawings")
    trained = pipeline.fine_tune(
        registry,
        frozen.snapshot,
        "my-style",
        load_recipe("demo", QUICK),
        launch.foreground,
        uses=[Use.TRAIN, Use.SHARE_ADAPTER],
    )
    pipeline.publish(registry, trained.run, pipeline.Wish("a star", steps=2), place / "out")
    registry.close()
    return Life(place, frozen.snapshot, trained.run)


@pytest.fixture
def lived(lived_once: Life, tmp_path: Path) -> Registry:
    shutil.copytree(lived_once.place / "registry", tmp_path / "registry")
    return open_registry(tmp_path / "registry")


def test_its_papers_go_along(lived: Registry, lived_once: Life) -> None:
    text = (lived_once.place / "out" / NOTICES).read_text()
    assert text == notices(lived, pipeline.rules(), lived_once.run).text.decode()
    assert "Base model: my-style" in text
    assert f"    licence: {RAIL}, https://github.com/Stability-AI" in text
    assert "    its own NOTICE:\n\n    my-style, tuned by Somebody\n" in text
    # known by its title alone: its words are not those that the rules were read from
    assert "Licence text: CreativeML Open RAIL++-M (July 26, 2023)" in text
    assert "It is not included here." in text


def test_a_text_that_is_word_for_word_the_pinned_one_is_passed_on(
    lived: Registry, lived_once: Life
) -> None:
    known = pipeline.rules()
    pinned = {
        name: replace(base, terms=replace(base.terms, text_sha256=text_digest(RAIL_TEXT)))
        for name, base in known.bases.items()
        if base.license == RAIL
    }
    known = replace(known, bases=MappingProxyType({**known.bases, **pinned}))
    text = notices(lived, known, lived_once.run).text.decode()
    assert "    Attachment A\n" in text
    assert "It is not included here." not in text


def test_its_papers_stay_when_its_folder_is_gone(lived: Registry, lived_once: Life) -> None:
    before = notices(lived, pipeline.rules(), lived_once.run).text
    folder = lived_once.place / "base"
    hidden = folder.rename(folder.with_name("hidden"))
    try:
        base = show_model(lived, pipeline.rules(), "my-style")
        found = notices_of(lived, pipeline.rules(), [base.id]).text.decode()
        assert "    my-style, tuned by Somebody\n" in found
        with pytest.raises(MissingPart, match="no longer lies in") as told:
            pipeline.fine_tune(
                lived, lived_once.snapshot, "my-style", load_recipe("demo", [*QUICK, "steps=1"]),
                launch.foreground,
            )  # fmt: skip
        assert told.value.hint.startswith("picdeed models add FOLDER")
        with pytest.raises(MissingPart, match="no longer lies in") as drawn:
            pipeline.publish(lived, "my-style", pipeline.Wish("a moon", steps=1))
        assert drawn.value.hint.startswith("picdeed models add FOLDER")
    finally:
        hidden.rename(folder)
    assert notices(lived, pipeline.rules(), lived_once.run).text == before


def test_changed_weights_train_nothing(lived: Registry, lived_once: Life, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(lived_once.place / "base", tmp_path / "copy"))
    add_model(lived, pipeline.rules(), copy)
    path = copy / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RunFailed, match="not the one that was recorded"):
        pipeline.fine_tune(
            lived, lived_once.snapshot, "my-style", load_recipe("demo", [*QUICK, "steps=1"]),
            launch.foreground,
        )  # fmt: skip


def test_a_base_that_learned_from_a_snapshot_of_here_is_its_child(
    lived: Registry, lived_once: Life, tmp_path: Path
) -> None:
    folder = tiny_model(tmp_path / "own", seed=3)
    said = {"name": "own", "license": "Apache-2.0", "sha256": check_base(folder).sha256}
    deed = json.dumps({**said, "snapshot": {"id": lived_once.snapshot}})
    (folder / "deed.json").write_text(deed)
    own = add_model(lived, pipeline.rules(), folder).model
    assert own.name == "own"
    with lived.write() as session:
        descent_edges.catch_up(session)
        assert own.id in descent.closure(session, [lived_once.snapshot])


def test_the_embedded_base_is_as_it_was(lived: Registry) -> None:
    with lived.read() as session:
        sprig = bases.by_name(session, "sprig")
        text = notices_of(lived, pipeline.rules(), [sprig.id]).text.decode()
    notice = (bundled("models") / "sprig" / "NOTICE").read_text()
    assert all(f"    {line}".rstrip() in text for line in notice.splitlines())
