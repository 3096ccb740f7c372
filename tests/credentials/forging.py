"""Real pictures in three formats, facts, and a forger with a CA of their own."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier
from PIL import Image

from picdeed.credentials import authority
from picdeed.credentials.keys import Identity
from picdeed.credentials.manifest import OutputFacts
from picdeed.credentials.native import CLAIM_SIGNING
from picdeed.credentials.sign import _signed_copy

FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


def picture(media_type="image/png", side=96, seed=0):
    """A noisy picture, so that the picture data outweighs the manifest."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, FORMATS[media_type])
    return stream.getvalue()


def facts(number=1, **changes):
    digest = f"{number:064x}"
    known = {
        "title": f"render-{number}.png",
        "output_id": f"out_{digest}",
        "pixel_sha256": digest,
        "prompt_sha256": "ab" * 32,
        "seed": 2**70 + number,
        "base_name": "sprig",
        "base_id": "bas_" + "cd" * 32,
        "base_sha256": "cd" * 32,
        "when": "2026-11-24T03:00:00Z",
        "version": "0.1.0",
        "adapter_id": "adp_" + "ef" * 32,
        "adapter_sha256": "ef" * 32,
        "snapshot_id": "snp_" + "12" * 32,
        "snapshot_root": "12" * 32,
        "licenses": {"CC0-1.0": 61, "CC-BY-4.0": 3},
        "attribution": ("A fern by R. Moss, CC-BY-4.0",),
    }
    return OutputFacts(**(known | changes))


@dataclass
class Forger:
    """Anybody can run a CA: any name, any usage, any dates."""

    organisation: str = "Honest Studio"
    common_name: str = "Honest Signer"
    usage: str = CLAIM_SIGNING
    life: dt.timedelta = dt.timedelta(days=30)

    def __post_init__(self):
        now = dt.datetime.now(dt.UTC)
        root_key, ca_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = self._ca(now, "root", root_key, "root", root_key, below=1)
        self.issuing = self._ca(now, "issuing", ca_key, "root", root_key, below=0)
        self.issuing_key = ca_key

    def identity(self, issuing=None, issuing_key=None, root_pem=None) -> Identity:
        now, key = dt.datetime.now(dt.UTC), ec.generate_private_key(ec.SECP256R1())
        above, above_key = issuing or self.issuing, issuing_key or self.issuing_key
        name = self._name(self.common_name)
        leaf = (
            authority._certificate(name, key.public_key(), above.subject, now, self.life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(authority._usage("digital_signature"), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ObjectIdentifier(each) for each in self.usage.split()]),
                critical=False,
            )
            .add_extension(authority._authority_key(above_key.public_key()), critical=False)
            .sign(above_key, hashes.SHA256())
        )
        return Identity(
            subject=self.common_name,
            development=False,
            serial=f"{leaf.serial_number:x}",
            not_after=leaf.not_valid_after_utc,
            chain_pem=authority.pem(leaf) + authority.pem(above),
            root_pem=root_pem or authority.pem(self.root),
            key_pem=authority.key_pem(key),
        )

    def _ca(self, now, role, key, issuer, issuer_key, *, below):
        return (
            authority._certificate(
                self._name(role), key.public_key(), self._name(issuer), now, dt.timedelta(days=90)
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
            .add_extension(authority._usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(authority._authority_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )

    def _name(self, common_name):
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organisation),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )


def decoded(data):
    """The pixels of a picture, for comparing what signing must not touch."""
    return Image.open(io.BytesIO(data)).tobytes()


def forged(data, media_type, manifest, identity):
    """Signed without picdeed's own refusals and without reading back: what others may write."""
    return _signed_copy(data, media_type, manifest, identity)
