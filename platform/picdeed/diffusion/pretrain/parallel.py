"""How do several one-thread processes train one model on a CPU? Gloo all-reduce, a queue to tell.

Two processes of one thread each gave 60 samples a second where one process of two threads gave
32: small convolutions do not fill two threads.
"""

from __future__ import annotations

import os
import queue
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from picdeed.core.errors import RunFailed, TimeOver
from picdeed.core.events import Progress
from picdeed.diffusion.devices import pick_device
from picdeed.diffusion.pretrain.step import Worker

_FAREWELL = 60.0  # seconds that a worker whose time is over waits to be ended with the others
Task = Callable[..., None]
"""Called as task(*arguments, worker=..., progress=...) in every worker."""


def run(
    task: Task,
    arguments: tuple[Any, ...],
    workers: int,
    progress: Progress,
    until: float | None = None,
) -> None:
    """Runs `task` in `workers` processes; in this one when it is 1, or on a GPU, which one process
    fills. Raises RunFailed, and TimeOver when it is `until` (seconds since 1970).

    `task` and `arguments` must be importable and picklable: the processes are spawned.
    """
    device = pick_device()
    if workers == 1 or device.type != "cpu":
        task(*arguments, worker=Worker(0, 1, device, until), progress=progress)
        return
    context = mp.get_context("spawn")
    said: Any = context.Queue()
    with tempfile.TemporaryDirectory() as meeting:
        processes = [
            context.Process(
                target=_enter,
                args=(task, arguments, worker, Path(meeting) / "store", said),
                daemon=True,
            )
            for worker in (Worker(rank, workers, device, until) for rank in range(workers))
        ]
        for process in processes:
            process.start()
        try:
            _watch(processes, said, progress)
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()


def _watch(processes: list[Any], said: Any, progress: Progress) -> None:
    while any(process.is_alive() for process in processes):
        try:
            news = said.get(timeout=1)
            if news is None:
                raise TimeOver("The time is over; what was trained so far is stored.")
            progress(*news)
        except queue.Empty:
            if any(process.exitcode not in (None, 0) for process in processes):
                break
    for process in processes:
        process.join(timeout=5)
        if process.exitcode != 0:
            raise RunFailed(
                "A pretraining worker ended early; its checkpoint stays.",
                hint="Run the same command again: it goes on from the checkpoint.",
            )


def _enter(task: Task, arguments: tuple[Any, ...], worker: Worker, store: Path, said: Any) -> None:
    # A session of its own: Ctrl-C reaches the parent only, which ends the workers, and a busy
    # Linux shares its processors between sessions, so each worker gets the share of one.
    os.setsid()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    # Loopback by name: gloo else looks up the host's name, which need not resolve.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=worker.rank, world_size=worker.count
    )
    try:
        task(*arguments, worker=worker, progress=lambda *news: said.put(news))
    except TimeOver:
        # Gone before the others it would leave them failing in mid-sum, each with a traceback.
        said.put(None)
        time.sleep(_FAREWELL)
    finally:
        dist.destroy_process_group()
