from __future__ import annotations

import dataclasses
import datetime as dt
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from credentials.forging import FORMATS, Forger, decoded, facts, forged, picture

from picdeed.core.errors import IntegrityError, PicdeedError, UsageError
from picdeed.core.ids import sha256
from picdeed.credentials.keys import make_development_identity
from picdeed.credentials.manifest import LINEAGE, lineage, output_manifest
from picdeed.credentials.sign import read_back, sign
from picdeed.credentials.trust import SignerTrust
from picdeed.credentials.verify import Integrity, verify


@pytest.mark.parametrize("media_type", FORMATS)
def test_round_trip(media_type, identity, trust, manifest):
    plain = picture(media_type)
    before = bytes(plain)
    signed = sign(plain, media_type, manifest, identity)
    assert plain == before != signed.data
    assert decoded(signed.data) == decoded(plain)
    assert signed.sha256 == sha256(signed.data)
    found = verify(signed.data, media_type, trust)
    assert found == signed.verified
    assert (found.integrity, found.trust, found.own) == ("intact", "development", True)
    assert found.lineage == lineage(facts())
    assert found.signer == identity.subject == signed.signer
    assert found.serial == identity.serial == signed.serial
    assert found.manifest == signed.manifest
    assert found.problems == ()
    assert len(signed.data) - len(plain) < 10_000


def test_signing_twice_gives_two_manifests(identity, manifest):
    one, two = (sign(picture(), "image/png", manifest, identity) for _ in range(2))
    assert one.manifest != two.manifest


@pytest.mark.parametrize("media_type", ["image/gif", "image/svg+xml", "text/plain", ""])
def test_other_formats_are_refused(media_type, identity, manifest):
    with pytest.raises(UsageError, match="PNG, JPEG and WebP"):
        sign(picture(), media_type, manifest, identity)


@pytest.mark.parametrize(
    "data", [b"", b"no picture", picture()[:200]], ids=("empty", "text", "cut")
)
def test_what_is_no_picture_is_not_signed(data, identity, manifest):
    with pytest.raises(PicdeedError, match="nothing was signed"):
        sign(data, "image/png", manifest, identity)


@pytest.mark.parametrize("media_type", FORMATS)
def test_a_signed_picture_is_not_signed_over(media_type, signed, identity, manifest):
    with pytest.raises(UsageError, match="already carries credentials"):
        sign(signed[media_type], media_type, manifest, identity)


def test_the_wrong_name_of_a_format_never_gives_a_bad_file(identity, trust, manifest):
    try:
        made = sign(picture("image/jpeg"), "image/png", manifest, identity).data
    except PicdeedError:
        return
    assert verify(made, "image/jpeg", trust).integrity is Integrity.INTACT


def test_an_expired_signer_signs_nothing(tmp_path, manifest):
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=400)
    expired = make_development_identity(tmp_path, now=past)
    renewed = make_development_identity(tmp_path)
    with pytest.raises(PicdeedError, match="expired") as caught:
        sign(picture(), "image/png", manifest, expired)
    assert "picdeed init" in caught.value.hint
    assert sign(picture(), "image/png", manifest, renewed).verified.own


def test_a_key_that_does_not_fit_is_caught_by_reading_back(tmp_path, identity, manifest):
    other = make_development_identity(tmp_path)
    wrong = dataclasses.replace(identity, key_pem=other.key_pem)
    with pytest.raises(PicdeedError):
        sign(picture(), "image/png", manifest, wrong)


def test_a_picture_without_lineage_is_not_released(identity, manifest):
    kept = [each for each in manifest["assertions"] if each["label"] != LINEAGE]
    with pytest.raises(IntegrityError, match="lineage"):
        sign(picture(), "image/png", manifest | {"assertions": kept}, identity)


def test_reading_back_finds_another_lineage_signer_and_bytes(tmp_path, identity, manifest):
    data = forged(picture(), "image/png", manifest, identity)
    assert read_back(data, "image/png", manifest, identity).data == data
    with pytest.raises(IntegrityError, match="lineage"):
        read_back(data, "image/png", output_manifest(facts(2)), identity)
    with pytest.raises(IntegrityError, match="another signer"):
        read_back(data, "image/png", manifest, make_development_identity(tmp_path))
    with pytest.raises(IntegrityError, match="altered"):
        read_back(data + b"x", "image/png", manifest, identity)
    with pytest.raises(IntegrityError, match="none"):
        read_back(picture(), "image/png", manifest, identity)


def test_the_same_name_under_another_ca_is_another_signer(identity, manifest):
    double = Forger("picdeed DEVELOPMENT", identity.subject).identity(root_pem=identity.root_pem)
    with pytest.raises(IntegrityError, match="another signer"):
        sign(picture(), "image/png", manifest, double)


def test_a_manifest_that_states_no_making_is_not_released(identity, manifest):
    kept = [each for each in manifest["assertions"] if each["label"] == LINEAGE]
    with pytest.raises(PicdeedError):
        sign(picture(), "image/png", manifest | {"assertions": kept}, identity)


def test_many_threads_sign_their_own_pictures(identity, trust):
    def one(number):
        made = sign(picture(seed=number), "image/png", output_manifest(facts(number)), identity)
        return verify(made.data, "image/png", trust).lineage["output_id"], made.manifest

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(one, range(48)))
    assert [output for output, _ in made] == [facts(number).output_id for number in range(48)]
    assert len({label for _, label in made}) == 48


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_children_sign_and_verify(start, identity, trust, manifest, signed):
    """Also after this process used the library, and while another of its threads does."""
    stop = threading.Event()

    def busy():
        while not stop.is_set():
            verify(signed["image/png"], "image/png", trust)

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        with multiprocessing.get_context(start).Pool(2) as pool:
            jobs = [
                pool.apply_async(sign, (picture(seed=n), "image/png", manifest, identity))
                for n in range(6)
            ]
            checks = [pool.apply_async(verify, (d, m, trust)) for m, d in signed.items()]
            made = [job.get(60) for job in jobs]
            found = [check.get(60) for check in checks]
    finally:
        stop.set()
        thread.join()
    assert all(verify(each.data, "image/png", trust).own for each in made)
    assert {each.trust for each in found} == {SignerTrust.DEVELOPMENT}
