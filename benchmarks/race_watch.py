"""Runs a training script as it is and notes each step's CPU-seconds, from outside.

    python benchmarks/race_watch.py OUT.json [--keep 50,100] -- SCRIPT.py ARGUMENT ...
    python benchmarks/race_watch.py OUT.json [--keep 50,100] -- -m MODULE ARGUMENT ...

The script is not changed: torch tells of every step of an optimiser. `--keep` writes the weights
after these steps beside OUT (their order is the model's). What that costs is not counted. On CUDA
each step ends when the device has done it.
"""

from __future__ import annotations

import json
import resource
import runpy
import signal
import sys
import time
from pathlib import Path

import psutil
import torch
from safetensors.torch import save_file
from torch.optim.optimizer import register_optimizer_step_post_hook


class Watch:
    """CPU-seconds of this process, all threads, and seconds by the clock since it began, at the end
    of each step."""

    def __init__(self, out: Path, keep: frozenset[int]) -> None:
        self._out, self._keep = out, keep
        self._spent = self._spent_wall = 0.0
        self._began = psutil.Process().create_time()
        self._learns: list[str] = []
        self.steps: list[float] = []
        self.wall: list[float] = []

    def __call__(self, optimiser: torch.optim.Optimizer, *_: object) -> None:
        """Called by torch after a step."""
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        self.steps.append(time.process_time() - self._spent)
        self.wall.append(time.time() - self._began - self._spent_wall)
        if not self._learns:
            kinds = {one.dtype for group in optimiser.param_groups for one in group["params"]}
            self._learns = sorted(str(kind).removeprefix("torch.") for kind in kinds)
        if (step := len(self.steps)) in self._keep:
            began, began_wall = time.process_time(), time.time()
            weights = [one for group in optimiser.param_groups for one in group["params"]]
            tensors = {f"{n:04}": one.detach().float().clone() for n, one in enumerate(weights)}
            save_file(tensors, self._out.with_suffix(f".{step:05}.safetensors"))
            self._spent += time.process_time() - began
            self._spent_wall += time.time() - began_wall

    def write(self) -> None:
        """`steps`: CPU-seconds since the process began, `wall` by the clock; `rss`: its peak, in
        bytes; `learns`: the types of what learns; `device`: the peak on CUDA, in bytes."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        told = {"steps": self.steps, "wall": self.wall, "rss": peak, "learns": self._learns}
        if torch.cuda.is_initialized():
            told["device"] = torch.cuda.max_memory_allocated()
            told["device_reserved"] = torch.cuda.max_memory_reserved()
        self._out.write_text(json.dumps(told))


def main(arguments: list[str]) -> None:
    """Watches; the script's own exit goes on."""
    cut = arguments.index("--")
    own, script = arguments[:cut], arguments[cut + 1 :]
    keep = frozenset(map(int, own[2].split(","))) if own[1:2] == ["--keep"] else frozenset()
    watch = Watch(Path(own[0]), keep)
    # A shell's job in the background is started with interrupts ignored; here they end a race.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    register_optimizer_step_post_hook(watch)
    try:
        if script[0] == "-m":
            sys.argv = script[1:]
            runpy.run_module(script[1], run_name="__main__")
        else:
            sys.argv = script
            runpy.run_path(script[0], run_name="__main__")
    finally:
        watch.write()


if __name__ == "__main__":
    main(sys.argv[1:])
