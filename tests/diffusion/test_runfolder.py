"""Does a run folder tell the truth about who trains in it, also after a kill?"""

import os
import subprocess
import sys

import pytest

from picdeed.core.errors import BusyError
from picdeed.diffusion import runfolder
from picdeed.diffusion.runfolder import (
    Heartbeat,
    Log,
    held,
    is_running,
    read_json,
    read_log,
    write_bytes,
    write_json,
)

HOLD = """
import sys, time
from pathlib import Path
from picdeed.diffusion.runfolder import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_killed_process_holds_its_folder_no_longer(tmp_path):
    assert not is_running(tmp_path)
    process = holder(tmp_path)
    assert is_running(tmp_path)
    with pytest.raises(BusyError, match="Nothing was changed"), held(tmp_path):
        pass
    process.kill()
    process.wait()
    assert not is_running(tmp_path)
    with held(tmp_path):
        pass


def test_a_folder_that_is_not_there_is_not_running(tmp_path):
    assert not is_running(tmp_path / "none")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_json(path, {"steps": 1})

    def full(_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, b"half")
    assert read_json(path) == {"steps": 1}


def test_json_that_is_missing_or_no_object_reads_as_none(tmp_path):
    assert read_json(tmp_path / "none") is None
    (tmp_path / "list").write_text("[1]")
    (tmp_path / "cut").write_text('{"a": ')
    assert read_json(tmp_path / "list") is None
    assert read_json(tmp_path / "cut") is None


def test_a_log_opened_at_a_step_forgets_that_step_and_all_later_ones(tmp_path):
    log = Log(tmp_path, 0)
    for step in range(5):
        log.write(step=step, loss=0.5)
    with (tmp_path / "log.jsonl").open("ab") as stream:
        stream.write(b'{"step": 5, "lo')
    Log(tmp_path, 3).write(step=3, loss=0.25)
    assert [(e["step"], e["loss"]) for e in read_log(tmp_path)] == [
        (0, 0.5),
        (1, 0.5),
        (2, 0.5),
        (3, 0.25),
    ]


def test_the_heart_beats_by_itself_and_says_step_and_process(tmp_path, monkeypatch):
    monkeypatch.setattr(runfolder, "HEARTBEAT_SECONDS", 0.01)
    with Heartbeat(tmp_path) as heart:
        heart.step = 7
        while (read_json(tmp_path / "heartbeat") or {})["step"] != 7:
            pass
    assert read_json(tmp_path / "heartbeat")["pid"] == os.getpid()


ORPHAN = """
import os, sys, time
from pathlib import Path
from picdeed.diffusion import runfolder
runfolder.HEARTBEAT_SECONDS = 0.05
with runfolder.Heartbeat(Path(sys.argv[1]), parent=1 << 22):
    time.sleep(60)
"""


def test_a_foreground_run_ends_when_its_command_is_gone(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN, str(tmp_path)],
        timeout=50,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 130


def test_a_wish_to_stop_is_heard_until_it_is_forgotten(tmp_path):
    runfolder.raise_if_asked_to_stop(tmp_path)
    runfolder.ask_to_stop(tmp_path, "Because.", "rev_1")
    with pytest.raises(runfolder.Stopped, match=r"^Because\.$") as stop:
        runfolder.raise_if_asked_to_stop(tmp_path)
    assert (stop.value.revocation, stop.value.run) == ("rev_1", tmp_path.name)
    runfolder.forget_stop(tmp_path)
    runfolder.forget_stop(tmp_path)
    runfolder.raise_if_asked_to_stop(tmp_path)


def test_a_wish_that_cannot_be_read_is_a_wish(tmp_path):
    (tmp_path / "stop.json").write_text("{")
    with pytest.raises(runfolder.Stopped, match="Somebody asked"):
        runfolder.raise_if_asked_to_stop(tmp_path)
