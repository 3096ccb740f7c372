from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from picdeed.core.errors import UnknownSubject
from picdeed.core.ids import canonical_json, merkle_root, sha256
from picdeed.flow import pipeline
from picdeed.registry import ledger, snapshots
from picdeed.registry.session import Registry
from picdeed.rights.verdict import Use
from picdeed.testing import tiny_picture, tiny_pictures

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"
 plus:DataMining="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"/></rdf:RDF></x:xmpmeta>"""


def test_the_root_is_the_merkle_root_over_sorted_leaves(filled: Registry) -> None:
    done = pipeline.freeze(filled, "drawings")
    assert done.members == 8
    with filled.read() as session:
        members = snapshots.members(session, done.snapshot)
    leaves = sorted(
        canonical_json(
            {
                "caption_sha256": sha256(member.caption.encode()),
                "license": member.license,
                "picture_sha256": member.picture_id[4:],
            }
        )
        for member in members
    )
    assert done.root == merkle_root(leaves)
    assert done.snapshot == f"snp_{done.root}"


def test_the_same_request_is_one_snapshot_and_one_event(filled: Registry) -> None:
    first = pipeline.freeze(filled, "drawings")
    with filled.read() as session:
        before = ledger.last_event(session)
    second = pipeline.freeze(filled, "drawings")
    with filled.read() as session:
        assert ledger.last_event(session) == before
    assert first == second


def test_an_unknown_dataset_is_named(filled: Registry) -> None:
    with pytest.raises(UnknownSubject, match="'nobody'"):
        pipeline.freeze(filled, "nobody")


def test_nobody_left_makes_nothing(registry: Registry, tmp_path: Path) -> None:
    source = tiny_pictures(tmp_path / "source", 3, {})
    pipeline.register(registry, source, "bare")
    done = pipeline.freeze(registry, "bare")
    assert (done.snapshot, done.members, done.left_out) == (None, 0, {"license": 3})
    with registry.read() as session:
        assert snapshots.all_snapshots(session) == []


def write_marked(path: Path, n: int) -> None:
    """A drawing whose file opts out of data mining."""
    image = tiny_picture(n)
    image.save(path, "JPEG", quality=90, xmp=XMP)


def test_each_picture_left_out_counts_once(registry: Registry, tmp_path: Path) -> None:
    source = tiny_pictures(tmp_path / "source", 4)
    extra = [{"file_name": "marked.jpg", "license": "CC0-1.0"}, {"file_name": "bare.png"}]
    write_marked(source / "marked.jpg", 20)
    tiny_picture(21).save(source / "bare.png")
    tiny_picture(1).save(source / "copy.webp", quality=80)
    extra.append({"file_name": "copy.webp", "license": "CC0-1.0", "caption": "a copy"})
    with (source / "metadata.jsonl").open("a") as table:
        table.writelines(json.dumps(row) + "\n" for row in extra)
    pipeline.register(registry, source, "mixed")
    done = pipeline.freeze(registry, "mixed")
    assert done.members == 4
    assert done.left_out == {"opt-out": 1, "license": 1, "duplicate": 1}


@pytest.mark.parametrize("order", ["copy-first", "original-first"])
def test_an_opt_out_in_a_copy_binds_the_original(
    registry: Registry, tmp_path: Path, order: str
) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    copy.mkdir()
    tiny_picture(5).save(original / "picture.png")
    write_marked(copy / "picture.jpg", 5)
    sources = [(copy, "theirs"), (original, "ours")]
    for place, name in sources if order == "copy-first" else reversed(sources):
        pipeline.register(registry, place, name, given=pipeline.Given(license="CC0-1.0"))
    done = pipeline.freeze(registry, "ours")
    assert (done.snapshot, done.left_out) == (None, {"opt-out": 1})


def test_a_stricter_licence_on_a_copy_binds_too(registry: Registry, tmp_path: Path) -> None:
    for name, license_, kind in (("ours", "CC0-1.0", "PNG"), ("theirs", "CC-BY-NC-4.0", "WEBP")):
        place = tmp_path / name
        place.mkdir()
        stream = io.BytesIO()
        tiny_picture(6).save(stream, kind)
        (place / f"picture.{kind.lower()}").write_bytes(stream.getvalue())
        pipeline.register(registry, place, name, given=pipeline.Given(license=license_))
    assert pipeline.freeze(registry, "ours").left_out == {"license": 1}


def test_filters_and_non_commercial_use(registry: Registry, tmp_path: Path) -> None:
    tiny_pictures(tmp_path / "source", 2)
    tiny_pictures(tmp_path / "source", 2, {"license": "CC-BY-NC-4.0", "author": "N. C."}, first=30)
    pipeline.register(registry, tmp_path / "source", "mixed")
    assert pipeline.freeze(registry, "mixed").members == 2
    free = pipeline.Query(commercial=False)
    assert pipeline.freeze(registry, "mixed", free).members == 4
    one = pipeline.Query(license="CC0-1.0")
    assert pipeline.freeze(registry, "mixed", one).left_out == {"filter": 2}
    theirs = pipeline.Query(holder="N. C.", commercial=False, uses=(Use.TRAIN,))
    assert pipeline.freeze(registry, "mixed", theirs).members == 2
    everyone = pipeline.Query(all=True)
    assert pipeline.freeze(registry, "mixed", everyone).members == 4
