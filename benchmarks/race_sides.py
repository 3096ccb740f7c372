"""How is either side of a race started, with the same batch, rank and rate, and watched?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from race_bases import SEED

from picdeed.core.ids import sha256_file
from picdeed.diffusion.models import BaseFacts, check_base
from picdeed.diffusion.plan import SCHEMA, RunPlan, Trainee
from picdeed.diffusion.recipe import Recipe

_WATCH = str(Path(__file__).with_name("race_watch.py").absolute())
_LAST_WORDS = 4.0  # seconds that a side has to write down what it saw, once its time is over


def script_command(
    script: Path,
    base: Path,
    pictures: Path,
    out: Path,
    recipe: Recipe,
    *,
    seed: int = SEED,
    facts: BaseFacts | None = None,
    more: Mapping[str, Any] | None = None,
) -> list[str]:
    """The script with our recipe's batch, steps, rank and rate, and `more`; its other defaults
    stay."""
    told = {
        "pretrained_model_name_or_path": base,
        "train_data_dir": pictures,
        "caption_column": "text",
        "output_dir": out,
        "resolution": (facts or check_base(base)).size,
        "train_batch_size": recipe.batch,
        "max_train_steps": recipe.steps,
        "checkpointing_steps": recipe.steps + 1,
        "learning_rate": recipe.learning_rate,
        "rank": recipe.rank,
        "seed": seed,
        "mixed_precision": {"fp32": "no", "bf16": "bf16"}[recipe.precision],
        **(more or {}),
    }
    return [str(script), *(f"--{key}={value}" for key, value in told.items()), "--center_crop"]


def our_command(
    base: Path,
    pictures: Path,
    out: Path,
    recipe: Recipe,
    *,
    seed: int = SEED,
    facts: BaseFacts | None = None,
    threads: int = 1,
    cache: Path | None = None,
) -> list[str]:
    """`python -m picdeed.diffusion.train FOLDER` with a plan written for these pictures; they are
    kept in `cache`, or in the folder."""
    rows = [json.loads(line) for line in (pictures / "metadata.jsonl").read_text().splitlines()]
    members = []
    for row in rows:
        path = pictures / row["file_name"]
        name = f"img_{sha256_file(path)}"
        members.append(Trainee(picture=name, path=str(path), caption=row["text"]))
    RunPlan(
        schema=SCHEMA,
        run=f"run_{0:064x}",
        base=str(base),
        base_sha256=(facts or check_base(base)).sha256,
        recipe=recipe,
        seed=seed,
        threads=threads,
        members=tuple(members),
        snapshot="snp_0",
        snapshot_root="0",
        decision="dec_0",
        cache=str(cache) if cache else None,
    ).write(out)
    return ["-m", "picdeed.diffusion.train", str(out)]


def watched(
    python: str,
    command: Sequence[str],
    out: Path,
    keep: Sequence[int] = (),
    *,
    threads: int = 1,
    limit: float | None = None,
) -> dict[str, Any]:
    """Runs a command under the watch; what it noted. After `limit` seconds it is interrupted, and
    what it had noted by then counts. Raises RuntimeError with what it said."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    kept = ["--keep", ",".join(map(str, keep))] if keep else []
    heard = out.with_suffix(".log")
    with heard.open("w") as log:
        process = subprocess.Popen(
            [python, _WATCH, str(out), *kept, "--", *command],
            env=_environment(threads),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        ended = _ended(process, limit)
    found: dict[str, Any] = json.loads(out.read_text()) if out.is_file() else {}
    if not found.get("steps") or (ended and limit is None):
        said = heard.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{command[:2]} ended with {ended}:\n{said}")
    return found | {"ended": ended}


def _ended(process: subprocess.Popen[bytes], limit: float | None) -> int:
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(_LAST_WORDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _environment(threads: int) -> dict[str, str]:
    count = str(threads)
    quiet = {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "HF_HUB_OFFLINE": "1"}
    return {**os.environ, **quiet, "TOKENIZERS_PARALLELISM": "false"}
