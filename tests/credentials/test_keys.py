from __future__ import annotations

import datetime as dt
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509

from picdeed.core.errors import IntegrityError, PicdeedError
from picdeed.credentials.keys import LEAF_LIFE, load_identity, make_development_identity


def files(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "development").iterdir())}


def test_an_identity_says_development_wherever_it_is_shown(keys, identity):
    assert identity.development
    assert "DEVELOPMENT" in identity.subject
    chain = x509.load_pem_x509_certificates((identity.chain_pem + identity.root_pem).encode())
    assert len(chain) == 3
    for certificate in chain:
        for name in (certificate.subject, certificate.issuer):
            assert name.rfc4514_string().count("DEVELOPMENT") == 2


def test_it_lives_for_weeks_but_not_for_ever(identity):
    left = identity.not_after - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=60) < left <= LEAF_LIFE


def test_files_are_the_owners_alone_and_the_roots_key_is_not_among_them(keys):
    folder = keys / "development"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert b"PRIVATE" not in (folder / "root.pem").read_bytes()
    assert [path.name for path in keys.iterdir()] == ["development"]


def test_the_private_key_is_not_shown(identity):
    assert "PRIVATE" not in repr(identity)


def test_making_it_again_changes_nothing(tmp_path):
    first = make_development_identity(tmp_path, "Print Shop")
    before = files(tmp_path)
    assert make_development_identity(tmp_path, "another name") == first == load_identity(tmp_path)
    assert files(tmp_path) == before
    assert first.subject.startswith("Print Shop DEVELOPMENT")


def test_two_at_once_end_with_one_identity(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make_development_identity(tmp_path), range(16)))
    assert len({each.serial for each in made}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["development"]


def test_two_registries_have_two_authorities(tmp_path):
    one, two = (make_development_identity(tmp_path / name) for name in ("a", "b"))
    assert one.root_pem != two.root_pem
    assert one.subject != two.subject


def test_an_ageing_signer_is_renewed_under_the_same_root(tmp_path):
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=80)
    old = make_development_identity(tmp_path, now=start)
    new = make_development_identity(tmp_path)
    assert new.serial != old.serial
    assert new.root_pem == old.root_pem
    assert new.not_after - dt.datetime.now(dt.UTC) > dt.timedelta(days=89)
    assert len(files(tmp_path)) == 3


def test_a_strange_name_still_makes_certificates(tmp_path):
    name = "\x1b[31m\u202eé" + "x" * 300
    identity = make_development_identity(tmp_path, name)
    assert identity.subject.isprintable()
    assert len(identity.subject) <= 64
    assert make_development_identity(tmp_path / "empty", "").subject.startswith("picdeed")


def test_without_one_the_error_says_what_to_do(tmp_path):
    with pytest.raises(PicdeedError, match="No signing identity") as caught:
        load_identity(tmp_path)
    assert "picdeed init" in caught.value.hint


@pytest.mark.parametrize("file", ["root.pem", "issuing.pem", "signer.pem"])
@pytest.mark.parametrize("damage", ["garbage", "empty", "binary", "another's"])
def test_broken_files_are_an_integrity_error(tmp_path, file, damage):
    make_development_identity(tmp_path)
    make_development_identity(tmp_path / "other")
    path = tmp_path / "development" / file
    path.write_bytes(
        {
            "garbage": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "empty": b"",
            "binary": b"\xff\xfe\x00" * 50,
            "another's": (tmp_path / "other" / "development" / file).read_bytes(),
        }[damage]
    )
    with pytest.raises(IntegrityError, match="broken"):
        load_identity(tmp_path)


def test_a_key_that_is_not_the_certificates_is_found(tmp_path):
    make_development_identity(tmp_path)
    make_development_identity(tmp_path / "other")
    ours = tmp_path / "development" / "signer.pem"
    theirs = tmp_path / "other" / "development" / "signer.pem"
    key, mark, _ = theirs.read_text().partition("-----BEGIN CERT")
    ours.write_text(key + mark + ours.read_text().partition(mark)[2])
    with pytest.raises(IntegrityError, match="not the one"):
        load_identity(tmp_path)
