"""Do passes that run in processes of their own, in any order, give the answer of one process?"""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from picdeed.imaging.join import Engine, available
from picdeed.imaging.neighbours import pairs_between, pairs_within
from picdeed.imaging.tasks import merge, prepare, run_task, tasks


def family(n: int, seed: int) -> np.ndarray:
    """Codes, every third a copy of the one before with up to 40 bits flipped, some equal."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2**64, (n, 4), dtype=np.uint64)
    for near in range(1, n, 3):
        codes[near] = codes[near - 1]
        for bit in rng.choice(256, rng.integers(0, 41), replace=False):
            codes[near, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    codes[7::50] = codes[7]
    return codes


WORKER = """
import pickle, sys
from pathlib import Path
from picdeed.imaging.tasks import run_task

folder = Path(sys.argv[1])
listed = pickle.loads((folder / "tasks").read_bytes())
found = [run_task(folder / "codes.npy", task) for task in listed]
(folder / "found").write_bytes(pickle.dumps(found))
"""


def elsewhere(folder: Path, listed: list) -> list[np.ndarray]:
    """Run by a Python of its own, that knows nothing but two files."""
    (folder / "tasks").write_bytes(pickle.dumps(listed))
    subprocess.run([sys.executable, "-c", WORKER, str(folder)], check=True, timeout=300)
    return pickle.loads((folder / "found").read_bytes())  # noqa: S301 (bytes made here)


@pytest.mark.parametrize("engine", available())
def test_tasks_of_other_processes_together_are_the_join(tmp_path: Path, engine: Engine):
    codes = family(4_000, 1)
    wanted = pairs_within(codes, 31, engine=engine)
    assert len(wanted) > 800
    prepared = prepare(codes)
    np.save(tmp_path / "codes.npy", prepared.codes)
    listed = tasks(prepared.codes, 31, parts=2, engine=engine)
    assert len(listed) > 4
    found = [
        pairs for half in (listed[::-2], listed[-2::-2]) for pairs in elsewhere(tmp_path, half)
    ]
    assert np.array_equal(merge(prepared, found), wanted)
    assert np.array_equal(merge(prepared, [*found, found[0]]), wanted)  # one was run twice
    assert len(merge(prepared, found[: len(found) // 4])) < len(wanted)


@pytest.mark.parametrize("engine", available())
def test_two_sides(engine: Engine):
    left, right = family(900, 2), family(1_200, 2)[::-1].copy()
    wanted = pairs_between(left, right, 31, engine=engine)
    assert len(wanted) > 100
    one, other = prepare(left), prepare(right)
    listed = tasks(one.codes, 31, against=other.codes, parts=3, engine=engine)
    found = [run_task(one.codes, task, other.codes) for task in listed]
    assert np.array_equal(merge(one, found, other), wanted)
    with pytest.raises(ValueError, match="two"):
        run_task(one.codes, listed[0])


def test_a_task_is_small_whatever_it_works_on():
    prepared = prepare(family(4_000, 1))
    for task in tasks(prepared.codes, 49):
        assert pickle.loads(pickle.dumps(task)) == task  # noqa: S301 (bytes made here)
        assert len(pickle.dumps(task)) < 4_000


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_do(n: int):
    prepared = prepare(np.zeros((n, 4), dtype=np.uint64))
    found = [run_task(prepared.codes, task) for task in tasks(prepared.codes, 31)]
    assert merge(prepared, found).shape == (0, 2)
