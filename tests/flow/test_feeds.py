"""Does a feed with fingerprints find what is cropped, and does a hostile one get nowhere?"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from scenes import COPIES, keep, one_id, register, scene

from picdeed.core.errors import IntegrityError, UsageError
from picdeed.core.ids import canonical_json, hash_json
from picdeed.flow import feeds, pipeline
from picdeed.flow.feeds import SCHEMA_LOOKS, bound, is_feed, whole_feed
from picdeed.flow.revoke import Ground
from picdeed.flow.takeback import erase_picture, read_feed
from picdeed.flow.tombstones import export_tombstones
from picdeed.registry import claims, looks
from picdeed.registry.heads import load_key
from picdeed.registry.session import Registry, open_registry
from picdeed.registry.signed import sign_document
from picdeed.testing import tiny_registry


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that took one picture down, and one for privacy; and its feed."""
    place = tmp_path_factory.mktemp("told")
    registry = tiny_registry(place / "registry")
    work = one_id(registry, keep(place / "work", work=scene(1)), "work")
    private = one_id(registry, keep(place / "private", private=scene(3)), "private")
    pipeline.withdraw(registry, work, Ground.TAKEDOWN, effective="2026-01-05")
    pipeline.withdraw(registry, private, Ground.PRIVACY)
    export_tombstones(registry, place / "feed.jsonl", fingerprints=True)
    registry.close()
    return place


@pytest.fixture
def teller(told: Path, tmp_path: Path) -> Registry:
    shutil.copytree(told / "registry", tmp_path / "teller")
    return open_registry(tmp_path / "teller")


@pytest.fixture
def feed(told: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(told / "feed.jsonl", tmp_path / "feed.jsonl"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def signed_anew(teller: Registry, documents: list[dict[str, Any]], path: Path) -> Path:
    """The documents as their publisher would have written them: chained, bound and signed."""
    whole = hash_json(documents[0])
    for entry in documents[1:-1]:
        whole = entry["whole"] = bound(entry["hash"], entry["looks"], whole)
    last = documents[-2]
    said = {"schema": SCHEMA_LOOKS, "seq": last["seq"], "hash": last["hash"], "whole": whole}
    documents[-1] = sign_document(load_key(teller.ledger_key), said)
    path.write_bytes(b"".join(canonical_json(one) + b"\n" for one in documents))
    return path


def kept(registry: Registry) -> list[int]:
    with registry.read() as session:
        return [row.seq for row in looks.all_looks(session)]


def test_copies_are_found_across_registries_in_any_order(feed: Path, tmp_path: Path) -> None:
    reader = tiny_registry(tmp_path / "reader")
    early = {
        "mirrored": COPIES["mirrored"](scene(1)),
        "cut": COPIES["crop of 30 %"](scene(1)),
        "other": scene(7),
    }
    register(reader, keep(tmp_path / "early", **early), "early")
    done, fell = read_feed(reader, feed, trust=True)
    assert (fell, done.fingerprints, done.notes) == ((), 1, ())
    assert [(one.kind, str(one.certain)) for one in done.alike] in (
        [("near", "copy"), ("possible", "doubt")],
        [("possible", "doubt"), ("near", "copy")],
    )
    # The two are copies of each other, which their pixels say: what binds one binds both.
    assert pipeline.freeze(reader, "early").left_out == {"opt-out": 2}
    late = {edit.replace(" ", "-"): change(scene(1)) for edit, change in COPIES.items()}
    late["stranger"] = scene(8)
    after = register(reader, keep(tmp_path / "late", **late), "late")
    said = {
        one.path.rsplit("/", 1)[-1].removesuffix(".png"): str(after.conclusions[one.id][1]["train"])
        for one in after.ingested.pictures
    }
    assert said.pop("stranger") == "ALLOW"
    # Crops too: their pixels are those of the early copy, which is protected by now.
    assert said == dict.fromkeys(said, "DENY")
    assert any("of feed" in one and "takedown" in one for one in after.ingested.warnings)
    assert pipeline.audit(reader, pipeline.trust_of(reader)).ok
    assert read_feed(reader, feed)[0].alike == ()


def test_without_pixels_a_whole_copy_is_denied_and_a_crop_is_a_doubt(
    feed: Path, tmp_path: Path
) -> None:
    reader = tiny_registry(tmp_path / "reader")
    read_feed(reader, feed, trust=True)
    said = {}
    for edit in ("crop of 30 %", "mirrored crop", "border", "grey"):
        late = keep(tmp_path / edit, copy=COPIES[edit](scene(1)))
        done = pipeline.register(reader, late, edit, dry_run=True)
        assert done.ingested.warnings == ()
        after = register(tiny_copy(reader, tmp_path / f"for {edit}"), late, "late")
        ((_, verdicts),) = after.conclusions.values()
        said[edit] = str(verdicts["train"])
    assert said == {
        "crop of 30 %": "REVIEW", "mirrored crop": "REVIEW", "border": "DENY", "grey": "DENY",
    }  # fmt: skip


def tiny_copy(registry: Registry, to: Path) -> Registry:
    registry.close()
    shutil.copytree(registry.root, to)
    return open_registry(to)


def test_both_kinds_of_one_feed_tell_one_history(
    teller: Registry, feed: Path, tmp_path: Path
) -> None:
    plain = export_tombstones(teller, tmp_path / "plain").path
    bare = [{k: v for k, v in one.items() if k not in ("looks", "whole")} for one in lines(feed)]
    assert bare[1:-1] == lines(plain)[1:-1]
    assert is_feed(plain)
    assert is_feed(feed)
    reader = tiny_registry(tmp_path / "reader")
    for path, fingerprints in ((plain, []), (feed, [1]), (plain, [1]), (feed, [1])):
        read_feed(reader, path, trust=True)
        assert kept(reader) == fingerprints
    again = export_tombstones(teller, tmp_path / "again", fingerprints=True).path
    assert again.read_bytes() == feed.read_bytes()


def test_a_fingerprint_is_not_given_away_for_privacy(
    teller: Registry, feed: Path, tmp_path: Path
) -> None:
    assert [one["looks"] is not None for one in lines(feed)[1:-1]] == [True, False]
    both = export_tombstones(teller, tmp_path / "both", fingerprints=True, privacy_too=True)
    assert both.fingerprints == 2
    reader = tiny_registry(tmp_path / "reader")
    read_feed(reader, both.path, trust=True)
    assert kept(reader) == [1, 2]
    # What was erased has no fingerprint any more, and a newer feed takes it from its readers.
    work = next(one.target for one in _revocations(teller) if one.ground == "takedown")
    erase_picture(teller, work, "her letter")
    newer = export_tombstones(teller, tmp_path / "newer", fingerprints=True, privacy_too=True)
    assert newer.fingerprints == 1
    read_feed(reader, newer.path)
    assert kept(reader) == [2]
    read_feed(reader, both.path)  # an older copy brings nothing back
    assert kept(reader) == [2]
    assert pipeline.audit(reader, pipeline.trust_of(reader)).ok


def _revocations(registry: Registry) -> list[Any]:
    from picdeed.registry import revocations

    with registry.read() as session:
        return revocations.all_revocations(session)


def test_a_feed_of_another_algorithm_is_kept_and_only_its_hashes_compared(
    teller: Registry, feed: Path, tmp_path: Path
) -> None:
    documents = lines(feed)
    documents[1]["looks"]["codes"]["algorithm"] = "pdq256/0"
    path = signed_anew(teller, documents, tmp_path / "old")
    reader = tiny_registry(tmp_path / "reader")
    register(reader, keep(tmp_path / "early", copy=COPIES["mirrored"](scene(1))), "early")
    done, _ = read_feed(reader, path, trust=True)
    assert done.alike == ()
    assert done.notes == (
        "1 of its fingerprints were written with pdq256/0: compared by file and pixels only",
    )
    assert kept(reader) == [1]


def _put(*names: str, value: Any) -> Any:
    def edit(look: dict[str, Any]) -> None:
        for name in names[:-1]:
            look = look[name]
        look[names[-1]] = value

    return edit


HOSTILE = {
    "a short code": _put("codes", "turned", value="00" * 255),
    "a long code": _put("codes", "turned", value="00" * 257),
    "no hex": _put("codes", "turned", value="zz" * 256),
    "capitals": _put("codes", "turned", value="AA" * 256),
    "no text": _put("codes", "turned", value=7),
    "no colours": _put("codes", "colours", value=""),
    "a box without a code": _put("codes", "trim", value="0" * 16),
    "a quality": _put("codes", "quality", value=101),
    "a true quality": _put("codes", "quality", value=True),
    "no algorithm": _put("codes", "algorithm", value=""),
    "half a corner": _put("corners", "places", value="00" * 41),
    "too many corners": _put("corners", "places", value="00" * 40 * 500),
    "something more": _put("codes", "more", value=1),
    "no object": _put("codes", value=[]),
    "no corners": _put("corners", value="none"),
}


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE)
def test_a_malformed_fingerprint_is_refused_even_when_it_is_signed(
    teller: Registry, feed: Path, tmp_path: Path, edit: Any
) -> None:
    documents = lines(feed)
    edit(documents[1]["looks"])
    path = signed_anew(teller, documents, tmp_path / "hostile")
    with pytest.raises(IntegrityError, match="fingerprint of entry 1 is malformed"):
        whole_feed(path)


def test_what_is_larger_than_any_feed_is_not_read(
    teller: Registry, feed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = lines(feed)
    documents[1]["looks"]["corners"]["places"] = "00" * 40 * 100_000
    path = signed_anew(teller, documents, tmp_path / "huge")
    with pytest.raises(UsageError, match="larger than any feed"):
        whole_feed(path)
    monkeypatch.setattr(feeds, "MOST_LOOKS", 0)
    with pytest.raises(UsageError, match="more than 0 fingerprints"):
        whole_feed(feed)


def test_corners_without_size_do_no_harm(teller: Registry, feed: Path, tmp_path: Path) -> None:
    documents = lines(feed)
    places = documents[1]["looks"]["corners"]["places"]
    documents[1]["looks"]["corners"]["places"] = "".join(
        places[at : at + 64] + "0" * 16 for at in range(0, len(places), 80)
    )
    path = signed_anew(teller, documents, tmp_path / "flat")
    reader = tiny_registry(tmp_path / "reader")
    read_feed(reader, path, trust=True)
    done = register(reader, keep(tmp_path / "late", a=scene(1), b=scene(9)), "late")
    said = sorted(str(ver["train"]) for _, ver in done.conclusions.values())
    assert said == ["ALLOW", "DENY"]


EDITS = {
    "a fingerprint": lambda d: d[1]["looks"]["codes"].update(quality=1),
    "a fingerprint gone": lambda d: d[1].update(looks=None),
    "a fingerprint added": lambda d: d[2].update(looks=d[1]["looks"]),
    "the second chain": lambda d: d[1].update(whole="00" * 32),
    "no second chain": lambda d: d[1].pop("whole"),
    "the kind": lambda d: d[0].update(schema="picdeed.tombstones/1"),
    "the head": lambda d: d[-1].update(whole="00" * 32),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edited_feed_with_fingerprints_is_refused(feed: Path, tmp_path: Path, edit: Any) -> None:
    documents = lines(feed)
    edit(documents)
    path = tmp_path / "edited"
    path.write_bytes(b"".join(canonical_json(one) + b"\n" for one in documents))
    with pytest.raises((IntegrityError, UsageError)):
        whole_feed(path)


def test_a_claim_names_the_entry_and_is_a_likeness(feed: Path, tmp_path: Path) -> None:
    reader = tiny_registry(tmp_path / "reader")
    read_feed(reader, feed, trust=True)
    picture = one_id(reader, keep(tmp_path / "late", copy=COPIES["border"](scene(1))), "late")
    with reader.read() as session:
        (row,) = [one for one in claims.of(session, picture) if one.kind == "opt-out"]
    assert (row.source, row.parsed) == ("likeness", "copy-of-revoked-elsewhere")
    assert "entry 1 of feed" in row.raw
