"""Do bytes come back as they went in, and is anything else noticed?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from picdeed.core.errors import IntegrityError
from picdeed.core.ids import sha256
from picdeed.registry import blobs as module
from picdeed.registry.blobs import Blobs, write_atomically


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


def arriving(blobs):
    return list((blobs.root / "arriving").glob("*"))


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
def test_round_trip(blobs, data):
    digest = blobs.put(data)
    assert digest == sha256(data)
    assert blobs.read(digest) == data
    assert blobs.exists(digest)
    assert blobs.verify(digest)
    assert blobs.path(digest) == blobs.root / digest[:2] / digest[2:4] / digest
    assert arriving(blobs) == []


def test_a_file_is_copied_in(blobs, tmp_path):
    source = tmp_path / "picture.png"
    source.write_bytes(b"bytes" * 1000)
    digest = blobs.put_file(source)
    assert blobs.read(digest) == source.read_bytes()
    assert blobs.put_file(source) == digest
    assert arriving(blobs) == []
    assert list(blobs.digests()) == [digest]


def test_known_bytes_are_not_written_again(blobs):
    path = blobs.path(blobs.put(b"x"))
    before = path.stat().st_ino
    blobs.put(b"x")
    assert path.stat().st_ino == before


def test_changed_cut_and_missing_bytes_are_noticed(blobs):
    digest = blobs.put(b"right")
    blobs.path(digest).write_bytes(b"wrong")
    assert not blobs.verify(digest)
    with pytest.raises(IntegrityError, match="not what was registered"):
        blobs.read(digest)
    blobs.path(digest).write_bytes(b"ri")
    assert blobs.put(b"right") == digest  # a blob that was cut short is written again
    assert blobs.verify(digest)
    assert blobs.remove(digest)
    assert not blobs.remove(digest)
    assert not blobs.exists(digest)
    assert not blobs.verify(digest)
    with pytest.raises(IntegrityError, match="missing"):
        blobs.read(digest)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "AB" * 32, "g" * 64, "0" * 63])
def test_only_a_digest_names_a_blob(blobs, digest):
    with pytest.raises(ValueError):
        blobs.path(digest)


PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(module.__file__).parents[2])!r})
import os, pathlib
from picdeed.registry import blobs
store = blobs.Blobs(pathlib.Path(sys.argv[1]))
"""


def start(blobs, code) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", PROGRAM + code, str(blobs.root)])


def test_several_processes_put_the_same_bytes(blobs):
    code = "for i in range(20): store.put(str(i).encode() * 100_000)"
    several = [start(blobs, code) for _ in range(3)]
    assert [process.wait() for process in several] == [0, 0, 0]
    assert len(list(blobs.digests())) == 20
    assert all(blobs.verify(digest) for digest in blobs.digests())
    assert arriving(blobs) == []


def test_a_kill_leaves_no_half_blob(blobs):
    killed = start(blobs, "blobs.sync = lambda path: os.kill(os.getpid(), 9)\nstore.put(b'x')")
    assert killed.wait() == -9
    assert list(blobs.digests()) == []
    assert blobs.read(blobs.put(b"x")) == b"x"


def test_a_small_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "small.json"
    for data in (b"one", b"two"):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]
