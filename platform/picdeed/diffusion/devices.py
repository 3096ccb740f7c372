"""On which device, with how many threads, and how exactly repeatable?

The same threads on the same machine give the same bytes; one thread more moves the last digits
(about 1e-5 after a dozen steps), so a run records its number and a resumed run uses it again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from picdeed.core.settings import Settings

_MOST_THREADS = 8
# Below this many weights a step is over before a second thread has woken up: measured on sprig
# (8 million), two threads are no faster on idle cores and ten times slower on busy ones.
_ONE_THREAD_BELOW = 100_000_000


def pick_device() -> torch.device:
    """CUDA when there is one, else the CPU; the code that follows is the same."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """On that device; from pinned memory to CUDA, so that nobody waits for what it still does."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def devices_like(device: torch.device) -> int:
    """How many memories a run's processes may be spread over: one a GPU, or the machine's."""
    return torch.cuda.device_count() if device.type == "cuda" else 1


def threads_for(parameters: int) -> int:
    """Threads for a model of so many weights: `PICDEED_THREADS`, else 1 for a small model, else
    the CPU cores this process may use, at most 8.
    """
    if threads := Settings().threads:
        return threads
    if parameters < _ONE_THREAD_BELOW:
        return 1
    return min(_MOST_THREADS, len(os.sched_getaffinity(0)))


def quiet() -> None:
    """Keep the libraries' notices and loading bars out of our progress; their errors stay."""
    diffusers_logging.set_verbosity_error()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


@contextlib.contextmanager
def repeatable(threads: int) -> Iterator[None]:
    """Run with exactly `threads` threads and, on CUDA, with deterministic kernels where known.

    On CUDA the promise is the same data, order and noise, not the same bits.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        # It would fill what is not yet written; nothing here reads that.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a property of the module's own class
    try:
        yield
    finally:
        torch.set_num_threads(before)
