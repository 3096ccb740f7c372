"""How does a registry begin? Tables, blob store, a development identity, the embedded base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picdeed.core.events import Event
from picdeed.core.resources import bundled
from picdeed.credentials.keys import make_development_identity
from picdeed.flow.basefiles import BUNDLED, read_deed
from picdeed.flow.pins import record_pins
from picdeed.registry import bases, ledger
from picdeed.registry.bases import Base
from picdeed.registry.session import Registry, create_registry, utc_now
from picdeed.rights.catalogue import load_catalogue

EMBEDDED = "sprig"


@dataclass(frozen=True, slots=True)
class Initialised:
    registry: Path
    schema_revision: str
    signer: Mapping[str, Any]
    bases: tuple[str, ...]


def init(where: Path) -> Initialised:
    """Make `where` a registry; on an existing one only what is missing is added."""
    registry = create_registry(where)
    identity = make_development_identity(registry.keys)
    known = _register_embedded(registry)
    record_pins(registry, load_catalogue(bundled("configs")))
    return Initialised(
        registry=registry.root,
        schema_revision=registry.schema_revision,
        signer={"subject": identity.subject, "development": identity.development},
        bases=known,
    )


def _register_embedded(registry: Registry) -> tuple[str, ...]:
    """The base that ships with picdeed, by the hash of its tensors; () where it is not shipped.

    The hash is its deed's own word here, so that a registry without torch can begin; it is held
    against the tensors themselves by whoever loads them, and by audit. Weights of an earlier
    release keep their row, under a name that tells them apart.
    """
    folder = bundled("models") / EMBEDDED
    if not (folder / "deed.json").is_file():
        return ()
    deed = read_deed(folder)
    identity = bases.base_id(deed.sha256)
    with registry.write() as session:
        known = bases.find(session, EMBEDDED)
        if known is not None and known.id == identity:
            return (EMBEDDED,)
        if known is not None:
            known.name = f"{EMBEDDED}-{known.sha256[:8]}"
            known.path = f"{BUNDLED}{known.name}"
            ledger.write(session, Event.INIT_BASE, {"base": known.id, "name": known.name}, [known])
        row = Base(
            id=identity,
            name=EMBEDDED,
            sha256=deed.sha256,
            license=deed.license,
            deed=deed.content,
            path=f"{BUNDLED}{EMBEDDED}",
            added_at=utc_now(),
        )
        ledger.write(session, Event.INIT_BASE, {"base": row.id, "name": row.name}, [row])
    return (EMBEDDED,)
