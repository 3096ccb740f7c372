from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from picdeed.core.errors import MissingPart
from picdeed.credentials import native

PLATFORM = Path(native.__file__).parents[2]


def test_the_library_is_new_enough_to_trust():
    assert native.c2pa().sdk_version() >= "0.91.3"


@pytest.mark.parametrize("version", ["0.91.2", "0.90.9", "0.9.8", "0.91.2-nightly"])
def test_an_old_library_is_refused(version):
    with pytest.raises(MissingPart, match="too old"):
        native._refuse_old(version)


@pytest.mark.parametrize("version", ["0.91.3", "0.92.0", "1.0.0", "0.91.3+abc"])
def test_a_new_one_is_not(version):
    native._refuse_old(version)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_library_that_lies_in_the_current_folder_is_not_run(tmp_path):
    shutil.copy(native._packaged_path(), tmp_path / "libc2pa_c.so")
    program = (
        "from picdeed.credentials.native import c2pa\nimport os\n"
        "c2pa().sdk_version()\n"
        "print([line.split()[-1] for line in open('/proc/self/maps') if 'libc2pa' in line][0])\n"
        "print(os.environ.get('C2PA_LIBRARY_NAME'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PLATFORM)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, left = done.stdout.split()
    assert Path(loaded) == native._packaged_path()
    assert left == "None"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_waits_for_threads_inside_the_library():
    inside = threading.Event()

    def busy():
        with native.opened({}):
            inside.set()
            time.sleep(0.3)

    thread = threading.Thread(target=busy)
    thread.start()
    inside.wait(20)
    child = os.fork()
    if child == 0:
        os._exit(native._gate._inside)
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_importing_our_modules_does_not_load_it():
    program = "import sys, picdeed.credentials.sign\nprint('c2pa' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(PLATFORM)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
