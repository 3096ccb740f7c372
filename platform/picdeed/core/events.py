"""What can happen in a registry, and how does a stage say how far it is?"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Event(StrEnum):
    """First word: the stage. The closed list of ledger events."""

    INIT_REGISTRY = "init.registry"
    INIT_BASE = "init.base"
    INGEST_PICTURES = "ingest.pictures"
    SIGNALS_READ = "signals.read"
    CLAIMS_ADDED = "claims.added"
    GRANTS_ADDED = "grants.added"
    GRANTS_ENDED = "grants.ended"
    LICENSE_CONCLUDED = "license.concluded"
    DEDUP_FINGERPRINTED = "dedup.fingerprinted"
    DEDUP_CLUSTERED = "dedup.clustered"
    DEDUP_DECIDED = "dedup.decided"
    SNAPSHOT_FROZEN = "snapshot.frozen"
    SNAPSHOT_REQUESTED = "snapshot.requested"
    GATE_DECIDED = "gate.decided"
    APPROVE_RECORDED = "approve.recorded"
    REMOVE_RECORDED = "remove.recorded"
    TRAIN_BUNDLED = "train.bundled"
    TRAIN_STARTED = "train.started"
    TRAIN_FINISHED = "train.finished"
    TRAIN_FAILED = "train.failed"
    TRAIN_COMPARED = "train.compared"
    GENERATE_DRAWN = "generate.drawn"
    CREDENTIAL_RELEASED = "credential.released"
    REVOKE_APPLIED = "revoke.applied"
    REVOKE_CAUGHT = "revoke.caught"
    TOMBSTONES_READ = "tombstones.read"
    ERASE_DONE = "erase.done"
    FACTS_ADDED = "facts.added"
    WATCH_SEEN = "watch.seen"
    MODELS_ADDED = "models.added"
    MODELS_MOVED = "models.moved"
    MODELS_TOLD = "models.told"


class Progress(Protocol):
    """Told how far a stage is; `total` 0 means unknown. Called often, so it must be cheap."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


def silent(what: str, done: int, total: int) -> None:
    """The progress that nobody watches."""
