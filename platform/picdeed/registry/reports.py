"""What did a revocation reach, and what was trained without it? Signed files, in the ledger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from picdeed.core.errors import IntegrityError
from picdeed.core.ids import canonical_json, sha256
from picdeed.registry.blobs import write_atomically
from picdeed.registry.counterfactuals import statements
from picdeed.registry.heads import load_key
from picdeed.registry.revocations import Revocation
from picdeed.registry.signed import sign_document, verify_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sqlalchemy.orm import Session

    from picdeed.registry.heads import LedgerKey
    from picdeed.registry.session import Registry

SCHEMA = "picdeed.impact/1"


def report_file(registry: Registry, subject: str) -> Path:
    """Where the report of a revocation, or the statement about a run (whole ids), lies."""
    return registry.root / "reports" / f"{subject}.json"


def sign_report(key: LedgerKey, content: Mapping[str, Any], *, schema: str = SCHEMA) -> bytes:
    """A report's bytes: canonical JSON, signed with the ledger's key."""
    return canonical_json(sign_document(key, {"schema": schema, **content})) + b"\n"


def keep_report(registry: Registry, subject: str, data: bytes) -> Path:
    """Write a report. Before the commit that names its hash: a file without a row is litter."""
    path = report_file(registry, subject)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, data)
    return path


def read_report(registry: Registry, subject: str) -> dict[str, Any]:
    """The report of a revocation, or the statement about a run, once its signature fits.

    Raises IntegrityError when it is missing, altered or signed by somebody else.
    """
    path = report_file(registry, subject)
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(
            f"The report {path.name} cannot be read: {error}.", hint="Run picdeed audit."
        ) from error
    if not isinstance(document, dict) or not verify_document(
        document, load_key(registry.ledger_key).public
    ):
        raise IntegrityError(
            f"The report {path.name} was altered: its signature does not fit.",
            hint="Run picdeed audit.",
        )
    return document


def check_reports(registry: Registry, session: Session) -> Iterator[tuple[str, str]]:
    """(revocation or run, what is wrong with its report), for those recorded with one."""
    wanted = sa.select(Revocation.id, Revocation.impact).order_by(Revocation.id)
    recorded = [
        (identity, impact.get("sha256") if isinstance(impact, dict) else None)
        for identity, impact in session.execute(wanted)
    ]
    for identity, digest in (*recorded, *statements(session).items()):
        if digest is None:
            continue
        path = report_file(registry, identity)
        try:
            data = path.read_bytes()
        except OSError:
            yield identity, f"Its report {path.name} is gone or cannot be read."
            continue
        if sha256(data) != digest:
            yield identity, f"Its report {path.name} is not the one that was written."
            continue
        try:
            read_report(registry, identity)
        except IntegrityError as error:
            yield identity, error.message
