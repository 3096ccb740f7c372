"""Who signs here? A development identity: root, issuing CA and signer, made once in a folder."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from picdeed.core.errors import IntegrityError, PicdeedError
from picdeed.credentials import authority
from picdeed.credentials.trust import DEVELOPMENT

LEAF_LIFE = dt.timedelta(days=90)  # the ceiling of the C2PA certificate profile, level 2
RENEW_BEFORE = dt.timedelta(days=14)

_FOLDER = "development"
_ROOT, _ISSUING, _SIGNER = "root.pem", "issuing.pem", "signer.pem"


@dataclass(frozen=True, slots=True)
class Identity:
    """A signer. `chain_pem`: signer, then issuing CA; `serial`: lower-case hex; times are UTC."""

    subject: str
    development: bool
    serial: str
    not_after: dt.datetime
    chain_pem: str
    root_pem: str
    key_pem: bytes = field(repr=False)


def make_development_identity(
    folder: Path,
    name: str = "picdeed",
    *,
    leaf_life: dt.timedelta = LEAF_LIFE,
    now: dt.datetime | None = None,
) -> Identity:
    """The identity in `folder`, made when there is none and renewed in its last two weeks.

    Files are 0600 in `folder`/development/. The root's private key signs the issuing CA once and
    is never written. Two processes may call this at once: one wins, both return the same signer.
    Raises IntegrityError when what lies there does not fit together.
    """
    now = now or dt.datetime.now(dt.UTC)
    place = folder / _FOLDER
    if not place.exists():
        _create(place, name, leaf_life, now)
    elif load_identity(folder).not_after - now < min(RENEW_BEFORE, leaf_life / 2):
        _renew(place, name, leaf_life, now)
    return load_identity(folder)


def load_identity(folder: Path) -> Identity:
    """The identity in `folder`; raises PicdeedError when there is none, IntegrityError when broken.

    An expired signer loads; `sign` refuses it.
    """
    place = folder / _FOLDER
    try:
        signer = (place / _SIGNER).read_bytes()
        issuing = (place / _ISSUING).read_bytes()
        root_pem = (place / _ROOT).read_text("ascii")
    except FileNotFoundError as error:
        raise PicdeedError(
            f"No signing identity in {folder}; nothing was signed.",
            hint="`picdeed init` on this registry makes a development identity.",
        ) from error
    except UnicodeDecodeError as error:
        raise _broken(place, "a file is no PEM text") from error
    return _assemble(place, signer, issuing, root_pem)


def _assemble(place: Path, signer: bytes, issuing: bytes, root_pem: str) -> Identity:
    try:
        key = serialization.load_pem_private_key(signer, password=None)
        leaf = x509.load_pem_x509_certificate(signer)
        middle = x509.load_pem_x509_certificate(issuing)
        root = x509.load_pem_x509_certificate(root_pem.encode())
    except (ValueError, TypeError) as error:
        raise _broken(place, "a key or certificate cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != leaf.public_key():
        raise _broken(place, "the key is not the one in the signer's certificate")
    if not (authority.issued(leaf, middle) and authority.issued(middle, root)):
        raise _broken(place, "the certificates do not form a chain")
    return Identity(
        subject=authority.common_name(leaf),
        development=authority.organisation(leaf.issuer) == DEVELOPMENT,
        serial=f"{leaf.serial_number:x}",
        not_after=leaf.not_valid_after_utc,
        chain_pem=authority.pem(leaf) + authority.pem(middle),
        root_pem=authority.pem(root),
        key_pem=authority.key_pem(key),
    )


def _create(place: Path, name: str, leaf_life: dt.timedelta, now: dt.datetime) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = authority.make_authority(name, now)
    files = {
        _ROOT: authority.pem(made.root).encode(),
        _ISSUING: authority.key_pem(made.issuing_key) + authority.pem(made.issuing).encode(),
        _SIGNER: authority.make_signer(made.issuing, made.issuing_key, name, now, leaf_life),
    }
    waiting = Path(tempfile.mkdtemp(prefix=f".{_FOLDER}-", dir=place.parent))
    try:
        for file, content in files.items():
            _write_secret(waiting / file, content)
        waiting.rename(place)
    except OSError:
        # Another process was first when the folder is there by now; its identity is as good.
        if not place.is_dir():
            raise
    finally:
        shutil.rmtree(waiting, ignore_errors=True)


def _renew(place: Path, name: str, leaf_life: dt.timedelta, now: dt.datetime) -> None:
    issuing = (place / _ISSUING).read_bytes()
    try:
        key = serialization.load_pem_private_key(issuing, password=None)
    except (ValueError, TypeError) as error:
        raise _broken(place, "the issuing key cannot be read") from error
    certificate = x509.load_pem_x509_certificate(issuing)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _broken(place, "the issuing key is of another kind")
    fresh = place / f".{_SIGNER}-{os.getpid()}"
    _write_secret(fresh, authority.make_signer(certificate, key, name, now, leaf_life))
    fresh.replace(place / _SIGNER)


def _write_secret(path: Path, content: bytes) -> None:
    """A new file, readable by its owner alone from its first byte on, and on the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _broken(place: Path, what: str) -> IntegrityError:
    return IntegrityError(
        f"The signing identity in {place} is broken: {what}. Nothing was signed.",
        hint="Bring the folder back from a backup; pictures that it signed still verify.",
    )
