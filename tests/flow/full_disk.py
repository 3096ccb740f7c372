"""What a run does on a disk that fills up while it trains; PLACE is a small file system of its own.

python full_disk.py PLACE REGISTRY RUN: the registry is copied there; RUN names one to train again.
Prints one JSON document.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from pathlib import Path

from picdeed.core.errors import RunFailed
from picdeed.diffusion.recipe import recipe_from
from picdeed.flow import pipeline
from picdeed.jobs import launch, watch
from picdeed.registry import bases, runs, subjects
from picdeed.registry.runs import Run
from picdeed.registry.session import open_registry

STEPS = 400
PIECE = 4096


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"\0" * PIECE)
        except OSError:
            return


def main(place: Path, source: Path, run: str) -> None:
    shutil.copytree(source, place / "registry")
    registry = open_registry(place / "registry")
    with registry.read() as session:
        row = subjects.require(session, Run, run)
        base = subjects.require(session, bases.Base, row.base_id).name
    recipe = recipe_from(row.recipe | {"steps": STEPS})
    whole = pipeline.fine_tune(registry, row.snapshot_id, base, recipe, launch.foreground)
    ballast = place / "ballast"

    def fills(folder: Path, *, progress) -> None:
        def wait() -> None:
            while watch.one_run(registry, folder.name).step < STEPS // 4:
                time.sleep(0.02)
            fill(ballast)

        threading.Thread(target=wait, daemon=True).start()
        launch.foreground(folder, progress=progress)

    told = ""
    try:
        pipeline.fine_tune(registry, row.snapshot_id, base, recipe, fills, again=True)
    except RunFailed as failure:
        told = failure.message
    with registry.read() as session:
        second = next(one.id for one in runs.all_runs(session) if one.state != "succeeded")
    state = watch.one_run(registry, second).state
    folder = place / "registry" / "runs" / second
    left = sorted(path.name for path in folder.rglob("*.safetensors"))
    ballast.unlink()
    done = pipeline.resume(registry, second, launch.foreground)
    ok = pipeline.audit(registry, pipeline.trust_of(registry)).ok
    document = {
        "told": told, "state": state, "left": left, "resumed_from": done.resumed_from,
        "ended": done.state, "same": done.adapter["id"] == whole.adapter["id"], "audit": ok,
    }  # fmt: skip
    print(json.dumps(document))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
