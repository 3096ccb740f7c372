"""Does a run on a disk that is full in earnest end in a clear state, and go on once there is room?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from replayable import Ran

MIB = 12


@pytest.mark.soak  # three processes train; needs a file system of its own
def test_a_full_disk_is_said_and_mended(ran: Ran, tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    inside = f'mount -t tmpfs -o size={MIB}m tmpfs "$1" && exec "$2" "$3" "$1" "$4" "$5"'
    script = Path(__file__).with_name("full_disk.py")
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], check=False).returncode:
        pytest.skip("a file system of its own cannot be mounted here")
    words = [str(place), sys.executable, str(script), str(ran.place / "registry"), ran.run]
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", inside, "sh", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found)
    assert "the disk is full" in found["told"] or "no room to write" in found["told"]
    assert found["state"] in {"failed", "interrupted"}
    assert "adapter.safetensors" not in found["left"]
    assert found["left"], "a checkpoint from before stays"
    assert found["resumed_from"] >= 40
    assert (found["ended"], found["same"], found["audit"]) == ("succeeded", True, True)
