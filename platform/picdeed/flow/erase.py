"""How is one picture erased so that nothing shows it any more, and the ledger still holds?

GDPR Art. 17. It is revoked first (ground privacy, flow/takeback.py), so that nothing that
descends from it stays in use; then bytes, words and everything derived from them go. The digest
stays, so that the chain of evidence can be verified and the same bytes are refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.diffusion.latents import REPLAYS, forget, forget_embeddings
from picdeed.diffusion.runfolder import write_json
from picdeed.diffusion.samples import forget_samples
from picdeed.registry import erasure, ledger, similar, subjects
from picdeed.registry.code_cache import forget_codes
from picdeed.registry.embedding_cache import forget_vectors
from picdeed.registry.pictures import Picture, PictureState
from picdeed.registry.runs import Run
from picdeed.registry.session import Registry, Session

LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Erased:
    """`copies` are other files of the same picture: revoked with it, their bytes still here."""

    picture: str
    rows: int
    files: int
    copies: tuple[str, ...]


def erase(registry: Registry, picture: str, because: str) -> Erased:
    """Take away everything that shows or describes a picture; its digest stays.

    Repeating it removes what a kill left behind. Raises UsageError without a reason, for a
    picture that was not revoked yet, and for one that is a released output as well.
    """
    require_because(because)
    with registry.write() as session:
        row = subjects.require(session, Picture, picture)
        require_erasable(session, row)
        if row.state == PictureState.GOOD:
            raise UsageError(
                f"{row.id[:12]} was not revoked yet; nothing was erased.",
                hint=f"picdeed revoke {row.id[:12]} --ground privacy",
            )
        copies = similar.same_picture(session, [row.id]).get(row.id, [])
        runs = erasure.runs_with(session, row.id)
        changed, gone = erasure.blanked(session, row)
        if changed or gone:
            payload = {"picture": row.id, "because": because.strip()[:LONGEST]}
            ledger.write(session, Event.ERASE_DONE, payload, changed, gone)
    files = _remove_files(registry, row, runs)
    others = tuple(one for one in copies if one != row.id)
    return Erased(row.id, len(changed) + len(gone), files, others)


def require_because(because: str) -> None:
    """Raise UsageError on a reason that says nothing."""
    if not because.strip():
        raise UsageError("Say why; nothing was erased.", hint="--because TEXT")


def require_erasable(session: Session, row: Picture) -> None:
    """Raise UsageError for the file of a released output: that is a signed work of its own."""
    output = erasure.output_of(session, row.sha256)
    if output is not None:
        raise UsageError(
            f"{row.id[:12]} is the file of the released output {output[:12]}; nothing was erased.",
            hint=f"picdeed lineage {output[:12]} shows what it descends from.",
        )


def _remove_files(registry: Registry, row: Picture, runs: Sequence[Run]) -> int:
    """Bytes, thumbnail, latents, every caption's embedding, and the captions in run folders."""
    count = int(registry.blobs.remove(row.sha256))
    thumbnail = registry.thumbnail(row.sha256)
    count += thumbnail.is_file()
    thumbnail.unlink(missing_ok=True)
    forget_codes(registry)
    forget_vectors(registry, row.id)
    for corners in (registry.cache / "corners").glob(f"*/{row.sha256}.npz"):
        corners.unlink()
    replays = list((registry.cache / REPLAYS).glob("run_*"))  # of one that was killed
    for cache in (registry.cache / "latents", *(folder / "cache" for folder in replays)):
        forget(cache, row.id)
        forget_embeddings(cache)
    folders = [*(registry.root / run.folder for run in runs), *replays]
    count += sum(map(forget_samples, folders))  # a picture may show in what was drawn
    return count + sum(_blank_plan(folder, row.id) for folder in folders)


def _blank_plan(folder: Path, picture: str) -> bool:
    """Empty a picture's caption in `plan.json`; the run cannot go on anyway."""
    path = folder / "plan.json"
    try:
        plan: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    found = False
    for trainee in (*plan.get("members", ()), *plan.get("held_out", ())):
        if trainee.get("picture") == picture and trainee.get("caption"):
            trainee["caption"] = ""
            found = True
    if found:
        write_json(path, plan)
    return found
