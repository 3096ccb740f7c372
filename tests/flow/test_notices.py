"""Do the notices follow from the rows alone, and does a run keep those of its start?"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import pytest
from PIL import Image

from picdeed.core.errors import IntegrityError, UnknownSubject
from picdeed.core.events import Event
from picdeed.core.ids import sha256, sha256_file
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.plan import NOTICES, read_plan
from picdeed.diffusion.recipe import Recipe, load_recipe
from picdeed.flow import pipeline
from picdeed.flow.claims import Saying, claim
from picdeed.flow.notices import lay_beside, notices, shipped_texts, side_of
from picdeed.jobs import launch
from picdeed.registry import ledger, subjects
from picdeed.registry.pictures import Picture, PictureState, page
from picdeed.registry.session import Registry, open_registry
from picdeed.rights.catalogue import text_digest
from picdeed.rights.claims import ClaimKind
from picdeed.testing import tiny_pictures, tiny_registry

QUICK = ("steps=2", "batch=2", "rank=2", "warmup_steps=0", "eval_noises=1")
BY = {
    "license": "CC-BY-4.0",
    "author": "A. Author",
    "title": "Dusk",
    "source_url": "https://example.org/dusk",
}


def recipe(*changes: str) -> Recipe:
    return load_recipe("demo", [*QUICK, *changes])


@dataclass(frozen=True)
class Life:
    place: Path
    snapshot: str
    run: str
    adapter: str
    outputs: tuple[str, ...]


@pytest.fixture(scope="module")
def lived_once(tmp_path_factory: pytest.TempPathFactory) -> Life:
    place = tmp_path_factory.mktemp("noticed")
    registry = tiny_registry(place / "registry")
    pipeline.register(registry, tiny_pictures(place / "by", 6, BY), "drawings")
    pipeline.register(registry, tiny_pictures(place / "cc0", 3, first=20), "drawings")
    frozen = pipeline.freeze(registry, "drawings")
    trained = pipeline.fine_tune(registry, frozen.snapshot, "sprig", recipe(), launch.foreground)
    wish = pipeline.Wish("a drawing of a star", n=1, steps=1)
    done = pipeline.publish(registry, trained.run, wish, place / "out")
    registry.close()
    outputs = tuple(one.id for one in done.outputs)
    return Life(place, frozen.snapshot, trained.run, trained.adapter["id"], outputs)


@pytest.fixture
def lived(lived_once: Life, tmp_path: Path) -> Registry:
    shutil.copytree(lived_once.place / "registry", tmp_path / "registry")
    return open_registry(tmp_path / "registry")


def text_of(registry: Registry, subject: str) -> str:
    return notices(registry, pipeline.rules(), subject).text.decode()


def first_member(registry: Registry) -> str:
    with registry.read() as session:
        return page(session, license="CC-BY-4.0").items[0].picture.id


def test_a_snapshot_names_every_member_unchanged(lived: Registry, lived_once: Life) -> None:
    found = notices(lived, pipeline.rules(), lived_once.snapshot[:14])
    text = found.text.decode()
    assert found.pictures == 9
    assert text.count("    author: A. Author\n") == 9
    assert text.count("    title: Dusk\n") == 6
    assert text.count("    source: https://example.org/dusk\n") == 6
    assert text.count("    changed: none: frozen unchanged\n") == 9
    assert found.missing == {"holder": 9, "source": 3, "title": 3}
    assert "Base model" not in text
    assert lived.blobs.read(found.sha256) == found.text
    assert sha256(found.text) == found.sha256


def test_an_adapter_says_what_was_learned_from_and_what_only_measured(
    lived: Registry, lived_once: Life
) -> None:
    text = text_of(lived, lived_once.adapter)
    plan = read_plan(pipeline.show(lived, lived_once.run).folder)
    assert text.count("learned from in a run of 2 steps; the adapter's file holds weights") == len(
        plan.members
    )
    assert text.count("held out: measured on, never learned from") == len(plan.held_out) > 0
    assert f"to {side_of(Path(plan.base))} px square" in text
    assert "Trained on pictures of @iconify-json/fluent-emoji" in text
    assert "Licence text: Apache License 2.0" in text


def test_a_run_on_several_crops_says_so_of_what_it_learns_from(
    lived: Registry, lived_once: Life
) -> None:
    asked = pipeline.fine_tune(lived, lived_once.snapshot, "sprig", recipe("crops=3"), None)
    text = text_of(lived, asked.run)
    learned = text.count("in up to 3 places, mirrored too, encoded to latents, learned from")
    measured = text.count("square on white, mirrored too, encoded to latents, held out")
    assert learned + measured == 9
    assert learned > measured > 0


def test_a_run_in_rectangles_speaks_of_no_square_that_pictures_were_fitted_to(
    lived: Registry, lived_once: Life
) -> None:
    asked = pipeline.fine_tune(lived, lived_once.snapshot, "sprig", recipe("buckets=true"), None)
    text = text_of(lived, asked.run)
    side = side_of(Path(read_plan(pipeline.show(lived, lived_once.run).folder).base))
    area = f"a rectangle near its own shape and no larger in area than {side} px square, on white"
    assert text.count(f"changed: resized and cropped to {area}, mirrored too, encoded") == 9
    assert f"to {side} px square" not in text


def test_run_adapter_and_output_have_one_text(lived: Registry, lived_once: Life) -> None:
    texts = {
        text_of(lived, one) for one in (lived_once.run, lived_once.adapter, *lived_once.outputs)
    }
    assert len(texts) == 1


def test_the_same_facts_give_the_same_bytes_in_another_registry(
    lived: Registry, lived_once: Life, tmp_path: Path
) -> None:
    other = tiny_registry(tmp_path / "other")
    # the other way round: what came first must not matter
    pipeline.register(other, lived_once.place / "cc0", "later")
    pipeline.register(other, lived_once.place / "cc0", "drawings")
    pipeline.register(other, lived_once.place / "by", "drawings")
    frozen = pipeline.freeze(other, "drawings")
    assert frozen.snapshot == lived_once.snapshot
    assert text_of(other, frozen.snapshot) == text_of(lived, lived_once.snapshot)


def test_the_adapters_header_names_its_notices(lived: Registry, lived_once: Life) -> None:
    done = pipeline.show(lived, lived_once.run)
    header = load_adapter(done.adapter["path"]).metadata
    beside = done.folder / header["picdeed.notices"]
    assert beside.name == NOTICES
    assert sha256_file(beside) == header["picdeed.notices_sha256"]
    assert lived.blobs.exists(header["picdeed.notices_sha256"])
    assert beside.read_text() == text_of(lived, lived_once.run)


def test_a_run_that_goes_on_keeps_the_notices_of_its_start(
    lived: Registry, lived_once: Life
) -> None:
    asked = pipeline.fine_tune(lived, lived_once.snapshot, "sprig", recipe("steps=3"), None)
    folder = asked.folder

    def stop(folder: Path, *, progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.resume(lived, asked.run, stop)
    before = (folder / NOTICES).read_bytes()
    digest, planned = read_plan(folder).notices_sha256, read_plan(folder).digest()
    assert digest == sha256(before)
    picture = first_member(lived)
    claim(lived, pipeline.rules(), picture, {ClaimKind.TITLE: "Dawn"}, Saying(by="A. Clerk"))
    (folder / NOTICES).unlink()
    done = pipeline.resume(lived, asked.run, launch.foreground)
    assert (folder / NOTICES).read_bytes() == before
    assert read_plan(folder).digest() == planned
    assert load_adapter(done.adapter["path"]).metadata["picdeed.notices_sha256"] == digest
    assert "    title: Dawn\n" in text_of(lived, asked.run)


def test_a_run_from_before_there_were_notices_goes_on_without(
    lived: Registry, lived_once: Life
) -> None:
    asked = pipeline.fine_tune(lived, lived_once.snapshot, "sprig", recipe("steps=1"), None)

    def stop(folder: Path, *, progress: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.resume(lived, asked.run, stop)
    plan = json.loads((asked.folder / "plan.json").read_text())
    del plan["notices_sha256"]
    (asked.folder / "plan.json").write_text(json.dumps(plan))
    (asked.folder / NOTICES).unlink()
    old = read_plan(asked.folder)
    assert "notices_sha256" not in old.content()
    done = pipeline.resume(lived, asked.run, launch.foreground)
    assert read_plan(asked.folder).digest() == old.digest()
    assert "picdeed.notices" not in load_adapter(done.adapter["path"]).metadata
    assert not (asked.folder / NOTICES).exists()


def test_released_pictures_have_their_notices_beside_them(
    lived: Registry, lived_once: Life
) -> None:
    out = lived_once.place / "out"
    assert (out / NOTICES).read_text() == text_of(lived, lived_once.run)


def test_notices_in_a_folder_grow_with_what_it_holds(
    lived: Registry, lived_once: Life, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    wish = pipeline.Wish("a drawing of a moon", steps=1)
    pipeline.publish(lived, "sprig", wish, out)
    alone = (out / NOTICES).read_text()
    assert "Base model: sprig" in alone
    assert "Run:" not in alone
    pipeline.publish(lived, lived_once.run, wish, out)
    both = (out / NOTICES).read_text()
    assert f"Run: {lived_once.run}" in both
    pipeline.publish(lived, "sprig", wish, out)
    assert (out / NOTICES).read_text() == both
    assert [one.name for one in out.iterdir() if one.suffix == ".txt"] == [NOTICES]


def test_somebody_elses_notices_are_left_alone(
    lived: Registry, lived_once: Life, tmp_path: Path
) -> None:
    (tmp_path / NOTICES).write_text("mine")
    ours = lay_beside(lived, lived_once.outputs, tmp_path)
    again = lay_beside(lived, lived_once.outputs, tmp_path)
    assert ours == again != tmp_path / NOTICES
    assert (tmp_path / NOTICES).read_text() == "mine"
    assert ours.read_text() == text_of(lived, lived_once.run)
    assert lay_beside(lived, (), tmp_path / "nowhere") is None


def test_an_erased_member_keeps_its_place_and_nothing_else(
    lived: Registry, lived_once: Life
) -> None:
    erased = first_member(lived)
    with lived.write() as session:
        row = subjects.require(session, Picture, erased)
        row.state = PictureState.ERASED
        ledger.write(session, Event.REVOKE_APPLIED, {}, [row])
    found = notices(lived, pipeline.rules(), lived_once.snapshot)
    text = found.text.decode()
    entry = text[text.index(erased) :].split("\n\n")[0]
    assert "erased" in entry
    assert "A. Author" not in entry
    assert found.missing["erased"] == 1


def test_the_author_of_a_copy_is_named_too(registry: Registry, tmp_path: Path) -> None:
    source = tiny_pictures(tmp_path / "source", 1, {"license": "CC0-1.0"})
    pipeline.register(registry, source, "drawings")
    with Image.open(source / "picture-001.png") as image:
        (tmp_path / "copy").mkdir()
        image.resize((80, 80)).save(tmp_path / "copy" / "small.png")
    row = {"file_name": "small.png", "license": "CC-BY-4.0", "author": "B. Author"}
    (tmp_path / "copy" / "metadata.jsonl").write_text(json.dumps(row))
    pipeline.register(registry, tmp_path / "copy", "others")
    frozen = pipeline.freeze(registry, "drawings")
    text = text_of(registry, frozen.snapshot)
    assert "CC-BY-4.0 AND CC0-1.0 (1)" in text
    assert "    author: B. Author\n" in text


@pytest.mark.parametrize(
    "row", [{"title": ""}, {"title": "t" * 1_000_000}, {"title": "\u202ex\n[2] img_"}]
)
def test_bad_titles_do_no_harm(registry: Registry, tmp_path: Path, row: dict[str, str]) -> None:
    source = tiny_pictures(tmp_path / "source", 1, {"license": "CC-BY-4.0", **row})
    pipeline.register(registry, source, "drawings")
    text = text_of(registry, pipeline.freeze(registry, "drawings").snapshot)
    assert text.count("\n[") == 1
    assert "\u202e" not in text
    assert len(text) < 10_000


@pytest.mark.parametrize("subject", ["snp_00", "img_00", "nobody", "", "dec_1"])
def test_an_unknown_subject_is_named(filled: Registry, subject: str) -> None:
    with pytest.raises(UnknownSubject):
        notices(filled, pipeline.rules(), subject)


def test_a_shipped_text_that_was_edited_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "MIT.txt"
    path.write_text("Permission is granted.")
    terms = pipeline.rules().licenses["MIT"]
    good = replace(terms, text_file=path, text_sha256=text_digest(path.read_text()))
    assert shipped_texts({"MIT": good}) == {"MIT": "Permission is granted."}
    with pytest.raises(IntegrityError, match=r"MIT\.txt"):
        shipped_texts({"MIT": replace(good, text_sha256=text_digest("else"))})
    assert shipped_texts({"MIT": replace(good, text_file=None)}) == {}


def test_the_text_goes_along_where_it_is_shipped(registry: Registry, tmp_path: Path) -> None:
    pipeline.register(registry, tiny_pictures(tmp_path / "mit", 1, {"license": "MIT"}), "drawings")
    frozen = pipeline.freeze(registry, "drawings").snapshot
    path = tmp_path / "MIT.txt"
    path.write_text("Permission is granted.\n")
    known = pipeline.rules()
    mit = replace(known.licenses["MIT"], text_file=path, text_sha256=text_digest(path.read_text()))
    known = replace(known, licenses=MappingProxyType({**known.licenses, "MIT": mit}))
    assert "    Permission is granted.\n" in notices(registry, known, frozen).text.decode()


def test_a_base_that_does_not_say_its_size_is_no_obstacle(tmp_path: Path) -> None:
    assert side_of(tmp_path) is None
    (tmp_path / "unet").mkdir()
    (tmp_path / "vae").mkdir()
    (tmp_path / "unet" / "config.json").write_text('{"sample_size": "x"}')
    (tmp_path / "vae" / "config.json").write_text('{"block_out_channels": [1, 2]}')
    assert side_of(tmp_path) is None
