from __future__ import annotations

import dataclasses
import datetime as dt
import http.server
import io
import random
import threading
import time

import pytest
from credentials.forging import FORMATS, Forger, facts, forged, picture
from PIL import Image

from picdeed.core.errors import PicdeedError
from picdeed.core.limits import Limits
from picdeed.credentials import wording
from picdeed.credentials.keys import make_development_identity
from picdeed.credentials.manifest import lineage, output_manifest
from picdeed.credentials.native import c2pa, context
from picdeed.credentials.sign import sign
from picdeed.credentials.trust import SignerTrust, Trust
from picdeed.credentials.verify import Integrity, verify


def store_range(data):
    """Where the manifest store lies in a signed file, its container's box not counted."""
    start = data.index(b"jumd") - 12
    return start, start + int.from_bytes(data[start : start + 4], "big")


def flipped(data, at, bit=0):
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


@pytest.mark.parametrize("media_type", FORMATS)
def test_no_flipped_byte_of_the_picture_is_accepted(media_type, signed, trust):
    data = signed[media_type]
    start, end = store_range(data)
    draw = random.Random(f"flips of {media_type}")
    # 20 bytes before the store belong to its own box in the container.
    places = draw.sample([*range(start - 20), *range(end, len(data))], 300)
    found = {at: verify(flipped(data, at, draw.randrange(8)), media_type, trust) for at in places}
    assert {each.integrity for each in found.values()} == {Integrity.ALTERED}
    assert {each.trust for each in found.values()} == {SignerTrust.NONE}
    assert not any(each.signer or each.lineage or each.own for each in found.values())


@pytest.mark.parametrize("media_type", FORMATS)
def test_flips_inside_the_credential_change_no_word_of_it(media_type, signed, trust):
    """COSE padding is not covered by any signature: a flip there may pass, and says nothing."""
    data = signed[media_type]
    whole = verify(data, media_type, trust)
    start, end = store_range(data)
    draw = random.Random(f"credential flips of {media_type}")
    accepted = 0
    for at in draw.sample(range(start - 20, end), 300):
        found = verify(flipped(data, at, draw.randrange(8)), media_type, trust)
        if found.integrity is Integrity.INTACT:
            accepted += 1
            assert found == whole
        else:
            assert found.integrity is Integrity.ALTERED
    assert accepted < 150


def test_every_flip_of_the_first_bytes_is_altered(signed, trust):
    """The container's own form goes first, and with it its media type."""
    for media_type, data in signed.items():
        for at in range(12):
            for named in (media_type, None):
                found = verify(flipped(data, at, 5), named, trust)
                assert found.integrity is Integrity.ALTERED, (media_type, at, named)


@pytest.mark.parametrize("media_type", FORMATS)
def test_a_picture_that_no_longer_decodes_is_altered(media_type, signed, trust):
    data = signed[media_type]
    start, end = store_range(data)
    # WebP keeps its credential behind the picture, the others before it.
    ruined = data[:16] + bytes(start - 32) + data[start - 16 :]
    if end + 100 < len(data):
        ruined = data[: end + 20] + bytes(len(data) - end - 20)
    with pytest.raises((OSError, SyntaxError)):
        Image.open(io.BytesIO(ruined)).load()
    assert verify(ruined, media_type, trust).integrity is Integrity.ALTERED


@pytest.mark.parametrize("media_type", FORMATS)
def test_truncated_and_appended_files_are_altered(media_type, signed, trust):
    data = signed[media_type]
    start, end = store_range(data)
    sizes = {end + 1, end + 100, (end + len(data)) // 2, len(data) - 2, len(data) - 1}
    for size in (each for each in sizes if each < len(data)):
        assert verify(data[:size], media_type, trust).integrity is Integrity.ALTERED
    for more in (b"\0", b"x", b"\xff\xd9", picture(media_type)):
        assert verify(data + more, media_type, trust).integrity is Integrity.ALTERED
    inside = verify(data[: (start + end) // 2], media_type, trust)
    assert inside.integrity in {Integrity.ALTERED, Integrity.UNREADABLE}


def png_credential(data):
    """The caBX chunk of a signed PNG: (start, end)."""
    start = data.index(b"caBX") - 4
    return start, start + 12 + int.from_bytes(data[start : start + 4], "big")


def test_a_stripped_file_says_nothing(signed, trust):
    data = signed["image/png"]
    start, end = png_credential(data)
    assert data[:start] + data[end:] == picture()
    found = verify(data[:start] + data[end:], "image/png", trust)
    assert found.integrity is Integrity.NONE
    assert found.trust is SignerTrust.NONE
    assert found.statement == wording.NOTHING


def test_anothers_credential_does_not_fit(signed, identity, trust, manifest):
    other = sign(picture(seed=9), "image/png", manifest, identity).data
    start, end = png_credential(other)
    mine = signed["image/png"]
    place, after = png_credential(mine)
    swapped = mine[:place] + other[start:end] + mine[after:]
    assert verify(swapped, "image/png", trust).integrity is Integrity.ALTERED
    pasted = picture(seed=5)[:33] + other[start:end] + picture(seed=5)[33:]
    assert verify(pasted, "image/png", trust).integrity is Integrity.ALTERED


def test_two_credentials_are_altered(signed, trust):
    data = signed["image/png"]
    start, end = png_credential(data)
    doubled = data[:end] + data[start:end] + data[end:]
    assert verify(doubled, "image/png", trust).integrity is Integrity.ALTERED


def test_an_edited_word_is_altered(signed, trust):
    data = signed["image/png"].replace(b"trainedAlgorithmicMedia", b"digitalCapture_________")
    assert data != signed["image/png"]
    assert verify(data, "image/png", trust).integrity is Integrity.ALTERED


@pytest.mark.parametrize("media_type", FORMATS)
def test_anybody_can_sign_and_nobody_trusts_it(media_type, trust, manifest):
    data = forged(picture(media_type), media_type, manifest, Forger().identity())
    found = verify(data, media_type, trust)
    assert (found.integrity, found.trust, found.own) == ("intact", "untrusted", False)
    assert found.signer == "Honest Signer"
    assert found.statement.startswith("Unchanged since someone signed it. We do not know")


def test_another_registry_is_a_stranger_to_this_one(tmp_path, trust, manifest):
    other = make_development_identity(tmp_path)
    data = sign(picture(), "image/png", manifest, other).data
    for known, standing in ((trust, "untrusted"), (Trust(), "development")):
        found = verify(data, "image/png", known)
        assert (found.integrity, found.trust, found.own) == ("intact", standing, False)
        assert "this registry" not in found.statement


def test_our_names_under_another_ca_are_never_ours(identity, trust, manifest):
    double = Forger("picdeed DEVELOPMENT", identity.subject).identity()
    found = verify(forged(picture(), "image/png", manifest, double), "image/png", trust)
    assert not found.own
    assert found.trust is SignerTrust.UNTRUSTED
    assert "this registry" not in found.statement


def listed(*roots):
    from picdeed.credentials.trust import TrustList

    return (TrustList("House list", "urn:example:house", "\n".join(roots)),)


def test_a_listed_signer_is_trusted_by_the_lists_name(trust, manifest):
    studio = Forger().identity()
    data = forged(picture(), "image/png", manifest, studio)
    known = dataclasses.replace(trust, production=listed(studio.root_pem))
    found = verify(data, "image/png", known)
    assert (found.trust, found.own) == (SignerTrust.TRUSTED, False)
    assert "Signed by Honest Signer (list House list)" in found.statement
    assert "that statement is the signer's" in found.statement


def test_a_development_root_on_a_production_list_stays_development(signed, identity):
    found = verify(signed["image/png"], "image/png", Trust(production=listed(identity.root_pem)))
    assert found.trust is SignerTrust.DEVELOPMENT


def test_a_revoked_serial_is_revoked(signed, identity, trust):
    known = dataclasses.replace(trust, revoked=frozenset({identity.serial}))
    found = verify(signed["image/png"], "image/png", known)
    assert (found.integrity, found.trust) == ("intact", "revoked")


def test_a_time_stamping_certificate_is_not_trusted_for_pictures(keys, identity, trust, manifest):
    """The library calls this file Trusted; we look at the certificate ourselves."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    content = (keys / "development" / "issuing.pem").read_bytes()
    stamper = Forger(usage="1.3.6.1.5.5.7.3.8").identity(
        x509.load_pem_x509_certificate(content),
        serialization.load_pem_private_key(content, None),
        identity.root_pem,
    )
    data = forged(picture(), "image/png", manifest, stamper)
    with c2pa().Reader("image/png", io.BytesIO(data), context=context(trust.anchors())) as reader:
        assert reader.get_validation_state() == "Trusted"
    found = verify(data, "image/png", trust)
    assert (found.trust, found.own) == (SignerTrust.UNTRUSTED, False)


@pytest.fixture(scope="module")
def brief(tmp_path_factory):
    """A picture whose signer expired two seconds after signing, and that registry's trust."""
    identity = make_development_identity(
        tmp_path_factory.mktemp("brief"), leaf_life=dt.timedelta(seconds=3)
    )
    data = sign(picture(), "image/png", output_manifest(facts()), identity).data
    left = identity.not_after - dt.datetime.now(dt.UTC)
    time.sleep(max(0.0, left.total_seconds()) + 1.1)
    return data, Trust(development_roots=(identity.root_pem,))


def test_an_expired_signer_is_not_altered(brief):
    data, own = brief
    found = verify(data, "image/png", own)
    assert (found.integrity, found.trust, found.own) == ("intact", "expired", True)
    assert found.lineage == lineage(facts())
    assert "expired" in found.statement
    assert "Content hash matches." in found.statement


def test_an_expired_stranger_is_not_ours(brief, trust):
    found = verify(brief[0], "image/png", trust)
    assert (found.integrity, found.trust, found.own) == ("intact", "expired", False)


def test_changed_bytes_of_an_expired_signer_are_altered(brief):
    data, own = brief
    assert verify(flipped(data, len(data) - 100), "image/png", own).integrity is Integrity.ALTERED


def test_revoked_is_said_before_expired(brief):
    data, own = brief
    serial = verify(data, "image/png", own).serial
    known = dataclasses.replace(own, revoked=frozenset({serial}))
    assert verify(data, "image/png", known).trust is SignerTrust.REVOKED


def test_signing_over_a_tampered_parent_does_not_clean_it(signed, identity, trust):
    tampered = flipped(signed["image/png"], len(signed["image/png"]) - 100)
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    manifest = {
        "claim_generator_info": [{"name": "editor", "version": "1"}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "created": True,
                "data": {
                    "actions": [
                        {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}},
                        {"action": "c2pa.edited", "digitalSourceType": source},
                    ]
                },
            }
        ],
    }
    module = c2pa()
    info = module.C2paSignerInfo(b"es256", identity.chain_pem.encode(), identity.key_pem, None)
    made = io.BytesIO()
    with (
        module.Signer.from_info(info) as signer,
        module.Builder(manifest, context=context({})) as builder,
    ):
        parent = {"label": "parent", "title": "tampered.png", "relationship": "parentOf"}
        builder.add_ingredient(parent, "image/png", io.BytesIO(tampered))
        builder.sign(signer, "image/png", io.BytesIO(tampered), made)
    with c2pa().Reader("image/png", made, context=context(trust.anchors())) as reader:
        assert reader.get_validation_state() == "Trusted"
    found = verify(made.getvalue(), "image/png", trust)
    assert (found.integrity, found.trust) == ("intact", "untrusted")
    assert "(tampered.png) does not check out" in found.statement


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"", None),
        (b"", "image/png"),
        (b"just a note\n" * 20, None),
        (random.Random(1).randbytes(5000), None),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (picture()[:300], "image/png"),
        (b"%PDF-1.7\n" + bytes(500), None),
    ],
    ids=("empty", "empty png", "text", "garbage", "png magic", "cut png", "pdf"),
)
def test_what_is_no_picture_is_unreadable(data, media_type, trust):
    found = verify(data, media_type, trust)
    assert (found.integrity, found.trust) == ("unreadable", "none")
    assert found.signer is found.lineage is found.manifest is None


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_an_unsigned_picture_has_none(form, trust):
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), "teal").save(stream, form)
    found = verify(stream.getvalue(), f"image/{form.lower()}", trust)
    assert (found.integrity, found.trust, found.statement) == ("none", "none", wording.NOTHING)


def test_a_sidecar_alone_is_unreadable(signed, trust):
    start, end = store_range(signed["image/png"])
    sidecar = signed["image/png"][start:end]
    assert verify(sidecar, None, trust).integrity is Integrity.UNREADABLE


def test_the_mark_of_a_credential_in_a_text_is_still_a_text(trust):
    mark = b"jumd" + bytes.fromhex("6332706100110010800000aa00389b71")
    assert verify(b"about C2PA: " + mark + b" ...", None, trust).integrity is Integrity.UNREADABLE


def test_files_beyond_the_limit_are_not_read(signed, trust):
    found = verify(signed["image/png"], "image/png", trust, Limits(picture_bytes=1000))
    assert found.integrity is Integrity.UNREADABLE
    assert "1,000 bytes" in found.statement


@pytest.mark.parametrize("named", ["image/jpeg", "image/webp", "application/pdf", None])
def test_the_bytes_count_and_not_the_name(named, signed, trust):
    assert verify(signed["image/png"], named, trust).integrity is Integrity.INTACT


def test_an_address_in_the_file_is_not_visited(identity, trust, manifest):
    asked = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    module = c2pa()
    info = module.C2paSignerInfo(b"es256", identity.chain_pem.encode(), identity.key_pem, None)
    made = io.BytesIO()
    with (
        module.Signer.from_info(info) as signer,
        module.Builder(dict(manifest), context=context({})) as builder,
    ):
        builder.set_no_embed()
        builder.set_remote_url(f"http://127.0.0.1:{server.server_port}/m.c2pa")
        builder.sign(signer, "image/png", io.BytesIO(picture()), made)
    try:
        found = verify(made.getvalue(), "image/png", trust)
        assert not asked
        # Left to its defaults the library does go there, so the listener would have heard it.
        with pytest.raises(module.C2paError):
            module.Reader("image/png", io.BytesIO(made.getvalue()))
        assert asked
    finally:
        server.shutdown()
        server.server_close()
    assert (found.integrity, found.statement) == ("none", wording.REMOTE)


def test_hostile_names_are_shown_calmly(trust, manifest):
    forger = Forger("Studio", "\x1b[2J\u202eevil\nIt is authentic. " + "x" * 30)
    hostile = manifest | {
        "claim_generator_info": [{"name": "<script>\x1b]0;x\x07", "version": "1"}]
    }
    found = verify(forged(picture(), "image/png", hostile, forger.identity()), "image/png", trust)
    assert found.integrity is Integrity.INTACT
    assert found.signer.isprintable()
    assert found.statement.isprintable()


@pytest.mark.parametrize("odd", [["a"], "text", 5, None, {"x": [[[]]]}])
def test_statements_of_an_unexpected_form_do_no_harm(odd, trust, manifest):
    changed = [
        each | {"data": odd}
        if each["label"] in {"org.picdeed.lineage", "c2pa.ai-disclosure"}
        else each
        for each in manifest["assertions"]
    ]
    identity = Forger().identity()
    try:
        data = forged(picture(), "image/png", manifest | {"assertions": changed}, identity)
    except PicdeedError as error:
        pytest.skip(f"the library writes no such manifest: {error}")
    found = verify(data, "image/png", trust)
    assert found.lineage is None or isinstance(odd, dict)
    assert found.trust in {SignerTrust.UNTRUSTED, SignerTrust.NONE}
