"""Trains run folders in processes of their own, one after the other, that a test may kill.

torch is imported once, before the first fork. One JSON line on standard input starts a process,
whose id is the answer; its end is the next answer. With `at` the process kills itself (SIGKILL) as
soon as it touches a file for the n-th time, or `delay` seconds after that.
"""

from __future__ import annotations

import fnmatch
import json
import os
import signal
import sys
import threading
from typing import Any

from picdeed.diffusion.train import main


def arm(*, event: str, name: str, times: int, delay: float | None) -> None:
    """`event` is Python's own word (PEP 578): `open`, or `os.rename` for a replace."""
    seen = 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def hook(happens: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if happens != event or not fnmatch.fnmatch(os.path.basename(str(arguments[0])), name):  # noqa: PTH119 - a hook runs inside of pathlib too
            return
        seen += 1
        if seen == times:
            if delay is None:
                die()
            threading.Timer(delay or 0.0, die).start()

    sys.addaudithook(hook)


def serve() -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            sys.stdin.close()
            if order["at"] is not None:
                arm(**order["at"])
            os._exit(main([order["folder"]]))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
