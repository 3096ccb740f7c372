"""How long does one verdict over a million pictures take, from the snapshot's stored counts?

    python benchmarks/gate.py --work /tmp/gate --pictures 1000000 --sets 500

Builds a registry through the ledger (pictures, claims, conclusions, one snapshot; kept in the work
folder and used again), then asks the gate. Beside it: counting the members by standing in SQL each
time, and judging every picture by itself. Times are CPU seconds of this process, the median of
interleaved rounds; the wall clock stands beside them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from picdeed.core.events import Event
from picdeed.core.ids import sha256
from picdeed.core.resources import bundled
from picdeed.flow import pipeline
from picdeed.flow.gate import gate
from picdeed.flow.license import settle
from picdeed.flow.snapshot import Query, snapshot
from picdeed.flow.standing import group_of
from picdeed.registry import claims, conclusions, datasets, ledger, pictures, rollups
from picdeed.registry.conclusions import Conclusion
from picdeed.registry.session import Registry, create_registry, open_registry, utc_now
from picdeed.registry.snapshots import SnapshotMember
from picdeed.rights.catalogue import Catalogue, load_catalogue
from picdeed.rights.decide import Question, decide
from picdeed.rights.judge import judge_group
from picdeed.rights.verdict import Use

SEED = 7
CHUNK = 20_000
USES = (Use.TRAIN, Use.SHARE_ADAPTER, Use.SELL_ADAPTER, Use.PUBLISH_OUTPUTS, Use.SELL_OUTPUTS)


def expressions(catalogue: Catalogue, sets: int) -> list[str]:
    """Distinct licence sets: singles, pairs under AND, pairs under OR."""
    names = sorted(name for name in catalogue.licenses if "LicenseRef" not in name)
    found = list(names)
    for joint in (" AND ", " OR "):
        found += [joint.join(pair) for pair in itertools.combinations(names, 2)]
    random.Random(SEED).shuffle(found)
    return found[:sets]


def build(where: Path, catalogue: Catalogue, count: int, sets: int) -> tuple[Registry, str]:
    """The registry and its snapshot; as slow as the real path, and made once."""
    done = where / "done.json"
    if done.is_file():
        return open_registry(where), json.loads(done.read_text())["snapshot"]
    registry = create_registry(where)
    pipeline.init(where)
    names = expressions(catalogue, sets)
    home = datasets.Dataset(id=datasets.dataset_id("all"), name="all", created_at=utc_now())
    began = time.perf_counter()
    for start in range(0, count, CHUNK):
        now = utc_now()
        rows: list[object] = [home] if start == 0 else []
        for number in range(start, min(start + CHUNK, count)):
            digest = sha256(f"{SEED} {number}".encode())
            picture = pictures.picture_id(digest)
            expression = names[number % len(names)]
            rows += [
                pictures.Picture(
                    id=picture, sha256=digest, bytes=1, media_type="image/png", width=1, height=1,
                    first_seen=now,
                ),
                datasets.Member(dataset_id=home.id, picture_id=picture, added_at=now),
                claims.new_claim(
                    picture, source="item-metadata", kind="license", raw=expression,
                    parsed=expression, status="parsed", parser="bench/1", observed_at=now,
                ),
            ]  # fmt: skip
        with registry.write() as session:
            ledger.write(session, Event.INGEST_PICTURES, {"n": len(rows)}, rows)
        print(f"  registered {start + CHUNK}, {time.perf_counter() - began:.0f} s", flush=True)
    began = time.perf_counter()
    settle(registry, catalogue)
    print(f"  concluded {count} pictures in {time.perf_counter() - began:.0f} s", flush=True)
    began = time.perf_counter()
    frozen = snapshot(registry, catalogue, "all", Query(all=True)).snapshot
    print(f"  froze them in {time.perf_counter() - began:.0f} s", flush=True)
    assert frozen is not None
    done.write_text(json.dumps({"snapshot": frozen}))
    return registry, frozen


def counted_each_time(registry: Registry, catalogue: Catalogue, frozen: str) -> str:
    """Without stored counts: one GROUP BY over the members."""
    with registry.read() as session:
        rows = session.execute(
            sa.select(Conclusion.standing_id, sa.func.count())
            .join(SnapshotMember, SnapshotMember.picture_id == Conclusion.picture_id)
            .where(SnapshotMember.snapshot_id == frozen)
            .group_by(Conclusion.standing_id)
        ).all()
        answers = conclusions.standings(session, {row[0] for row in rows})
    groups = [group_of(answers[standing], n) for standing, n in rows]
    return str(decide(groups, catalogue.base("sprig"), Question(USES), catalogue).verdict)


def each_by_itself(registry: Registry, catalogue: Catalogue, frozen: str, most: int) -> float:
    """CPU seconds for judging every picture alone, from the first `most` of them."""
    reading = Question(USES).reading(catalogue)
    with registry.read() as session:
        wanted = sa.select(SnapshotMember.picture_id).where(SnapshotMember.snapshot_id == frozen)
        ids = list(session.scalars(wanted.limit(most)))
        began = time.process_time()
        for row in conclusions.conclusions(session, ids).values():
            for use in USES:
                judge_group(group_of(row.standing), use, reading)
    return time.process_time() - began


def timed(work: Callable[[], object]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--work", type=Path, default=Path("/tmp/picdeed-gate"))  # noqa: S108
    options.add_argument("--pictures", type=int, default=1_000_000)
    options.add_argument("--sets", type=int, default=500)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    catalogue = load_catalogue(bundled("configs"))
    where = given.work / f"{given.pictures}-{given.sets}"
    registry, frozen = build(where, catalogue, given.pictures, given.sets)

    def ours() -> str:
        return gate(registry, catalogue, frozen, "sprig", USES, profile="conservative").verdict

    def cold() -> object:
        with registry.write() as session:
            session.execute(sa.delete(rollups.SnapshotCount))
            session.execute(sa.delete(rollups.Watermark))
            rollups.set_watermark(session, "license")
            return rollups.counts(session, frozen)

    settle(registry, catalogue)  # the rules may have changed since the registry was built
    first = timed(cold)
    recorded = timed(ours)
    rounds: dict[str, list[tuple[float, float]]] = {"gate": [], "settle + gate": [], "SQL": []}
    for _ in range(given.rounds):
        rounds["gate"].append(timed(lambda: decided(registry, catalogue, frozen)))
        rounds["settle + gate"].append(timed(lambda: (settle(registry, catalogue), ours())))
        rounds["SQL"].append(timed(lambda: counted_each_time(registry, catalogue, frozen)))
    sample = min(20_000, given.pictures)
    alone = each_by_itself(registry, catalogue, frozen, sample) * given.pictures / sample
    print(f"{given.pictures} pictures, {given.sets} licence sets, {len(USES)} uses, seed {SEED}")
    print(f"Python {platform.python_version()}, SQLite, SQLAlchemy {sa.__version__}")
    base = statistics.median(cpu for cpu, _ in rounds["gate"])
    for name, said in (
        ("gate", "gate, made anew from stored counts"),
        ("settle + gate", "pending work + the same decision"),
        ("SQL", "counted by SQL each time"),
    ):
        cpu = statistics.median(c for c, _ in rounds[name])
        wall = statistics.median(w for _, w in rounds[name])
        print(f"{said:38} {cpu:8.3f} s CPU {wall:8.3f} s wall  x{cpu / base:.1f}")
    print(
        f"{'gate, recorded the first time':38} {recorded[0]:8.3f} s CPU {recorded[1]:8.3f} s wall"
    )
    print(f"{'counts made for the first time':38} {first[0]:8.3f} s CPU {first[1]:8.3f} s wall")
    print(f"{'each picture by itself (scaled up)':38} {alone:8.1f} s CPU  x{alone / base:.0f}")


def decided(registry: Registry, catalogue: Catalogue, frozen: str) -> object:
    """What `gate` does for a decision that it does not know yet, but for the one row it writes."""
    with registry.write() as session:
        known = rollups.counts(session, frozen)
        answers = conclusions.standings(session, {standing for standing, _, _ in known.pictures})
    groups = [group_of(answers[standing], size) for standing, _, size in known.pictures]
    return decide(groups, catalogue.base("sprig"), Question(USES), catalogue)


if __name__ == "__main__":
    main()
