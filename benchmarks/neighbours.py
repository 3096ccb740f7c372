"""How long until all pairs of near codes are known, and one picture is looked up? Beside whom?

    python benchmarks/neighbours.py --sizes 100000 1000000 --radii 31 49
    python benchmarks/neighbours.py --sizes 10000000 --radii 31 --no-peers

Codes of 256 bits, from a seed: `random` ones, evenly spread, and `natural` ones, codes of
procedural pictures whose bits depend on each other as those of photographs do (a few thousand
pictures, their spectra mixed). 5 % are copies of others with 0 to 40 bits flipped. Peers are used
where they are installed (faiss-cpu, pynear, networkx) and answer a sample of the codes, scaled to
all of them; ours is measured whole, compilation apart. Recall is against brute force on a sample.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from picdeed.imaging.codes import codes_of, variants
from picdeed.imaging.dealing import Chunk
from picdeed.imaging.index import build
from picdeed.imaging.join import Engine, available, chunk_pass
from picdeed.imaging.neighbours import components, first_equal, pairs_within

SEED = 5
PACKAGES = ("numpy", "scipy", "numba", "faiss-cpu", "pynear", "networkx")


def pictures(count: int) -> list[Image.Image]:
    """Soft fields over several scales, as the light in photographs is spread."""
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(count):
        total = np.zeros((128, 128), dtype=np.float32)
        for cells in (3, 6, 12, 24, 48):
            field = Image.fromarray(rng.normal(size=(cells, cells)).astype(np.float32))
            total += np.asarray(field.resize((128, 128), Image.Resampling.BICUBIC)) * 3 / cells
        total = (total - total.min()) / (np.ptp(total) + 1e-6) * 255
        found.append(Image.fromarray(total.astype(np.uint8)).convert("RGB"))
    return found


def natural(n: int) -> np.ndarray:
    rng = np.random.default_rng(SEED + 1)
    spectra = np.stack([code.coefficients for code in codes_of(pictures(3_000))])
    out = np.empty((n, 4), dtype=np.uint64)
    for start in range(0, n, 20_000):
        size = min(20_000, n - start)
        parts = [spectra[rng.integers(0, len(spectra), size)] for _ in range(3)]
        weights = rng.dirichlet((1, 1, 1), size).astype(np.float32)
        mixed = sum(w[:, None] * part for w, part in zip(weights.T, parts, strict=True))
        turned = variants(mixed)
        out[start : start + size] = turned[np.arange(size), rng.integers(0, 8, size)]
    return out


def planted(codes: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(SEED + 2)
    n = len(codes)
    places = rng.permutation(n)[: n // 20]
    codes[places] = codes[rng.integers(0, n, len(places))]
    flips = rng.integers(0, 41, len(places))
    for step in range(40):
        some = places[flips > step]
        bit = rng.integers(0, 256, len(some))
        codes[some, bit // 64] ^= np.uint64(1) << (bit % 64).astype(np.uint64)
    return codes


def timed(work: Callable[[], object]) -> tuple[float, float, object]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def row(*cells: object) -> None:
    shown = [f"{c:.3g}" if isinstance(c, float) else f"{c}" for c in cells]
    print(
        "  ".join(f"{c:<30}" if at == 0 else f"{c:>12}" for at, c in enumerate(shown)), flush=True
    )


def recall(codes: np.ndarray, pairs: np.ndarray, radius: int, sample: int) -> float:
    """Share of the pairs that a scan finds for some codes and that the join gave."""
    rng = np.random.default_rng(SEED + 3)
    first = first_equal(codes)
    asked = rng.choice(np.flatnonzero(first == np.arange(len(codes))), sample, replace=False)
    given = set(map(tuple, pairs.tolist()))
    wanted = found = 0
    for one in asked.tolist():
        apart = np.bitwise_count(codes ^ codes[one]).sum(axis=1)
        for other in np.flatnonzero(apart <= radius).tolist():
            if other != one and (first[other] == other or first[other] == one):
                wanted += 1
                found += (min(one, other), max(one, other)) in given
    return found / wanted if wanted else 1.0


def ours(kind: str, codes: np.ndarray, radius: int, args: argparse.Namespace) -> None:
    name = f"{kind} {len(codes):,} r{radius}"
    engine = available()[0]
    for threads in args.threads:
        wall, cpu, pairs = timed(
            lambda t=threads: pairs_within(codes, radius, threads=t, engine=engine)
        )
        share = recall(codes, pairs, radius, 200 if len(codes) <= 1_000_000 else 20)
        row(f"ours {name} x{threads}", wall, cpu, f"{len(pairs):,}", share)
    if args.numpy:
        wall, cpu, pairs = timed(
            lambda: pairs_within(codes, radius, threads=1, engine=Engine.NUMPY)
        )
        row(f"ours in numpy {name}", wall, cpu, f"{len(pairs):,}")


def peers(codes: np.ndarray, radius: int, sample: int) -> None:
    n = len(codes)
    octets = codes.view(np.uint8)
    some = octets[np.random.default_rng(SEED + 4).choice(n, sample, replace=False)]
    name = f"{n:,} r{radius}"
    if importlib.util.find_spec("faiss"):
        import faiss

        faiss.omp_set_num_threads(1)
        flat = faiss.IndexBinaryFlat(256)
        flat.add(octets)
        wall, cpu, _ = timed(lambda: flat.range_search(some, radius + 1))
        row(f"faiss Flat ({sample} of {name})", wall * n / sample, cpu * n / sample, "scaled")
        chunks, flips = 16, radius // 16
        if flips <= 2:
            hashed = faiss.IndexBinaryMultiHash(256, chunks, 256 // chunks)
            hashed.add(octets)
            hashed.nflip = flips
            few = some[: max(20, sample // 5)]
            wall, cpu, _ = timed(lambda: hashed.range_search(few, radius + 1))
            scale = n / len(few)
            row(f"faiss MultiHash ({len(few)} of {name})", wall * scale, cpu * scale, "scaled")
    if importlib.util.find_spec("pynear") and radius <= 31:
        import pynear

        tree = pynear.MIHBinaryIndex(16)
        tree.set(octets)
        few = some[: max(20, sample // 5)]
        wall, cpu, _ = timed(lambda: tree.searchKNN_arrays(few, 50, radius))
        scale = n / len(few)
        row(f"pynear MIH, 50 nearest ({len(few)} of {name})", wall * scale, cpu * scale, "scaled")
    if Engine.NUMBA in available():
        one, share = codes[:500], (radius + 1) // 4
        whole = [Chunk(word, 0, 0, share, share) for word in range(4)]  # one bucket for all

        def scan() -> None:
            for which in range(4):
                list(chunk_pass(one, codes, whole, which, radius, engine=Engine.NUMBA))

        wall, cpu, _ = timed(scan)
        row(f"numba, all with all ({name})", wall * n / 1_000, cpu * n / 1_000, "scaled")
    few = codes[:20]
    wall, cpu, _ = timed(
        lambda: [(np.bitwise_count(codes ^ code).sum(axis=1) <= radius).sum() for code in few]
    )
    row(f"numpy, all with all ({name})", wall * n / 40, cpu * n / 40, "scaled")


def lookups(codes: np.ndarray, radius: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu, index = timed(lambda: build(Path(folder), codes, radius, "benchmark"))
        row(f"index of {len(codes):,} r{radius}: build", wall, cpu, "")
        index.query(codes[0])
        took = []
        for place in np.random.default_rng(SEED).integers(0, len(codes), 3_000):
            wall, _, _ = timed(lambda at=place: index.query(codes[at]))
            took.append(wall * 1e3)
        median, high = np.percentile(took, [50, 99])
        row("  one picture, ms median, p99", float(median), float(high), "")


def graphs(n: int, edges: int) -> None:
    pairs = np.random.default_rng(SEED).integers(0, n, (edges, 2))
    wall, cpu, _ = timed(lambda: components(n, pairs))
    row(f"components {n:,}, {edges:,} edges", wall, cpu, "")
    if importlib.util.find_spec("networkx"):
        import networkx as nx

        def walk() -> int:
            graph = nx.Graph()
            graph.add_nodes_from(range(n))
            graph.add_edges_from(pairs.tolist())
            return sum(1 for _ in nx.connected_components(graph))

        wall, cpu, _ = timed(walk)
        row("  networkx", wall, cpu, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--radii", type=int, nargs="+", default=[31])
    parser.add_argument("--kinds", nargs="+", default=["random", "natural"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--sample", type=int, default=200, help="queries put to a peer")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--numpy", action="store_true", help="our engine without numba, too")
    args = parser.parse_args()
    told = [
        f"{name} {importlib.metadata.version(name)}"
        for name in PACKAGES
        if importlib.util.find_spec(name.partition("-")[0])
    ]
    print(f"Python {platform.python_version()}, {', '.join(told)}, seed {SEED}")
    row("", "wall s", "CPU s", "pairs", "recall")
    if Engine.NUMBA in available():
        rng = np.random.default_rng(SEED)
        few = rng.integers(0, 2**64, (50, 4), dtype=np.uint64)
        wall, cpu, _ = timed(lambda: pairs_within(few, 31, engine=Engine.NUMBA))
        row("compilation, once a process", wall, cpu, "")
    for n in args.sizes:
        for kind in args.kinds:
            rng = np.random.default_rng(SEED)
            made = natural(n) if kind == "natural" else rng.integers(0, 2**64, (n, 4), np.uint64)
            codes = planted(made)
            for radius in args.radii:
                ours(kind, codes, radius, args)
                if not args.no_peers:
                    peers(codes, radius, args.sample)
            if kind == "natural" and n <= 1_000_000:
                for radius in args.radii:
                    lookups(codes, radius)
    if not args.no_peers:
        graphs(1_000_000, 2_000_000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MiB (the codes and the peers' indexes included)")


if __name__ == "__main__":
    main()
