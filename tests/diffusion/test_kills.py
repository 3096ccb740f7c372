"""Killed fifty times, at random steps and while it writes its files: the same bytes every time?"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.runfolder import read_json, read_log
from picdeed.diffusion.train import train

STEPS = 30
KILLS = 50
SEED = 20261127
FILES = {
    "checkpoint": ".step-*.part",
    "adapter": ".adapter.safetensors.part",
    "result": ".result.json.part",
}
MOMENTS = {  # event, and how long after it; None: before it happens
    "before it is opened": ("open", None),
    "while it is written": ("open", 0.003),
    "before it is put in place": ("os.rename", None),
    "after it was put in place": ("os.rename", 0.001),
}


class Nursery:
    """Processes that train, forked from one that has torch."""

    def __init__(self) -> None:
        self._served = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def start(self, folder: Path, at: dict[str, object] | None = None) -> int:
        """The process id of one that trains this folder."""
        self._served.stdin.write(json.dumps({"folder": str(folder), "at": at}) + "\n")
        self._served.stdin.flush()
        return int(self._served.stdout.readline())

    def ended(self) -> int:
        """Its exit status, once it ended."""
        return int(self._served.stdout.readline())

    def close(self) -> None:
        self._served.stdin.close()
        self._served.wait()


def newest(folder: Path) -> int | None:
    steps = [int(path.stem[5:]) for path in (folder / "checkpoint").glob("step-*.safetensors")]
    return max(steps, default=None)


def kill_at_step(nursery: Nursery, folder: Path, chance: random.Random) -> int:
    """Kill when the log has so many lines, and a part of a step later."""
    done = len(read_log(folder))
    wanted = chance.randrange(done, STEPS + 1) if done < STEPS else STEPS
    later = chance.uniform(0, 0.05)
    pid = nursery.start(folder)
    lock = folder / "heartbeat"
    begun = time.monotonic()
    # The log is written anew when the process begins; only what it adds then counts.
    while len(read_log(folder)) < wanted and time.monotonic() - begun < 300:
        if (read_json(lock) or {}).get("pid") == pid and (folder / "result.json").exists():
            break
        time.sleep(0.002)
    time.sleep(later)
    os.kill(pid, signal.SIGKILL)
    return nursery.ended()


def kill_at_file(nursery: Nursery, folder: Path, chance: random.Random, what: str, when: str):
    event, delay = MOMENTS[when]
    left = max(1, (STEPS - (newest(folder) or 0)) // 3)
    times = chance.randint(1, left) if what == "checkpoint" else 1
    late = None if delay is None else chance.uniform(0, delay)
    at = {"event": event, "name": FILES[what], "times": times, "delay": late}
    nursery.start(folder, at)
    return nursery.ended()


@pytest.mark.soak  # a hundred processes train; minutes
def test_fifty_kills_leave_no_trace(a_run, tmp_path, record_property):
    chance = random.Random(SEED)
    whole = a_run("whole", steps=STEPS)
    expected = train(whole)
    wanted = load_adapter(whole / "adapter.safetensors")
    plans = [("step", "")] * 26 + [(what, when) for what in FILES for when in MOMENTS] * 2
    chance.shuffle(plans)
    kills: Counter[str] = Counter()
    resumed: list[int] = []
    nursery = Nursery()
    try:
        while sum(kills.values()) < KILLS:
            folder = a_run(f"killed-{len(resumed)}", steps=STEPS)
            for _ in range(chance.randint(1, 3)):
                if not plans or (folder / "result.json").exists():
                    break
                what, when = plans.pop()
                code = (
                    kill_at_step(nursery, folder, chance)
                    if what == "step"
                    else kill_at_file(nursery, folder, chance, what, when)
                )
                if code == -signal.SIGKILL:
                    kills[f"{what} {when}".strip()] += 1
                else:  # it had ended before
                    assert code == 0
                    plans.insert(0, (what, when))
            before, over = newest(folder), (folder / "result.json").exists()
            nursery.start(folder)
            assert nursery.ended() == 0
            result = read_json(folder / "result.json")
            if not over:
                assert result["resumed_from"] == before, "from its checkpoint, and not from step 0"
            resumed.append(result["resumed_from"] or 0)
            found = load_adapter(folder / "adapter.safetensors")
            assert found.tensors.keys() == wanted.tensors.keys()
            for name, tensor in wanted.tensors.items():
                other = found.tensors[name]
                assert (other.dtype, other.shape) == (tensor.dtype, tensor.shape)
                assert other.numpy().tobytes() == tensor.numpy().tobytes()
            assert (found.id, found.sha256) == (wanted.id, wanted.sha256)
            for same in ("exposure", "loss", "steps"):
                assert result[same] == expected[same]
            assert [line["step"] for line in read_log(folder)] == list(range(STEPS))
            assert not list(folder.rglob(".*.part")), "nothing half written is left"
    finally:
        nursery.close()
    told = {"kills": dict(sorted(kills.items())), "runs": len(resumed), "resumed_from": resumed}
    record_property("kills", json.dumps(told))
    print(json.dumps(told, indent=1))
    assert sum(kills.values()) == KILLS
    assert sum(step > 0 for step in resumed) > len(resumed) / 2
