"""What do our certificates look like? X.509 in the shape that C2PA asks of a signer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from picdeed.credentials.native import CLAIM_SIGNING
from picdeed.credentials.trust import DEVELOPMENT

_SKEW = dt.timedelta(hours=1)  # clocks of other machines may be behind ours
_CA_LIFE = dt.timedelta(days=3650)
_NAME_CHARS = 24
# The second is what verifiers ask for that know the specification up to 2.2 only.
_EXTENDED = (ObjectIdentifier(CLAIM_SIGNING), ObjectIdentifier("1.3.6.1.5.5.7.3.36"))
_SIGNING = {ObjectIdentifier(CLAIM_SIGNING), ExtendedKeyUsageOID.EMAIL_PROTECTION}
# Everything that foreign certificates are known to raise when they are looked into.
_UNREADABLE = (
    InvalidSignature,
    TypeError,
    UnsupportedAlgorithm,
    ValueError,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Authority:
    """A root certificate, whose key is gone, and the issuing CA below it with its key."""

    root: x509.Certificate
    issuing: x509.Certificate
    issuing_key: ec.EllipticCurvePrivateKey


def make_authority(name: str, now: dt.datetime) -> Authority:
    """A new two-level development authority, valid for ten years from `now`."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = _name(name, "root", root_key.public_key())
    root = _ca(root_name, root_key.public_key(), root_name, root_key, below=1, now=now)
    issuing_name = _name(name, "issuing CA", key.public_key())
    issuing = _ca(issuing_name, key.public_key(), root_name, root_key, below=0, now=now)
    return Authority(root, issuing, key)


def make_signer(
    issuing: x509.Certificate,
    issuing_key: ec.EllipticCurvePrivateKey,
    name: str,
    now: dt.datetime,
    life: dt.timedelta,
) -> bytes:
    """A new signer's private key and certificate, one PEM after the other."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    certificate = (
        _certificate(_name(name, "signer", public), public, issuing.subject, now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature", "content_commitment"), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_EXTENDED), critical=False)
        .add_extension(_authority_key(issuing_key.public_key()), critical=False)
        .sign(issuing_key, hashes.SHA256())
    )
    return key_pem(key) + pem(certificate).encode()


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` is a CA and its key signed `certificate`; dates are not looked at."""
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(issuer)
    except _UNREADABLE:
        return False
    return constraints.ca


def may_sign_claims(certificate: x509.Certificate) -> bool:
    """Whether the certificate is for claims and not for time stamps.

    The library also takes a time stamp authority's certificate, so we look ourselves.
    """
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except _UNREADABLE:
        return False
    return bool(_SIGNING & set(usage)) and ExtendedKeyUsageOID.TIME_STAMPING not in usage


def pem(certificate: x509.Certificate) -> str:
    """The certificate as PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The private key as unencrypted PKCS#8, the only form that the c2pa library reads."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, or nothing."""
    return _attribute(certificate.subject, NameOID.COMMON_NAME)


def organisation(name: x509.Name) -> str:
    """The name's organisation, or nothing."""
    return _attribute(name, NameOID.ORGANIZATION_NAME)


def _attribute(name: x509.Name, oid: ObjectIdentifier) -> str:
    return next((str(each.value) for each in name.get_attributes_for_oid(oid)), "")


def _name(name: str, role: str, key: ec.EllipticCurvePublicKey) -> x509.Name:
    """Says DEVELOPMENT twice; the digits keep two registries' authorities apart for the eye."""
    plain = "".join(char for char in name if char.isprintable())[:_NAME_CHARS].strip()
    digits = x509.SubjectKeyIdentifier.from_public_key(key).digest.hex()[:8]
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT),
            x509.NameAttribute(
                NameOID.COMMON_NAME, f"{plain or 'picdeed'} DEVELOPMENT {role} {digits}"
            ),
        ]
    )


def _ca(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    below: int,
    now: dt.datetime,
) -> x509.Certificate:
    return (
        _certificate(subject, key, issuer, now, _CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=below), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(_authority_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    now: dt.datetime,
    life: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*granted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in granted for usage in _USAGES})


def _authority_key(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
