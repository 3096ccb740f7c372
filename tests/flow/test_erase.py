"""Is nothing left that shows an erased picture, and does everything still verify?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.diffusion.latents import embeddings_of, latents_of
from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.erase import erase
from picdeed.flow.foreign import matching
from picdeed.flow.revoke import Ground
from picdeed.flow.takeback import erase_picture
from picdeed.flow.tombstones import export_tombstones
from picdeed.imaging.decode import decode, pixels_sha256
from picdeed.imaging.fingerprints import ALGORITHM
from picdeed.registry import claims, datasets, erasure, ledger, pictures, similar, snapshots
from picdeed.registry.outputs import Output
from picdeed.registry.session import Registry
from picdeed.testing import tiny_pictures

WHY = "Her letter of 3 March"


@pytest.fixture
def frozen(filled: Registry, tmp_path: Path) -> tuple[Registry, str, str, Path]:
    """(registry, picture, snapshot, run folder): a titled picture in a snapshot and a run."""
    shown = tiny_pictures(
        tmp_path / "one", 1, {"license": "CC0-1.0", "title": "Jane at sea"}, first=40
    )
    picture = pipeline.register(filled, shown, "drawings").ingested.pictures[0].id
    snapshot = pipeline.freeze(filled, "drawings").snapshot
    run = pipeline.fine_tune(filled, snapshot, "sprig", load_recipe("demo", ["steps=2"]), None)
    from picdeed.flow.train import write_plan

    folder = write_plan(filled, run.run)
    return filled, picture, snapshot, folder


def everything_in(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())


def test_nothing_shows_it_any_more_and_everything_verifies(frozen) -> None:
    registry, picture, snapshot, folder = frozen
    cache = registry.cache / "latents"
    for kept in (latents_of(cache, picture), embeddings_of(cache)):
        kept.mkdir(parents=True)
        (kept / "x.safetensors").write_bytes(b"x")
    assert registry.thumbnail(picture[4:]).is_file()
    assert b"drawing 40" in (folder / "plan.json").read_bytes()

    fell, done = erase_picture(registry, picture[:20], WHY)

    assert (fell.ground, fell.applied) == ("privacy", True)
    assert (done.picture, done.copies) == (picture, ())
    assert done.files == 3  # bytes, thumbnail, plan
    assert not registry.blobs.exists(picture[4:])
    assert not registry.thumbnail(picture[4:]).exists()
    assert not latents_of(cache, picture).exists()
    assert not embeddings_of(cache).exists()
    assert b"drawing 40" not in (folder / "plan.json").read_bytes()
    assert b"drawing 1" in (folder / "plan.json").read_bytes()
    with registry.read() as session:
        row = pictures.by_ids(session, [picture])[picture]
        home = datasets.by_name(session, "drawings")
        kept = {m.picture_id: m.caption for m in datasets.members(session, home.id)}
        inside = {m.picture_id: m for m in snapshots.members(session, snapshot)}
        said = claims.of(session, picture)
        marks = [m.picture_id for m in similar.fingerprints(session, ALGORITHM)]
        places = pictures.occurrences(session, picture)
        event = ledger.events(session, kind=Event.ERASE_DONE)
    assert row.state == "erased"
    assert (kept[picture], inside[picture].caption) == (None, None)
    assert inside[picture].caption_sha256
    assert marks
    assert picture not in marks
    assert {p.path for p in places} == {erasure.ERASED}
    words = {c.kind: (c.raw, c.parsed) for c in said}
    assert words["title"] == (erasure.ERASED, None)
    assert words["license"] == ("CC0-1.0", "CC0-1.0")  # describes nobody
    assert json.loads(event[0].payload) == {"picture": picture, "because": WHY}
    audited = pipeline.audit(registry, pipeline.trust_of(registry))
    assert (audited.ok, audited.problems) == (True, ())


def test_the_words_are_gone_from_the_database_too(frozen) -> None:
    registry, picture, _, _ = frozen
    erase_picture(registry, picture, WHY)
    with registry.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    registry.close()
    rows = registry.engine.connect().exec_driver_sql(
        "SELECT count(*) FROM picture_claims WHERE raw LIKE '%Jane%' OR parsed LIKE '%Jane%'"
    )
    assert rows.scalar() == 0


def test_erasing_twice_has_no_second_effect_and_finishes_the_first(frozen) -> None:
    registry, picture, _, _ = frozen
    data = registry.blobs.read(picture[4:])
    erase_picture(registry, picture, WHY)
    with registry.read() as session:
        count = ledger.last_event(session)[0]
    registry.blobs.put(data)  # as if the power had failed before the files were removed
    _, again = erase_picture(registry, picture, WHY)
    assert (again.rows, again.files) == (0, 1)
    assert not registry.blobs.exists(picture[4:])
    with registry.read() as session:
        assert ledger.last_event(session)[0] == count


def test_an_erased_picture_is_known_so_that_it_stays_away(frozen, tmp_path: Path) -> None:
    registry, picture, _, _ = frozen
    pixels = pixels_sha256(decode(registry.blobs.read(picture[4:])).image)
    pipeline.withdraw(registry, picture, Ground.PRIVACY)
    before = export_tombstones(registry, tmp_path / "before").path.read_bytes()
    erase_picture(registry, picture, WHY)
    with registry.read() as session:
        others = pictures.all_ids(session)
        assert erasure.erased(session, others) == {picture}
        # Also under other bytes: the keyed hash of its pixels outlives its fingerprint.
        assert matching(session, "00" * 32, pixels).parsed == "tombstone"
    assert export_tombstones(registry, tmp_path / "after").path.read_bytes() == before


@pytest.mark.parametrize("because", ["", "  "])
def test_a_reason_is_asked_for_before_anything_happens(frozen, because: str) -> None:
    registry, picture, _, _ = frozen
    with pytest.raises(UsageError, match="Say why"):
        erase_picture(registry, picture, because)
    with registry.read() as session:
        assert pictures.by_ids(session, [picture])[picture].state == "good"


def test_what_was_not_revoked_is_not_erased(frozen) -> None:
    registry, picture, _, _ = frozen
    with pytest.raises(UsageError, match="not revoked yet"):
        erase(registry, picture, WHY)
    assert registry.blobs.exists(picture[4:])


def test_a_released_output_is_not_erased_as_a_picture(frozen) -> None:
    registry, picture, _, _ = frozen
    with registry.write() as session:
        base = pipeline.bases.by_name(session, "sprig")
        row = Output(
            id="out_1", base_id=base.id, recipe={}, prompt="", seed=0, pixel_sha256="",
            sha256=picture[4:], state="good", created_at="",
        )  # fmt: skip
        ledger.write(session, Event.GENERATE_DRAWN, {}, [row])
    with pytest.raises(UsageError, match="released output"):
        erase_picture(registry, picture, WHY)
    with registry.read() as session:
        assert pictures.by_ids(session, [picture])[picture].state == "good"


def test_copies_are_named_and_keep_their_bytes(frozen, tmp_path: Path) -> None:
    registry, picture, _, _ = frozen
    from PIL import Image

    folder = tmp_path / "again"
    folder.mkdir()
    shutil.copy(registry.blobs.path(picture[4:]), folder / "copy.png")
    with Image.open(folder / "copy.png") as image:
        image.save(folder / "copy.png", compress_level=1)
    copy = pipeline.register(registry, folder, "drawings").ingested.pictures[0].id
    fell, done = erase_picture(registry, picture, WHY)
    assert done.copies == (copy,)
    assert {one.id for one in fell.impact.pictures} == {picture, copy}
    assert registry.blobs.exists(copy[4:])


def test_erased_bytes_do_not_come_back(filled: Registry, tmp_path: Path) -> None:
    folder = tiny_pictures(tmp_path / "again", 8)
    picture = pipeline.register(filled, folder, "drawings").ingested.pictures[0]
    erase_picture(filled, picture.id, WHY)
    done = pipeline.register(filled, folder, "drawings").ingested
    assert [(one.path, one.reason) for one in done.refused] == [(picture.path, "erased")]
    assert not filled.blobs.exists(picture.sha256)
    assert picture.id not in {found.id for found in done.pictures}
