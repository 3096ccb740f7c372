"""How long from the cached codes of a registry to candidate clusters, and how much memory?

    python benchmarks/from_cache.py [--pictures 1000000]     # all three, in a folder for the time
    python benchmarks/from_cache.py make DIR --pictures 1000000
    python benchmarks/from_cache.py first DIR      # reads the database and makes the cache
    python benchmarks/from_cache.py run DIR        # from the cache to clusters, compiling included

`make` writes pictures, codes and fingerprints straight into a new registry's tables, past the
ledger: 5 % copies, half of them turned, a fifth framed (`made_codes.collection`). `run` reports
wall time, CPU time and peak memory of its own process, and which planted copies were proposed.
`neighbours.py` calls all three.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from made_codes import SEED, collection

from picdeed.imaging.codes import ALGORITHM
from picdeed.imaging.fingerprints import ALGORITHM as FINGERPRINT

AT = "2026-01-01T00:00:00.000000Z"
ROWS = 20_000


def make(folder: Path, n: int) -> None:
    from picdeed.registry.session import create_registry

    create_registry(folder).close()
    made = collection(n)
    rng = np.random.default_rng(SEED + 7)
    digests = [hashlib.sha256(b"%d" % at).hexdigest() for at in range(n)]
    inner = dict(zip(made.inner_of.tolist(), range(len(made.inner)), strict=True))
    base = sqlite3.connect(folder / "registry.sqlite")
    base.execute("PRAGMA synchronous = OFF")
    for start in range(0, n, ROWS):
        some = range(start, min(n, start + ROWS))
        outer = hexed(made.turned[start : start + ROWS])
        within = {at: hexed(made.inner[[inner[at]]])[0] for at in some if at in inner}
        colours = rng.integers(0, 256, (len(some), 192), dtype=np.uint8)
        marks = rng.integers(0, 2**63, (len(some), 2)).tolist()
        pictures, codes, fingerprints = [], [], []
        for at, turned, grid, (one, other) in zip(some, outer, colours, marks, strict=True):
            name = f"img_{digests[at]}"
            pictures.append((name, digests[at], 9, "image/png", 640, 480, "good", AT))
            trimmed = within.get(at)
            box = None if trimmed is None else "[1,1,639,479]"
            codes.append((name, ALGORITHM, turned, trimmed, box, 90, grid.tobytes().hex(), AT))
            fingerprints.append((name, FINGERPRINT, f"{one:016x}", f"{other:016x}", AT))
        for table, columns, rows in (
            ("pictures", "id,sha256,bytes,media_type,width,height,state,first_seen", pictures),
            (
                "codes",
                "picture_id,algorithm,turned,turned_trimmed,trim_box,quality,colours,created_at",
                codes,
            ),
            ("fingerprints", "picture_id,algorithm,phash,dhash,created_at", fingerprints),
        ):
            holes = ",".join("?" * len(rows[0]))
            base.executemany(f"INSERT INTO {table} ({columns}) VALUES ({holes})", rows)  # noqa: S608
        base.commit()
    base.close()
    names = np.array([f"img_{one}" for one in digests], dtype="S68")
    np.savez(folder / "planted.npz", names=names, pairs=made.pairs, turns=made.turns,
             framed=made.framed)  # fmt: skip


def hexed(codes: np.ndarray) -> list[str]:
    """512 digits for each uint64[8, 4], the highest digits of a code first."""
    text = np.ascontiguousarray(codes[..., ::-1]).astype(">u8").tobytes().hex()
    return [text[at : at + 512] for at in range(0, len(text), 512)]


def first(folder: Path) -> dict[str, float]:
    from picdeed.registry.code_cache import cached_columns
    from picdeed.registry.session import open_registry

    began = time.perf_counter(), time.process_time()
    columns = cached_columns(open_registry(folder), ALGORITHM, FINGERPRINT)
    return {"pictures": len(columns), **spent(began)}


def run(folder: Path, threads: int | None) -> dict[str, float]:
    from picdeed.flow.likeness import of_columns
    from picdeed.imaging.near import near_pairs
    from picdeed.imaging.neighbours import components
    from picdeed.registry.code_cache import cached_columns
    from picdeed.registry.session import open_registry

    began = time.perf_counter(), time.process_time()
    columns = cached_columns(open_registry(folder), ALGORITHM, FINGERPRINT)
    coded = of_columns(columns)
    loaded = time.perf_counter() - began[0]
    near = near_pairs(coded, threads=threads)
    labels = components(coded.n, near.pairs)
    sizes = np.bincount(labels)
    found = {
        "codes": len(coded.owner), "load_s": loaded, **spent(began),
        "pairs": len(near.pairs), "clusters": int((sizes > 1).sum()),
        "upright": near.within.upright, "turned": near.within.turned,
    }  # fmt: skip
    found |= asked_alone(coded, near)
    return found | recall(folder, columns, coded, near)


def asked_alone(coded, near) -> dict[str, float]:
    """What ten and a thousand new pictures cost, and whether that is a part of the whole answer."""
    from picdeed.imaging.near import near_pairs

    told: dict[str, float] = {}
    for count in (10, 1_000):
        new = np.random.default_rng(SEED).choice(coded.n, min(count, coded.n), replace=False)
        began = time.perf_counter(), time.process_time()
        few = near_pairs(coded, new=new)
        told |= {f"new_{count}_{name}": value for name, value in spent(began).items()}
        wanted = near.pairs[np.isin(near.pairs, new).any(axis=1)]
        told[f"new_{count}_equal"] = bool(np.array_equal(few.pairs, wanted))
    return told


def recall(folder: Path, columns, coded, near) -> dict[str, float]:
    planted = np.load(folder / "planted.npz")
    place = {name: at for at, name in enumerate(columns.names.tolist())}
    rows = np.array([place[name] for name in planted["names"].tolist()])
    pairs = np.sort(rows[planted["pairs"]], axis=1)
    found = np.isin(
        pairs[:, 0] * coded.n + pairs[:, 1], near.pairs[:, 0] * coded.n + near.pairs[:, 1]
    )
    # Complete means: every planted pair that has two codes within the radius.
    order = np.argsort(coded.owner, kind="stable")
    ends = np.searchsorted(coded.owner[order], np.arange(coded.n + 1))
    reachable = np.zeros(len(pairs), dtype=bool)
    for at, (one, other) in enumerate(pairs.tolist()):
        mine, theirs = (order[ends[x] : ends[x + 1]] for x in (one, other))
        for asked, still in ((mine, theirs), (theirs, mine)):
            apart = np.bitwise_count(
                coded.turned[asked][:, :, None] ^ coded.turned[still][None, None, :, 0]
            )
            apart = apart.sum(axis=3).min(axis=(0, 2))
            reachable[at] |= bool(apart[0] <= near.within.upright)
            reachable[at] |= bool(apart[[1, 2, 3, 4, 5, 7]].min() <= near.within.turned)
    upright = planted["turns"] == 0
    return {
        "recall": float(found[reachable].mean()),
        "found_upright": float(found[upright & ~planted["framed"]].mean()),
        "found_turned": float(found[~upright].mean()),
        "found_framed": float(found[planted["framed"]].mean()),
    }


def spent(began: tuple[float, float]) -> dict[str, float]:
    # Not getrusage: a process started from a large one would name that one's peak.
    status = Path("/proc/self/status").read_text().split()
    peak = int(status[status.index("VmHWM:") + 1]) / 1024
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    return {"wall_s": wall, "cpu_s": cpu, "peak_mib": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["all", "make", "first", "run"], nargs="?", default="all")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    if args.what == "all":
        with tempfile.TemporaryDirectory() as folder:
            for told in whole(Path(folder) / "registry", args.pictures, args.threads):
                print(json.dumps(told, indent=1))
        return
    if args.what == "make":
        make(args.folder, args.pictures)
        return
    print(
        json.dumps(first(args.folder) if args.what == "first" else run(args.folder, args.threads))
    )


def whole(folder: Path, pictures: int, threads: int | None = None) -> Iterator[dict[str, float]]:
    """Each step in a process of its own, so that its peak memory is its own."""
    for what in ("make", "first", "run"):
        command = [sys.executable, __file__, what, str(folder), "--pictures", str(pictures)]
        command += [] if threads is None else ["--threads", str(threads)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        if done.stdout.strip():
            yield {"step": what, **json.loads(done.stdout)}


if __name__ == "__main__":
    main()
