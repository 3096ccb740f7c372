"""Runs a training script as it is and notes each step's CPU-seconds, from outside.

    python benchmarks/race_watch.py OUT.json [--keep 50,100] -- SCRIPT.py ARGUMENT ...
    python benchmarks/race_watch.py OUT.json [--keep 50,100] -- -m MODULE ARGUMENT ...

The script is not changed: torch tells of every step of an optimiser. `--keep` writes the weights
after these steps beside OUT (their order is the model's). What that costs is not counted.
"""

from __future__ import annotations

import json
import resource
import runpy
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.optim.optimizer import register_optimizer_step_post_hook


class Watch:
    """CPU-seconds of this process, all threads, at the end of each step."""

    def __init__(self, out: Path, keep: frozenset[int]) -> None:
        self._out, self._keep = out, keep
        self._spent = 0.0
        self.steps: list[float] = []

    def __call__(self, optimiser: torch.optim.Optimizer, *_: object) -> None:
        """Called by torch after a step."""
        self.steps.append(time.process_time() - self._spent)
        if (step := len(self.steps)) in self._keep:
            began = time.process_time()
            weights = [one for group in optimiser.param_groups for one in group["params"]]
            tensors = {f"{n:04}": one.detach().float().clone() for n, one in enumerate(weights)}
            save_file(tensors, self._out.with_suffix(f".{step:05}.safetensors"))
            self._spent += time.process_time() - began

    def write(self) -> None:
        """`steps`: CPU-seconds since the process began; `rss`: its peak, in bytes."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self._out.write_text(json.dumps({"steps": self.steps, "rss": peak}))


def main(arguments: list[str]) -> None:
    """Watches; the script's own exit goes on."""
    cut = arguments.index("--")
    own, script = arguments[:cut], arguments[cut + 1 :]
    keep = frozenset(map(int, own[2].split(","))) if own[1:2] == ["--keep"] else frozenset()
    watch = Watch(Path(own[0]), keep)
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
