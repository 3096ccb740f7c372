"""What follows when something is taken back for good, or was taken back elsewhere?

Composes stages through the pipeline: erase = revoke + erase, a feed = tombstones + revoke.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from picdeed.core.events import Progress, silent
from picdeed.flow import pipeline
from picdeed.flow.erase import Erased, erase, require_because, require_erasable
from picdeed.flow.grounds import Ground
from picdeed.flow.license import settle
from picdeed.flow.protected import screen
from picdeed.flow.revoke import Revoked, revoke
from picdeed.flow.tombstones import Tombstones, read_tombstones
from picdeed.registry import subjects
from picdeed.registry.pictures import Picture
from picdeed.registry.session import Registry, utc_now


def erase_picture(
    registry: Registry, picture: str, because: str, *, progress: Progress = silent
) -> tuple[Revoked, Erased]:
    """revoke + erase: nothing that descends stays in use, then nothing shows the picture."""
    require_because(because)
    with registry.read() as session:
        row = subjects.require(session, Picture, picture)
        require_erasable(session, row)
    fell = pipeline.withdraw(registry, row.id, Ground.PRIVACY, progress=progress)
    return fell, erase(registry, row.id, because)


def read_feed(
    registry: Registry,
    path: Path,
    *,
    trust: bool = False,
    simulate: bool = False,
    progress: Progress = silent,
) -> tuple[Tombstones, tuple[Revoked, ...]]:
    """tombstones + revoke + protected: what others revoked falls here, on the same ground and day.

    What only looks like it, by the feed's fingerprints, is claimed to and not revoked.
    """
    found = read_tombstones(registry, path, trust=trust, simulate=simulate)
    if simulate:
        return found, ()
    catalogue = pipeline.rules()
    if found.pending:
        pipeline.catch_up(registry, catalogue, progress=progress)
    fell = []
    for done, match in enumerate(found.pending, 1):
        since = min(match.effective, utc_now())
        ground = Ground(match.ground)
        fell.append(revoke(registry, catalogue, match.picture, ground, effective=since))
        progress("revoke", done, len(found.pending))
    alike = screen(registry, progress=progress)
    if alike:
        settle(registry, catalogue, progress=progress)
    return replace(found, alike=alike), tuple(fell)
