"""Do codes learn how near strangers lie in a dataset, copies aside, and is that measured once?"""

from __future__ import annotations

import numpy as np
import pytest
from scenes import scene

from picdeed.flow import pipeline
from picdeed.flow.calibrated import AMONG, calibrated, nearest_strangers
from picdeed.registry.code_columns import LAYOUT, Columns


def columns_of(codes):
    """Pictures of which only the upright codes are known: uint64[n, 4]."""
    n = len(codes)
    made = {name: np.zeros((n, *shape), dtype=kind) for name, (kind, shape) in LAYOUT.items()}
    made["names"] = np.array([f"img_{at:064x}" for at in range(n)], dtype=made["names"].dtype)
    made["turned"] = np.repeat(codes[:, None], 8, axis=1)
    made["owner"] = np.arange(n)
    return Columns(**made)


def flipped(code, count, rng):
    bits = np.unpackbits(code.view(np.uint8))
    bits[rng.choice(256, count, replace=False)] ^= 1
    return np.packbits(bits).view(np.uint64)


def test_copies_are_no_strangers():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2**63, (300, 4)).astype(np.uint64)
    codes[1], codes[3] = flipped(codes[0], 6, rng), flipped(codes[2], 9, rng)
    columns = columns_of(codes)
    name = columns.names.astype(str)
    nearest, among = nearest_strangers(columns, list(range(300)), {(name[0], name[1])})
    assert among == 299
    assert nearest[0] > 60
    assert nearest[1] > 60
    assert nearest[2] == nearest[3] == 9


def test_a_large_dataset_is_sampled():
    rng = np.random.default_rng(1)
    n = 2 * AMONG
    columns = columns_of(rng.integers(0, 2**63, (n, 4)).astype(np.uint64))
    nearest, among = nearest_strangers(columns, list(range(n)), set())
    assert (len(nearest), among) == (400, AMONG - 1)
    assert nearest.min() > 40


@pytest.mark.parametrize("some", [[], [4]])
def test_who_is_alone_has_no_strangers(some):
    columns = columns_of(np.zeros((6, 4), dtype=np.uint64))
    assert nearest_strangers(columns, some, set())[0].size == 0


def test_a_small_dataset_says_that_it_knows_nothing(registry, tmp_path):
    for seed in range(3):
        scene(seed).save(tmp_path / f"{seed}.png")
    pipeline.register(registry, tmp_path, "few")
    (told,) = pipeline.dedup(registry).thresholds
    assert (told.dataset, told.pictures, told.samples, told.sure) == ("few", 3, 3, 16)
    assert told.expected_false_pairs is None
    assert calibrated(registry) == (told,)
    assert pipeline.dedup(registry, "few").thresholds == (told,)
    assert pipeline.list_copies(registry).thresholds == ()


def test_a_damaged_note_of_what_was_measured_is_measured_again(registry, tmp_path):
    scene(1).save(tmp_path / "1.png")
    pipeline.register(registry, tmp_path, "one")
    first = calibrated(registry)
    (registry.cache / "calibrated.json").write_text("[]")
    assert calibrated(registry) == first
