"""Is a feed verified to the last line, read without a second effect, and obeyed?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import canonical_json, hash_json
from picdeed.flow import pipeline
from picdeed.flow.foreign import matching
from picdeed.flow.revoke import Ground
from picdeed.flow.takeback import read_feed
from picdeed.flow.tombstones import export_tombstones, read_tombstones
from picdeed.imaging.decode import decode, pixels_sha256
from picdeed.registry import claims, ledger, pictures, revocations, tombstones
from picdeed.registry.heads import load_key
from picdeed.registry.session import Registry
from picdeed.registry.signed import sign_document
from picdeed.testing import tiny_pictures, tiny_registry


def ids(registry: Registry) -> list[str]:
    with registry.read() as session:
        return pictures.all_ids(session)


def state(registry: Registry, picture: str) -> str:
    with registry.read() as session:
        return pictures.by_ids(session, [picture])[picture].state


@pytest.fixture
def teller(filled: Registry) -> Registry:
    """A registry that took one of its eight drawings down."""
    pipeline.withdraw(filled, ids(filled)[0], Ground.TAKEDOWN, effective="2026-01-05")
    return filled


@pytest.fixture
def feed(teller: Registry, tmp_path: Path) -> Path:
    return export_tombstones(teller, tmp_path / "feed.jsonl").path


@pytest.fixture
def reader(tmp_path: Path) -> Registry:
    """Another registry with the same drawings, one of them in other bytes."""
    registry = tiny_registry(tmp_path / "reader")
    pipeline.register(registry, tiny_pictures(tmp_path / "theirs", 8), "mine")
    return registry


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def write(path: Path, documents: list[dict]) -> Path:
    path.write_bytes(b"".join(canonical_json(one) + b"\n" for one in documents))
    return path


def test_a_feed_is_a_chain_that_names_nobody(teller: Registry, feed: Path) -> None:
    header, entry, head = lines(feed)
    assert header["feed"] == load_key(teller.ledger_key).public
    assert entry["previous"] == hash_json(header)
    assert (entry["seq"], entry["ground"], entry["effective"][:10]) == (1, "takedown", "2026-01-05")
    assert (head["seq"], head["hash"]) == (1, entry["hash"])
    assert ids(teller)[0][4:] not in feed.read_text()


def test_exporting_again_gives_the_same_bytes_and_only_appends(
    teller: Registry, feed: Path, tmp_path: Path
) -> None:
    first = feed.read_bytes()
    assert export_tombstones(teller, tmp_path / "again").path.read_bytes() == first
    pipeline.withdraw(teller, ids(teller)[1], Ground.OPT_OUT)
    longer = export_tombstones(teller, tmp_path / "longer")
    assert longer.entries == 2
    body = first[: first.rindex(b"\n", 0, -1) + 1]
    assert longer.path.read_bytes().startswith(body)


def test_an_empty_feed_can_be_read(filled: Registry, reader: Registry, tmp_path: Path) -> None:
    path = export_tombstones(filled, tmp_path / "empty").path
    assert read_tombstones(reader, path, trust=True).entries == 0
    assert read_tombstones(reader, path).new == 0  # trusted once is trusted


def test_a_feed_is_trusted_once_by_a_person(reader: Registry, feed: Path) -> None:
    with pytest.raises(UsageError, match="Nobody has trusted") as refused:
        read_feed(reader, feed)
    with reader.read() as session:
        assert tombstones.salts(session) == []
    done, _ = read_feed(reader, feed, trust=True)
    assert done.fingerprint in refused.value.message
    assert read_feed(reader, feed)[0].entries == 1


def test_what_a_feed_names_is_opted_out_and_revoked(
    teller: Registry, reader: Registry, feed: Path
) -> None:
    target = ids(teller)[0]
    simulated, none = read_feed(reader, feed, trust=True, simulate=True)
    assert ([m.picture for m in simulated.matches], none) == ([target], ())
    assert state(reader, target) == "good"
    done, fell = read_feed(reader, feed, trust=True)
    assert (done.new, len(fell), state(reader, target)) == (1, 1, "revoked")
    assert (fell[0].ground, fell[0].effective[:10]) == ("takedown", "2026-01-05")
    with reader.read() as session:
        said = [c for c in claims.of(session, target) if c.kind == "opt-out"]
    assert [(c.source, c.parsed) for c in said] == [("site-file", "tombstone")]
    assert "takedown" in said[0].note
    assert done.feed[:16] in said[0].note
    assert pipeline.freeze(reader, "mine").left_out == {"revoked": 1}
    assert pipeline.audit(reader, pipeline.trust_of(reader)).ok


def test_the_same_pixels_in_another_file_are_found(
    teller: Registry, feed: Path, tmp_path: Path
) -> None:
    registry = tiny_registry(tmp_path / "other")
    data = teller.blobs.read(ids(teller)[0][4:])
    folder = tmp_path / "recoded"
    folder.mkdir()
    (folder / "x.png").write_bytes(data)
    with Image.open(folder / "x.png") as image:
        image.save(folder / "x.png", compress_level=1)
    pipeline.register(registry, folder, "mine")
    assert ids(registry) != ids(teller)[:1]
    done, fell = read_feed(registry, feed, trust=True)
    assert [match.by for match in done.matches] == ["pixels"]
    assert state(registry, ids(registry)[0]) == "revoked"
    assert len(fell) == 1


def test_reading_again_or_an_older_copy_has_no_second_effect(
    teller: Registry, reader: Registry, feed: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copy(feed, tmp_path / "old"))
    pipeline.withdraw(teller, ids(teller)[1], Ground.OPT_OUT)
    newer = export_tombstones(teller, tmp_path / "newer").path
    read_feed(reader, newer, trust=True)
    with reader.read() as session:
        count = ledger.last_event(session)[0]
    for path in (newer, old, newer):
        done, fell = read_feed(reader, path)
        assert (done.new, fell, done.pending) == (0, (), ())
    with reader.read() as session:
        assert ledger.last_event(session)[0] == count


def test_an_interrupted_reading_is_finished_by_the_next(reader: Registry, feed: Path) -> None:
    first = read_tombstones(reader, feed, trust=True)  # and then, say, the power fails
    assert len(first.pending) == 1
    done, fell = read_feed(reader, feed)
    assert (done.new, len(fell)) == (0, 1)
    assert state(reader, fell[0].target) == "revoked"


def resigned(teller: Registry, documents: list[dict]) -> list[dict]:
    """The documents under a new head, signed by the feed's own key."""
    body = documents[:-1]
    last = body[-1]
    seq, digest = last.get("seq", 0), last.get("hash", hash_json(body[0]))
    said = {"schema": documents[0]["schema"], "seq": seq, "hash": digest}
    return [*body, sign_document(load_key(teller.ledger_key), said)]


EDITS = {
    "an entry": lambda d: d[1].update(ground="error"),
    "a hash": lambda d: d[1].update(file_hash="00" * 32),
    "an entry gone": lambda d: d.pop(1),
    "the head gone": lambda d: d.pop(),
    "the head": lambda d: d[2].update(seq=2),
    "the salt": lambda d: d[0].update(salt="00" * 32),
    "the key": lambda d: d[0].update(feed="00" * 32),
    "more behind the head": lambda d: d.append(d[1]),
    "a number": lambda d: d[1].update(seq=True),
    "a line": lambda d: d.insert(1, {"hello": 1}),
    "a date": lambda d: d[1].update(effective="soon"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_feed_is_refused(reader: Registry, feed: Path, edit) -> None:
    documents = lines(feed)
    edit(documents)
    with pytest.raises(IntegrityError, match="Nothing was changed"):
        read_feed(reader, write(feed, documents), trust=True)
    with reader.read() as session:
        assert tombstones.salts(session) == []


def test_another_history_under_the_same_key_is_refused(
    teller: Registry, reader: Registry, feed: Path
) -> None:
    read_feed(reader, feed, trust=True)
    documents = lines(feed)
    entry = tombstones.Entry(**documents[1])
    before = tombstones.header_row(documents[0], at="")
    other = tombstones.next_entry(before, "rev_0", "error", entry.effective, "ab" * 32, None)
    documents[1] = {name: getattr(other, name) for name in documents[1]}
    with pytest.raises(IntegrityError, match="another history"):
        read_feed(reader, write(feed, resigned(teller, documents)))
    # A shorter one is held against what was read, too.
    documents = resigned(teller, [lines(feed)[0], {}])
    documents[0]["created"] = "2020-01-01"
    with pytest.raises(IntegrityError, match="header"):
        read_feed(reader, write(feed, resigned(teller, documents)))


@pytest.mark.parametrize("text", [b"", b"hello\n", b"{}\n", b"[1]\n", b"\xff\xfe\n", b"x" * 5000])
def test_what_is_no_feed_is_told(reader: Registry, tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "feed"
    path.write_bytes(text)
    with pytest.raises(UsageError, match="nothing was changed"):
        read_feed(reader, path, trust=True)
    with pytest.raises(UsageError, match="cannot be read"):
        read_feed(reader, tmp_path / "none", trust=True)


def test_our_own_feed_is_not_read(teller: Registry, feed: Path) -> None:
    with pytest.raises(UsageError, match="own feed"):
        read_feed(teller, feed, trust=True)


def test_what_arrives_later_is_caught(teller: Registry, feed: Path, tmp_path: Path) -> None:
    registry = tiny_registry(tmp_path / "late")
    digest = ids(teller)[0][4:]
    pixels = pixels_sha256(decode(teller.blobs.read(digest)).image)
    with registry.read() as session:
        assert matching(session, digest, pixels) is None
    read_feed(registry, feed, trust=True)
    with registry.read() as session:
        by_file = matching(session, digest)
        by_pixels = matching(session, "00" * 32, pixels)
        assert matching(session, "00" * 32, "11" * 32) is None
    assert "the same file" in by_file.note
    assert "the same pixels" in by_pixels.note
    with teller.read() as session:  # our own feed counts too
        assert matching(session, "00" * 32, pixels).kind == "opt-out"


def test_a_picture_revoked_on_this_ground_is_not_revoked_again(
    teller: Registry, reader: Registry, feed: Path
) -> None:
    pipeline.withdraw(reader, ids(teller)[0], Ground.TAKEDOWN)
    done, fell = read_feed(reader, feed, trust=True)
    assert (len(done.matches), fell) == (1, ())
    with reader.read() as session:
        assert len(revocations.all_revocations(session)) == 1


def test_what_a_feed_revoked_comes_in_denied(feed: Path, tmp_path: Path) -> None:
    late = tiny_registry(tmp_path / "late")
    read_feed(late, feed, trust=True)
    done = pipeline.register(late, tiny_pictures(tmp_path / "later", 8), "mine")
    denied = [key for key, (_, said) in done.conclusions.items() if said["train"] == "DENY"]
    assert len(denied) == 1
    assert any("revoked in another registry" in warning for warning in done.ingested.warnings)
