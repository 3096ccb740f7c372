"""What do a file's credentials say, and are its bytes the ones that were signed? No network."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from picdeed.core.limits import DEFAULT, Limits
from picdeed.credentials import judge, wording
from picdeed.credentials.native import c2pa, opened
from picdeed.credentials.trust import SignerTrust, Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from picdeed.credentials.judge import Reading

# The description boxes of a C2PA store, manifest, assertion store, claim and signature: type
# `jumd` and a UUID that only C2PA uses (C2PA 2.4, section 11.1.4). They betray a credential in
# whatever container, also when some of them were damaged.
_UUID_END = b"\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"
_TRACE = re.compile(b"jumdc2(pa|ma|um|cm|as|cl|cs)" + _UUID_END)
_STORE = b"jumdc2pa" + _UUID_END
_REMOTE = "Remote"  # the library gives this refusal no class of its own
_BEFORE_STORE = 12  # the length and type of the box around it, and this box's own length


class Integrity(StrEnum):
    """INTACT: the signed bytes. ALTERED: they or the credential changed. NONE: no credential."""

    INTACT = "intact"
    ALTERED = "altered"
    NONE = "none"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Verified:
    """What can be said. Everything but `statement` is empty unless the file is intact.

    `lineage` is the signer's statement, as they wrote it. `own`: signed under this registry's
    development root, also when the signer has expired since. `serial`: lower-case hex.
    `problems`: C2PA failure codes, for the record.
    """

    integrity: Integrity
    trust: SignerTrust
    statement: str
    signer: str | None = None
    serial: str | None = None
    own: bool = False
    manifest: str | None = None
    lineage: Mapping[str, Any] | None = None
    problems: tuple[str, ...] = ()


def verify(data: bytes, media_type: str | None, trust: Trust, limits: Limits = DEFAULT) -> Verified:
    """Judge a whole file. `media_type` is what its first bytes say, None when they say nothing.

    Never decodes pixels, never goes to the network, raises nothing about the file itself: hostile
    bytes are `unreadable` or `altered`. A readable credential over changed bytes is `altered`,
    whether or not a picture can still be made of them. No credential in bytes of no known
    picture format is `unreadable`; whether an unsigned picture decodes is for the caller to ask.
    Raises MissingPart without the c2pa library, ValueError for roots that are no PEM.
    """
    if not data:
        return _plain(Integrity.UNREADABLE, wording.EMPTY)
    if len(data) > limits.picture_bytes:
        said = wording.TOO_LARGE.format(limit=f"{limits.picture_bytes:,}")
        return _plain(Integrity.UNREADABLE, said)
    module = c2pa()
    try:
        reading = _read(media_type, data, None, trust)
    except module.C2paError as error:
        return _without_reading(data, media_type, error)
    if not judge.is_intact(reading):
        return _plain(Integrity.ALTERED, wording.ALTERED, judge.failures(reading))
    return _intact(reading, trust)


def _read(media_type: str | None, data: bytes, store: bytes | None, trust: Trust) -> Reading:
    with (
        opened(trust.anchors()) as (module, here),
        module.Reader(media_type, io.BytesIO(data), store, context=here) as reader,
    ):
        return judge.reading(reader)


def _without_reading(data: bytes, media_type: str | None, error: Exception) -> Verified:
    """The library found no credential, or stumbled over the file."""
    module = c2pa()
    # Changed bytes may have cost the container its form while the credential is whole.
    if _holds_readable_store(data):
        return _plain(Integrity.ALTERED, wording.ALTERED, (str(error),))
    if media_type is not None and _TRACE.search(data):
        return _plain(Integrity.ALTERED, wording.DAMAGED, (str(error),))
    if media_type is None:
        return _plain(Integrity.UNREADABLE, wording.NO_PICTURE, (str(error),))
    if str(error).startswith(_REMOTE):
        return _plain(Integrity.NONE, wording.REMOTE)
    if isinstance(error, module.C2paError.ManifestNotFound | module.C2paError.NotSupported):
        return _plain(Integrity.NONE, wording.NOTHING)
    return _plain(Integrity.UNREADABLE, wording.NO_PICTURE, (str(error),))


def _holds_readable_store(data: bytes) -> bool:
    at = data.find(_STORE) - _BEFORE_STORE
    if at <= 0:  # at 0 the file is a credential and nothing else
        return False
    store = data[at : at + int.from_bytes(data[at : at + 4], "big")]
    try:
        _read("application/octet-stream", data, store, Trust())
    except c2pa().C2paError:
        return False
    return True


def _intact(reading: Reading, trust: Trust) -> Verified:
    verdict = judge.signer(reading, trust)
    name = wording.printable(reading.signer) or "a signer without a name"
    said = wording.signed(
        verdict.trust,
        name,
        own=verdict.own,
        list_name=trust.list_name(reading.list_uri),
        claim=wording.printable(judge.claim(reading)),
        unclean=verdict.unclean and wording.printable(verdict.unclean),
    )
    return Verified(
        integrity=Integrity.INTACT,
        trust=verdict.trust,
        statement=said,
        signer=name,
        serial=reading.serial,
        own=verdict.own,
        manifest=reading.label,
        lineage=judge.lineage(reading),
        problems=judge.failures(reading),
    )


def _plain(integrity: Integrity, statement: str, problems: tuple[str, ...] = ()) -> Verified:
    shown = tuple(wording.printable(each) for each in problems)
    return Verified(integrity, SignerTrust.NONE, statement, problems=shown)
