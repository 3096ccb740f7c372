"""Are the passes independent of each other, and do both engines give the same?"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from picdeed.imaging.dealing import Costs, deal, shuffled
from picdeed.imaging.join import Engine, available, chunk_pass, default_threads, join

COSTS = Costs(code=7.0, key=2.4, probe=0.5, partner=7.0, candidate=0.13)


def codes_with_copies(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2**64, (n, 4), dtype=np.uint64)
    for near in range(1, n, 4):
        codes[near] = codes[near - 1]
        for bit in rng.choice(256, rng.integers(1, 36), replace=False):
            codes[near, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return codes


def rows(blocks) -> list[tuple[int, int]]:
    return [tuple(row) for block in blocks for row in block.tolist()]


@pytest.mark.parametrize("engine", available())
@pytest.mark.parametrize("cross", [False, True])
def test_parts_of_passes_together_are_the_join(engine, cross):
    codes = codes_with_copies(3_000, 1)
    left, right = (codes, codes_with_copies(3_000, 1)[::-1].copy()) if cross else (codes, None)
    chunks, _ = deal(3_000, 3_000, 4, 31, evenness=1.0, costs=COSTS, itself=not cross)
    assert len(chunks) > 4
    moved = shuffled(left), None if right is None else shuffled(right)
    found = [
        row
        for which in range(len(chunks))
        for part in range(3)
        for row in rows(chunk_pass(*moved, chunks, which, 31, part=(part, 3), engine=engine))
    ]
    wanted = rows([join(left, right, 31, threads=1, engine=engine, most=10**6)])
    assert len(wanted) > 500
    if not cross:
        found = [(min(row), max(row)) for row in found]
    assert set(found) == set(wanted)
    if engine is Engine.NUMBA:
        assert len(found) == len(wanted)  # each pair in its first chunk only


@pytest.mark.skipif(Engine.NUMBA not in available(), reason="numba is not installed")
@pytest.mark.parametrize("radius", [0, 12, 31, 60])
def test_both_engines_agree(radius):
    codes = codes_with_copies(4_000, 2)
    one, other = (
        join(codes, None, radius, threads=1, engine=engine, most=10**7) for engine in Engine
    )
    assert np.array_equal(one, other)
    one, other = (
        join(codes[:500], codes[500:], radius, threads=1, engine=engine, most=10**7)
        for engine in Engine
    )
    assert np.array_equal(one, other)


@pytest.mark.skipif(Engine.NUMBA not in available(), reason="numba is not installed")
def test_a_full_buffer_is_handed_over_and_filling_goes_on(monkeypatch):
    codes = np.arange(900, dtype=np.uint64).reshape(-1, 1)
    monkeypatch.setattr("picdeed.imaging.join._OUT", 7)
    one, other = (join(codes, None, 4, threads=1, engine=e, most=10**7) for e in Engine)
    assert len(one) > 10_000
    assert np.array_equal(one, other)


def test_few_codes_are_joined_without_compiling_anything():
    code = (
        "import sys, numpy as np; from picdeed.imaging.neighbours import pairs_within;"
        "assert len(pairs_within(np.arange(500, dtype=np.uint64).reshape(-1, 1), 1));"
        "assert 'numba' not in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert default_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert default_threads() >= 1
