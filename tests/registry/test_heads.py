"""Does a head vouch for one event only, and are old heads cleared away?"""

from __future__ import annotations

import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from picdeed.core.errors import IntegrityError
from picdeed.registry import heads
from picdeed.registry.heads import Head, create_key, head_files, load_key, parse_head, sign_head


@pytest.fixture
def key(tmp_path):
    return create_key(tmp_path / "ledger.pem")


def test_the_key_is_private_and_lasting(tmp_path, key):
    path = tmp_path / "ledger.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert create_key(path).public == load_key(path).public == key.public
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_that_is_none(tmp_path):
    path = tmp_path / "ledger.pem"
    with pytest.raises(IntegrityError, match="missing"):
        load_key(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(IntegrityError, match="cannot be read"):
        load_key(path)
    other = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - a wrong key
    path.write_bytes(
        other.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(IntegrityError, match="no Ed25519"):
        load_key(path)


def test_a_head_holds_for_its_own_statement_only(key, tmp_path):
    head = sign_head(key, 7, "ab" * 32)
    assert head.holds()
    assert parse_head(head.to_bytes()) == head
    assert sign_head(key, 7, "ab" * 32) == head
    other = create_key(tmp_path / "other.pem")
    for wrong in (
        Head(8, head.hash, head.public_key, head.signature),
        Head(7, "ac" * 32, head.public_key, head.signature),
        Head(7, head.hash, other.public, head.signature),
        Head(7, head.hash, head.public_key, "00" * 64),
        Head(7, head.hash, "zz", "None"),
    ):
        assert not wrong.holds()
    # An event's signature is no head's signature.
    assert not Head(7, head.hash, key.public, key.sign(heads.event_message(head.hash))).holds()


def test_heads_are_kept_sparsely(key, tmp_path):
    folder = tmp_path / "heads"
    for sequence in [*range(990, 1012), 2500, 2501]:
        heads.publish(folder, sign_head(key, sequence, f"{sequence:064x}"))
    kept = [sequence for sequence, _ in head_files(folder)]
    assert kept == [999, 1006, 1007, 1008, 1009, 1010, 1011, 2500, 2501]
    assert heads.newest_head(folder).sequence == 2501


def test_a_head_is_never_replaced_by_another(key, tmp_path):
    heads.publish(tmp_path, sign_head(key, 3, "aa" * 32))
    heads.publish(tmp_path, sign_head(key, 3, "aa" * 32))
    with pytest.raises(IntegrityError, match="another event"):
        heads.publish(tmp_path, sign_head(key, 3, "bb" * 32))
    assert heads.newest_head(tmp_path).hash == "aa" * 32


def test_the_newest_head_must_be_sound(key, tmp_path):
    folder = tmp_path / "heads"
    assert heads.newest_head(folder) is None
    folder.mkdir()
    (folder / "notes.txt").touch()
    assert heads.newest_head(folder) is None
    heads.publish(folder, sign_head(key, 3, "aa" * 32))
    (folder / "head-000000000004.json").write_bytes(sign_head(key, 5, "aa" * 32).to_bytes())
    with pytest.raises(IntegrityError, match="does not fit"):
        heads.newest_head(folder)
    (folder / "head-000000000004.json").write_bytes(b"\xff")
    with pytest.raises(IntegrityError, match="cannot be trusted"):
        heads.newest_head(folder)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"schema":"picdeed.head/1","sequence":true}', b"\xff", b"1e999"]
)
def test_what_is_no_head(data):
    with pytest.raises(ValueError):
        parse_head(data)
