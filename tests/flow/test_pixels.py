"""Is the hash of the pixels there whenever somebody needs it, and computed only then?"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from picdeed.flow import pipeline
from picdeed.flow.dedup import dedup
from picdeed.flow.grounds import Ground
from picdeed.flow.ingest import ingest
from picdeed.flow.pipeline import rules
from picdeed.flow.pixels import hash_pixels, without_pixels
from picdeed.flow.revoke import revoke
from picdeed.flow.takeback import read_feed
from picdeed.flow.tombstones import export_tombstones
from picdeed.imaging.decode import decode, pixels_sha256
from picdeed.registry import ledger, pictures, similar, tombstones
from picdeed.registry.check import check_ledger
from picdeed.registry.heads import load_key
from picdeed.registry.session import Registry
from picdeed.registry.similar import Fingerprint
from picdeed.testing import tiny_pictures, tiny_registry


def ids(registry: Registry) -> list[str]:
    with registry.read() as session:
        return pictures.all_ids(session)


def kept(registry: Registry) -> dict[str, str | None]:
    with registry.read() as session:
        rows = session.scalars(sa.select(Fingerprint)).all()
        return {row.picture_id: row.pixels_sha256 for row in rows}


def seen(registry: Registry, picture: str) -> str:
    return pixels_sha256(decode(registry.blobs.read(picture.removeprefix("img_"))).image)


def events(registry: Registry) -> int:
    with registry.read() as session:
        return ledger.last_event(session)[0]


@pytest.fixture
def feed(filled: Registry, tmp_path: Path) -> Path:
    """One of the eight drawings fell in the registry `filled`."""
    pipeline.withdraw(filled, ids(filled)[0], Ground.TAKEDOWN)
    export_tombstones(filled, tmp_path / "feed")
    return tmp_path / "feed"


def test_nobody_hashes_pixels_at_ingest(filled: Registry) -> None:
    assert set(kept(filled)) == set(ids(filled))
    assert set(kept(filled).values()) == {None}


def test_hashes_are_computed_once_and_kept(filled: Registry) -> None:
    first = ids(filled)[0]
    hash_pixels(filled, [first])
    assert kept(filled)[first] == seen(filled, first)
    assert sum(one is not None for one in kept(filled).values()) == 1
    hash_pixels(filled)
    assert kept(filled) == {one: seen(filled, one) for one in ids(filled)}
    before = events(filled)
    hash_pixels(filled)
    assert events(filled) == before
    assert not check_ledger(filled, None).problems


def test_bytes_that_are_gone_are_passed_over(filled: Registry) -> None:
    lost, broken, *_ = ids(filled)
    filled.blobs.path(lost.removeprefix("img_")).unlink()
    path = filled.blobs.path(broken.removeprefix("img_"))
    path.chmod(0o644)
    path.write_bytes(b"something else")
    hash_pixels(filled)
    assert {one for one, pixels in kept(filled).items() if pixels is None} == {lost, broken}
    with filled.read() as session:
        assert without_pixels(session, ids(filled)) == sorted([lost, broken])
    revoke(filled, rules(), lost, Ground.TAKEDOWN)  # and nothing waits for them for ever
    with filled.read() as session:
        (entry,) = tombstones.entries(session, load_key(filled.ledger_key).public)
    assert entry.pixels_hash is None


def test_what_falls_is_told_by_its_pixels_too(filled: Registry, feed: Path) -> None:
    fallen = ids(filled)[0]
    key = load_key(filled.ledger_key)
    with filled.read() as session:
        (entry,) = tombstones.entries(session, key.public)
    assert entry.pixels_hash == tombstones.salted(entry.salt, seen(filled, fallen))


def test_a_simulated_revocation_hashes_nothing(filled: Registry) -> None:
    pipeline.withdraw(filled, ids(filled)[0], Ground.TAKEDOWN, simulate=True)
    assert set(kept(filled).values()) == {None}


def resaved(filled: Registry, folder: Path) -> Path:
    """The fallen drawing's pixels in another file."""
    folder.mkdir()
    image = decode(filled.blobs.read(ids(filled)[0].removeprefix("img_"))).image
    said = PngInfo()
    said.add_text("Comment", "saved again")
    image.save(folder / "again.png", pnginfo=said)
    return folder


def test_a_feed_finds_pixels_that_came_before_it(
    filled: Registry, feed: Path, tmp_path: Path
) -> None:
    reader = tiny_registry(tmp_path / "reader")
    pipeline.register(reader, resaved(filled, tmp_path / "again"), "mine")
    assert set(kept(reader).values()) == {None}
    done, _ = read_feed(reader, feed, trust=True)
    assert [(match.picture, match.by) for match in done.matches] == [(ids(reader)[0], "pixels")]


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_where_a_feed_is_known_what_comes_is_hashed(
    filled: Registry, feed: Path, tmp_path: Path, form: str
) -> None:
    reader = tiny_registry(tmp_path / "reader")
    read_feed(reader, feed, trust=True)
    folder = resaved(filled, tmp_path / "again")
    with Image.open(folder / "again.png") as image:
        image.convert("RGB").resize((900, 700)).save(folder / f"larger.{form.lower()}", form)
    done = pipeline.register(reader, folder, "mine")
    assert kept(reader) == {one: seen(reader, one) for one in ids(reader)}
    assert sum("revoked in another" in one for one in done.ingested.warnings) == 1


def test_a_feed_that_comes_while_pictures_do_is_heard(
    filled: Registry, feed: Path, tmp_path: Path
) -> None:
    reader = tiny_registry(tmp_path / "reader")
    folder = resaved(filled, tmp_path / "again")
    tiny_pictures(folder / "more", 2)

    def meanwhile(_: str, done: int, __: int) -> None:
        if done == 2:  # the first picture was decoded before anybody knew of a feed
            read_feed(reader, feed, trust=True)

    ingest(reader, rules(), folder, "mine", progress=meanwhile)
    assert kept(reader) == {one: seen(reader, one) for one in ids(reader)}


def test_the_same_pixels_are_found_without_a_hash(registry: Registry, tmp_path: Path) -> None:
    image = Image.radial_gradient("L").resize((700, 500)).convert("RGB")
    image.paste(Image.linear_gradient("L").resize((300, 200)), (50, 60))
    said = PngInfo()
    said.add_text("Author", "somebody")
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.png", pnginfo=said)
    image.save(tmp_path / "c.jpg", quality=90)
    image.save(tmp_path / "d.jpg", quality=90, comment=b"edited")
    for name in ("a.png", "b.png", "c.jpg", "d.jpg"):
        folder = tmp_path / name[0]
        folder.mkdir()
        (tmp_path / name).rename(folder / name)
        ingest(registry, rules(), folder, name[0])
    assert set(kept(registry).values()) == {None}
    dedup(registry)
    with registry.read() as session:
        kinds = sorted(pair.kind for pair in similar.pairs(session))
    assert kinds.count("same-pixels") == 2  # the two PNG, the two JPEG
    assert len(kinds) == 6
