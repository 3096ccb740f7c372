from __future__ import annotations

import io
import json
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from picdeed.core.errors import PicdeedError, UsageError
from picdeed.flow import pipeline
from picdeed.registry import claims, conclusions, datasets, ledger, pictures
from picdeed.registry.session import Registry
from picdeed.testing import tiny_picture, tiny_pictures


def bomb() -> bytes:
    """A PNG of about 50 kB that promises 20,000 x 20,000 pixels, and keeps the promise."""
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    packed = zlib.compressobj(9)
    row = b"\x00" * 2_501
    body = b"".join(packed.compress(row) for _ in range(20_000)) + packed.flush()
    chunks = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def jpeg(n: int) -> bytes:
    stream = io.BytesIO()
    tiny_picture(n).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def test_bad_files_are_listed_and_the_good_ones_registered(
    registry: Registry, tmp_path: Path
) -> None:
    source = tiny_pictures(tmp_path / "source", 3)
    (source / "text.png").write_text("this is no picture")
    (source / "truncated.jpg").write_bytes(jpeg(40)[:-300])
    (source / "bomb.png").write_bytes(bomb())
    (source / "empty.png").write_bytes(b"")
    (source / "loop.png").symlink_to(source / "loop.png")
    os.mkfifo(source / "pipe.png")
    (source / "notes.txt").write_text("not a would-be picture")
    odd = source / os.fsdecode(b"caf\xe9.png")
    with odd.open("wb") as stream:
        tiny_picture(50).save(stream, "PNG")

    done = pipeline.register(registry, source, "mixed").ingested

    assert done.registered == 4
    refused = {Path(one.path).name: one.reason for one in done.refused}
    assert refused["text.png"] == "not-a-picture"
    assert refused["truncated.jpg"] == "truncated"
    assert refused["bomb.png"] == "too-many-pixels"
    assert refused["empty.png"] == "empty"
    assert refused["pipe.png"] == "not-a-file"
    assert len(refused) == 5
    assert any("%E9" in Path(one.path).name for one in done.pictures)
    limit = next(one.message for one in done.refused if one.path.endswith("bomb.png"))
    assert "178" in limit.replace(",", "").replace("_", "")
    with registry.read() as session:
        assert len(pictures.all_ids(session)) == 4
    assert len(list(registry.blobs.digests())) == 4  # nothing of the refused was kept


def test_repeating_ingest_changes_nothing(registry: Registry, tmp_path: Path) -> None:
    source = tiny_pictures(tmp_path / "source", 4)
    first = pipeline.register(registry, source, "twice").ingested
    with registry.read() as session:
        before = ledger.last_event(session)
    second = pipeline.register(registry, source, "twice").ingested
    with registry.read() as session:
        assert ledger.last_event(session) == before
    assert (first.registered, first.known) == (4, 0)
    assert (second.registered, second.known) == (0, 4)
    assert [one.id for one in first.pictures] == [one.id for one in second.pictures]


def test_an_exact_copy_is_known_and_still_adds_its_claim(
    registry: Registry, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    tiny_picture(1).save(source / "a.png")
    (source / "b.png").write_bytes((source / "a.png").read_bytes())
    rows = [
        {"file_name": "a.png", "license": "CC0-1.0"},
        {"file_name": "b.png", "license": "CC-BY-NC-4.0"},
    ]
    (source / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = pipeline.register(registry, source, "copies")
    assert (done.ingested.registered, done.ingested.known) == (1, 1)
    picture = done.ingested.pictures[0].id
    with registry.read() as session:
        said = {row.raw for row in claims.of(session, picture) if row.kind == "license"}
        assert len(pictures.occurrences(session, picture)) == 2
    assert said == {"CC0-1.0", "CC-BY-NC-4.0"}
    assert done.conclusions[picture][1]["train"] == "DENY"


def test_a_dry_run_tells_what_would_be_concluded(registry: Registry, tmp_path: Path) -> None:
    source = tiny_pictures(tmp_path / "source", 3)
    (source / "picture-003.png").write_bytes((source / "picture-001.png").read_bytes() + b"x")
    first = pipeline.register(registry, source, "d", dry_run=True)
    assert set(first.conclusions) == {found.id for found in first.ingested.pictures}
    real = pipeline.register(registry, source, "d")
    assert first.conclusions == {k: (a, dict(b)) for k, (a, b) in real.conclusions.items()}
    # What is on record counts too: a laxer word does not loosen it.
    stricter = pipeline.register(
        registry, source, "d", given=pipeline.Given(license="CC-BY-NC-4.0"), dry_run=True
    )
    assert {verdicts["train"] for _, verdicts in stricter.conclusions.values()} == {"DENY"}
    with registry.read() as session:
        assert not any(
            "NC" in row.license
            for row in conclusions.conclusions(session, first.conclusions).values()
        )


def test_a_dry_run_writes_nothing(registry: Registry, tmp_path: Path) -> None:
    source = tiny_pictures(tmp_path / "source", 3)
    with registry.read() as session:
        before = ledger.last_event(session)
    done = pipeline.register(registry, source, "dry", dry_run=True).ingested
    assert (done.registered, done.dry_run) == (3, True)
    with registry.read() as session:
        assert ledger.last_event(session) == before
        assert pictures.all_ids(session) == []
    assert list(registry.blobs.digests()) == []


def test_an_unparsable_licence_is_kept_denied_and_warned_of(
    registry: Registry, tmp_path: Path
) -> None:
    source = tiny_pictures(tmp_path / "source", 1, {"license": "CC BY"})
    done = pipeline.register(registry, source, "vague")
    picture = done.ingested.pictures[0].id
    assert done.conclusions[picture][1]["train"] == "DENY"
    assert any("CC BY" in warning for warning in done.ingested.warnings)


def test_strict_refuses_an_unparsable_license_option(registry: Registry, tmp_path: Path) -> None:
    source = tiny_pictures(tmp_path / "source", 1, {})
    with pytest.raises(UsageError, match="nothing was registered"):
        pipeline.register(
            registry, source, "strict", given=pipeline.Given(license="free", strict=True)
        )
    with registry.read() as session:
        assert datasets.all_datasets(session) == []


def test_the_license_option_is_a_claim_of_a_person(registry: Registry, tmp_path: Path) -> None:
    source = tiny_pictures(tmp_path / "source", 1, {})
    evidence = tmp_path / "letter.txt"
    evidence.write_text("You may.")
    given = pipeline.Given(license="CC-BY-4.0", holder="B. Holder", evidence=evidence)
    done = pipeline.register(registry, source, "given", given=given)
    picture = done.ingested.pictures[0].id
    with registry.read() as session:
        said = {row.kind: row for row in claims.of(session, picture)}
    assert (said["license"].source, said["license"].parsed) == ("person", "CC-BY-4.0")
    assert "evidence sha256:" in said["license"].note
    assert said["holder"].raw == "B. Holder"
    assert done.conclusions[picture][1]["train"] == "DUTIES"


@pytest.mark.parametrize("name", ["", "  ", "img_12", "x" * 300])
def test_a_bad_dataset_name_is_refused(registry: Registry, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        pipeline.register(registry, tiny_pictures(tmp_path / "source", 1), name)


def test_a_hugging_face_folder_brings_its_cards_licence(registry: Registry, tmp_path: Path) -> None:
    source = tiny_pictures(tmp_path / "source", 2, {})
    (source / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# Drawings\n")
    done = pipeline.register(registry, source, "card")
    licenses = {license_ for license_, _ in done.conclusions.values()}
    assert licenses == {"CC-BY-4.0"}
    assert Image.open(done.ingested.pictures[0].path).size == (96, 96)


def test_a_table_with_missing_extra_and_duplicate_rows(registry: Registry, tmp_path: Path) -> None:
    """A missing row leaves a picture without a claim, a duplicate binds with both its rows."""
    source = tmp_path / "source"
    source.mkdir()
    for number, name in enumerate("abcd", 1):
        tiny_picture(number).save(source / f"{name}.png")
    (source / "metadata.csv").write_text(
        "file_name,license,author\n"
        "a.png,CC0-1.0,Ada\n"
        "b.png,CC0-1.0,Ben\n"
        "b.png,CC-BY-NC-4.0,Ben\n"
        "d.png,CC BY,Dee\n"
        "elsewhere.png,MIT,Eve\n"
    )
    done = pipeline.register(registry, source, "table")
    names = {Path(found.path).name: found.id for found in done.ingested.pictures}
    verdicts = {name: done.conclusions[identity] for name, identity in names.items()}
    assert verdicts["a.png"][1]["train"] == "ALLOW"
    assert verdicts["b.png"][0] == "CC-BY-NC-4.0 AND CC0-1.0"
    assert verdicts["c.png"][0] == verdicts["d.png"][0] == "NOASSERTION"
    warned = "\n".join(done.ingested.warnings)
    assert "elsewhere.png" in warned
    assert "CC BY" in warned


@pytest.mark.parametrize(
    "table",
    [
        b"file_name,license\na.png\n",
        b"license\nCC0-1.0\n",
        b"file_name,file_name\na.png,a.png\n",
        b'file_name,license\n"a.png,CC0-1.0\n',
        b"\xff\xfe\x00",
    ],
)
def test_a_table_in_doubt_applies_nothing(registry: Registry, tmp_path: Path, table: bytes) -> None:
    source = tmp_path / "source"
    source.mkdir()
    tiny_picture(1).save(source / "a.png")
    (tmp_path / "rows.csv").write_bytes(table)
    with pytest.raises(PicdeedError, match="nothing was registered"):
        pipeline.register(registry, source, "table", table=tmp_path / "rows.csv")
    with registry.read() as session:
        assert pictures.all_ids(session) == []
