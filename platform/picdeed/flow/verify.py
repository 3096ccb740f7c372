"""What can be said about any picture file? Its credential, and what the registry knows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picdeed.core.errors import UnreadablePicture
from picdeed.core.limits import DEFAULT
from picdeed.credentials.trust import Trust
from picdeed.credentials.verify import Integrity
from picdeed.credentials.verify import verify as read_credential
from picdeed.imaging.decode import decode
from picdeed.imaging.sniff import sniff
from picdeed.registry import revocations, subjects
from picdeed.registry.outputs import Output
from picdeed.registry.runs import Standing
from picdeed.registry.session import Registry, Session


@dataclass(frozen=True, slots=True)
class Seen:
    """`recovered` (by watermark or fingerprint) is not built yet."""

    path: Path
    integrity: str
    trust: str
    signer: str | None
    recovered: None
    standing: str
    statement: str
    lineage: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Verified:
    files: tuple[Seen, ...]

    @property
    def exit_code(self) -> int:
        """5 when any is altered, else 6 when any is unreadable or missing, else 0."""
        states = {seen.integrity for seen in self.files}
        if "altered" in states:
            return 5
        return 6 if "unreadable" in states else 0


def verify(files: Sequence[Path], trust: Trust, registry: Registry | None = None) -> Verified:
    """Read each file's credential; ask the registry, if there is one, how its output stands."""
    return Verified(tuple(_see(path, trust, registry) for path in files))


def _see(path: Path, trust: Trust, registry: Registry | None) -> Seen:
    try:
        if path.stat().st_size > DEFAULT.picture_bytes:
            return _unreadable(path, f"larger than {DEFAULT.picture_bytes >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        return _unreadable(path, error.strerror or str(error))
    found = read_credential(data, sniff(data), trust)
    if found.integrity == Integrity.NONE:
        try:
            decode(data)
        except UnreadablePicture as refusal:
            return _unreadable(path, refusal.message)
    standing, told = "unknown", ""
    if registry is not None and found.lineage and found.integrity == "intact":
        with registry.read() as session:
            row = subjects.find(session, Output, str(found.lineage.get("output_id", "")))
            if row is not None:
                standing, told = row.state, _told(session, row)
    statement = found.statement + told
    return Seen(
        path=path.absolute(),
        integrity=str(found.integrity),
        trust=str(found.trust),
        signer=found.signer,
        recovered=None,
        standing=standing,
        statement=statement,
        lineage=found.lineage,
    )


def _told(session: Session, row: Output) -> str:
    """What revocations did to an output; "" where none reached it."""
    cause = revocations.touching(session, row.id)
    if cause is None:
        if row.state in (Standing.SUSPENDED, Standing.WITHDRAWN):
            return f" The registry has {row.state} it."
        return ""
    which = f"revocation {cause.id[:16]}, {cause.ground}, effective {cause.effective[:10]}"
    if row.state in (Standing.SUSPENDED, Standing.WITHDRAWN):
        return f" The registry has {row.state} it: what it descends from was revoked ({which})."
    return (
        f" Something it descends from was revoked ({which}); it was made before that or under "
        f"terms that outlive it, so the registry keeps it {row.state} and flags it."
    )


def _unreadable(path: Path, why: str) -> Seen:
    return Seen(
        path=path.absolute(),
        integrity="unreadable",
        trust="none",
        signer=None,
        recovered=None,
        standing="unknown",
        statement=f"The file could not be read: {why}.",
        lineage=None,
    )
