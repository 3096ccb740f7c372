"""How long until all pairs of near codes are known, and one picture is looked up? Beside whom?

    python benchmarks/neighbours.py --sizes 100000 1000000 10000000 --peers FOLDER

Codes of 256 bits from a seed (`made_codes`). Ours is measured whole, compilation apart, with one
thread and with all cores; recall is against a scan for a sample of the codes. Peers (faiss-cpu,
pynear, networkx) are used where they are installed, here or in FOLDER (`pip install --target`),
with all cores, and answer a sample of the codes, scaled to all of them. "Times ours" is said of
wall time and of CPU time: the former suffers from whatever else the machine does. The whole way
from a registry's cached codes to clusters is `from_cache.py`, called here in its own processes.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from math import log
from pathlib import Path

import numpy as np
from from_cache import whole
from made_codes import SEED, natural, random

from picdeed.imaging.coded import Coded
from picdeed.imaging.index import build
from picdeed.imaging.join import Engine, available
from picdeed.imaging.near import near_pairs
from picdeed.imaging.neighbours import components, first_equal, pairs_within

PACKAGES = ("numpy", "scipy", "numba", "faiss-cpu", "pynear", "networkx")
LARGEST_TABLES = 1_000_000  # peers' hash tables of more would take all the memory
CORES = len(os.sched_getaffinity(0))


def timed(work: Callable[[], object]) -> tuple[float, float, object]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def row(*cells: object) -> None:
    shown = [f"{c:.3g}" if isinstance(c, float) else f"{c}" for c in cells]
    print("  ".join(f"{c:<44}" if not at else f"{c:>12}" for at, c in enumerate(shown)), flush=True)


def recall(codes: np.ndarray, pairs: np.ndarray, radius: int, sample: int) -> float:
    """Share of the pairs that a scan finds for some codes and that the join gave."""
    rng = np.random.default_rng(SEED + 3)
    first = first_equal(codes)
    asked = rng.choice(np.flatnonzero(first == np.arange(len(codes))), sample, replace=False)
    given = pairs[:, 0] * len(codes) + pairs[:, 1]  # ascending, as the pairs are
    wanted = found = 0
    for one in asked.tolist():
        apart = np.bitwise_count(codes ^ codes[one]).sum(axis=1)
        for other in np.flatnonzero(apart <= radius).tolist():
            if other != one and (first[other] == other or first[other] == one):
                wanted += 1
                key = min(one, other) * len(codes) + max(one, other)
                at = np.searchsorted(given, key)
                found += bool(at < len(given) and given[at] == key)
    return found / wanted if wanted else 1.0


def ours(
    kind: str, codes: np.ndarray, radius: int, args: argparse.Namespace
) -> tuple[float, float]:
    """Wall and CPU seconds with all cores, of the median round."""
    name = f"{kind} {len(codes):,} r{radius}"
    last = 0.0, 0.0
    for threads in dict.fromkeys((1, CORES)):
        rounds = [
            timed(lambda t=threads: pairs_within(codes, radius, threads=t, engine=available()[0]))
            for _ in range(1 if len(codes) > 2_000_000 else args.rounds)
        ]
        wall, cpu, pairs = sorted(rounds, key=lambda one: one[0])[len(rounds) // 2]
        share = recall(codes, pairs, radius, 200 if len(codes) <= 1_000_000 else 20)
        row(f"ours, {name}, {threads} threads", wall, cpu, f"{len(pairs):,}", share)
        last = wall, cpu
    return last


def peers(codes: np.ndarray, radius: int, sample: int) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds with all cores, scaled from a sample of the codes."""
    n = len(codes)
    octets = codes.view(np.uint8)
    some = octets[np.random.default_rng(SEED + 4).choice(n, sample, replace=False)]
    few = some[: max(20, sample // 5)]
    found: dict[str, tuple[float, float]] = {}

    def scaled(name: str, asked: np.ndarray, work: Callable[[], object]) -> None:
        wall, cpu, _ = timed(work)
        found[name] = wall * n / len(asked), cpu * n / len(asked)
        row(f"{name} ({len(asked)} of {n:,}, scaled)", *found[name])

    if importlib.util.find_spec("faiss"):
        import faiss

        faiss.omp_set_num_threads(CORES)
        flat = faiss.IndexBinaryFlat(256)
        flat.add(octets)
        scaled("faiss Flat", some, lambda: flat.range_search(some, radius + 1))
        if radius // 16 <= 2 and n <= LARGEST_TABLES:
            hashed = faiss.IndexBinaryMultiHash(256, 16, 16)
            hashed.add(octets)
            hashed.nflip = radius // 16
            scaled("faiss MultiHash", few, lambda: hashed.range_search(few, radius + 1))
    if importlib.util.find_spec("pynear") and radius <= 31 and n <= LARGEST_TABLES:
        import pynear

        tree = pynear.MIHBinaryIndex(16)
        tree.set(octets)
        scaled("pynear MIH, 50 nearest", few, lambda: tree.searchKNN_arrays(few, 50, radius))
    return found


def lookups(codes: np.ndarray, radius: int) -> None:
    """One picture against all of them."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu, index = timed(lambda: build(Path(folder), codes, radius, "benchmark"))
        row(f"index of {len(codes):,} r{radius}: build", wall, cpu, "")
        index.query(codes[0])
        places = np.random.default_rng(SEED).integers(0, len(codes), 3_000)
        took = [timed(lambda at=place: index.query(codes[at]))[0] * 1e3 for place in places]
    row("  one picture, ms: median, p99", *map(float, np.percentile(took, [50, 99])))
    if importlib.util.find_spec("faiss"):
        import faiss

        flat = faiss.IndexBinaryFlat(256)
        octets = codes.view(np.uint8)
        flat.add(octets)
        took = [
            timed(lambda at=place: flat.range_search(octets[at : at + 1], radius + 1))[0] * 1e3
            for place in places[:300]
        ]
        row("  faiss Flat, ms: median, p99", *map(float, np.percentile(took, [50, 99])))


def graphs(n: int, edges: int) -> None:
    pairs = np.random.default_rng(SEED).integers(0, n, (edges, 2))
    own = min(timed(lambda: components(n, pairs))[:2] for _ in range(3))
    row(f"components of {n:,}, {edges:,} edges: ours", *own)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(edges, dtype=np.int8)
    wall, cpu, _ = timed(
        lambda: connected_components(coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n)))
    )
    row("  scipy, labels in no order", wall, cpu)
    if importlib.util.find_spec("networkx"):
        import networkx as nx

        def walk() -> int:
            graph = nx.Graph()
            graph.add_nodes_from(range(n))
            graph.add_edges_from(pairs.tolist())
            return sum(1 for _ in nx.connected_components(graph))

        wall, cpu, _ = timed(walk)
        row("  networkx", wall, cpu, f"{wall / own[0]:.0f}x ours")


def bad_input(radius: int) -> None:
    """What would be quadratic work for a bucket of all."""
    rng = np.random.default_rng(SEED)
    same = np.tile(rng.integers(0, 2**64, (1, 4), dtype=np.uint64), (100_000, 1))
    wall, cpu, pairs = timed(lambda: pairs_within(same, radius))
    row("100,000 copies of one code", wall, cpu, f"{len(pairs):,}")
    n = len(same)
    coded = Coded(n, np.arange(n), np.repeat(same[:, None], 8, axis=1), np.zeros(n, dtype=bool))
    wall, cpu, near = timed(lambda: near_pairs(coded))
    row("  the same in eight turns, as pictures", wall, cpu, f"{len(near.pairs):,}")
    for n in (100_000, 1_000_000):
        codes = rng.integers(0, 2**64, (n, 4), dtype=np.uint64)
        codes[: 4 * n // 5, 0] = 7
        wall, cpu, pairs = timed(lambda c=codes: pairs_within(c, radius))
        row(f"80 % of {n:,} share one word", wall, cpu, f"{len(pairs):,}")


def from_registry(pictures: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for told in whole(Path(folder) / "registry", pictures, CORES):
            what = "read and cached" if told.pop("step") == "first" else "to candidate clusters"
            row(f"cached codes of {pictures:,}: {what}", told.pop("wall_s"), told.pop("cpu_s"))
            for name, value in told.items():
                row(f"    {name}", value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--radii", type=int, nargs="+", default=[31])
    parser.add_argument("--kinds", nargs="+", default=["random", "natural"])
    parser.add_argument("--rounds", type=int, default=3, help="of ours; the median counts")
    parser.add_argument("--sample", type=int, default=200, help="queries put to a peer")
    parser.add_argument("--peers", type=Path, help="a further folder of packages")
    parser.add_argument("--pictures", type=int, default=1_000_000, help="of the cached registry")
    parser.add_argument("--only", nargs="+", default=["pairs", "one", "graphs", "bad", "cache"])
    args = parser.parse_args()
    if args.peers:
        sys.path.append(str(args.peers))
    told = [
        f"{name} {importlib.metadata.version(name)}"
        for name in PACKAGES
        if importlib.util.find_spec(name.partition("-")[0])
    ]
    print(f"Python {platform.python_version()}, {', '.join(told)}, seed {SEED}, {CORES} cores")
    row("", "wall s", "CPU s", "pairs", "recall")
    if Engine.NUMBA in available():
        few = np.random.default_rng(SEED).integers(0, 2**64, (50, 4), dtype=np.uint64)
        wall, cpu, _ = timed(lambda: pairs_within(few, 31, engine=Engine.NUMBA))
        row("compilation, once a process", wall, cpu)
    for radius in args.radii:
        for kind in args.kinds:
            all_pairs(kind, radius, args)
    if "graphs" in args.only:
        graphs(1_000_000, 2_000_000)
    if "bad" in args.only:
        bad_input(args.radii[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MiB (the codes and the peers' indexes included)")
    if "cache" in args.only:
        from_registry(args.pictures)


def all_pairs(kind: str, radius: int, args: argparse.Namespace) -> None:
    before: tuple[int, float] | None = None
    for n in args.sizes:
        codes = natural(n) if kind == "natural" else random(n)
        if "pairs" in args.only:
            wall, cpu = ours(kind, codes, radius, args)
            for name, (their_wall, their_cpu) in peers(codes, radius, args.sample).items():
                row(f"  {name}, times ours", their_wall / wall, their_cpu / cpu)
            if before is not None:
                power = log(cpu / before[1]) / log(n / before[0])
                row(f"  growth from {before[0]:,}: CPU as n to the power", "", power)
            before = n, cpu
        if "one" in args.only and n == 1_000_000:
            lookups(codes, radius)


if __name__ == "__main__":
    main()
