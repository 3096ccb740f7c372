"""How long until everything that descends from one picture is known, and until it is marked?

    python benchmarks/revocation.py --work /tmp/revocation --edges 1000000 --reach 100000

The walk: a descent graph of that many edges (pictures, copies, snapshots, runs, adapters,
outputs; cycles between copies), one picture of which reaches about `--reach` things. Beside ours
stand networkx on the same edges (in memory, and with reading them first) and the same recursive
query over text ids. All answers must be equal. The writing: a registry with real rows, one
takedown that reaches `--outputs` outputs through the ledger, effects and signed report included.
CPU seconds of this process, the median of interleaved rounds; the wall clock beside them.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import sqlalchemy as sa

from picdeed.core.events import Event
from picdeed.core.ids import sha256
from picdeed.registry import descent_edges as made
from picdeed.registry import ledger, pictures
from picdeed.registry.bases import Base
from picdeed.registry.decisions import Decision
from picdeed.registry.descent import Edge, Node, closure
from picdeed.registry.outputs import Output
from picdeed.registry.runs import Adapter, Run, RunState, Standing
from picdeed.registry.session import Registry, create_registry, utc_now
from picdeed.registry.snapshots import Snapshot, SnapshotMember
from picdeed.registry.tables import chunks, table_for

SEED = 11
TEXT = """
CREATE TABLE links (parent TEXT, child TEXT, PRIMARY KEY (parent, child)) WITHOUT ROWID
"""
WALK = """
WITH RECURSIVE reached(id) AS (
  SELECT ? UNION SELECT links.child FROM links JOIN reached ON links.parent = reached.id
) SELECT id FROM reached
"""


def name(kind: str, number: int) -> str:
    return f"{kind}_{sha256(f'{kind}{number}'.encode())}"


def graph(edges: int, reach: int) -> tuple[str, list[tuple[str, str, str]]]:
    """One picture that reaches about `reach` things, inside a graph of about `edges` edges."""
    chance = random.Random(SEED)
    found: dict[tuple[str, str], str] = {}

    def link(parent: str, child: str, word: str) -> None:
        found[parent, child] = word

    shown = [name("img", n) for n in range(edges // 8)]
    for n in range(0, len(shown) // 10, 2):  # a tenth has a copy: cycles
        group = name("clu", n)
        for one in shown[n : n + 2]:
            link(one, group, "copy")
            link(group, one, "copy")
    target, drawn, number = shown[0], 0, 0
    while len(found) < edges:
        frozen, run, adapter = (name(kind, number) for kind in ("snp", "run", "adp"))
        ours = drawn < reach
        members = chance.sample(shown[2000:], 200)
        for one in [*members, *([target] if ours else [])]:
            link(one, frozen, "frozen-in")
        link(frozen, run, "trained")
        link(run, adapter, "made")
        for n in range(1_000):
            link(adapter, name("out", number * 1_000 + n), "drew")
        drawn += 1_000 * ours
        number += 1
    return target, [(a, b, word) for (a, b), word in found.items()]


def store(registry: Registry, links: list[tuple[str, str, str]], text: sqlite3.Connection) -> None:
    subjects = sorted({one for link in links for one in link[:2]})
    random.Random(SEED).shuffle(subjects)
    known = {subject: number for number, subject in enumerate(subjects, 1)}
    with registry.write() as session:
        for part in chunks(subjects, 20_000):
            rows = [{"id": known[one], "subject": one} for one in part]
            session.execute(sa.insert(table_for(Node)), rows)
        for part in chunks(sorted((known[a], known[b], word) for a, b, word in links), 20_000):
            rows = [{"parent": a, "child": b, "relation": word} for a, b, word in part]
            session.execute(sa.insert(table_for(Edge)), rows)
    text.execute(TEXT)
    text.executemany("INSERT INTO links VALUES (?, ?)", sorted((a, b) for a, b, _ in links))
    text.commit()


def clocked(work: Callable[[], object]) -> tuple[float, float, object]:
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    return time.process_time() - cpu, time.perf_counter() - wall, answer


def walks(where: Path, edges: int, reach: int, rounds: int) -> None:
    target, links = graph(edges, reach)
    registry = create_registry(where / "walk")
    text = sqlite3.connect(where / "text.sqlite")
    store(registry, links, text)
    oracle = nx.DiGraph((a, b) for a, b, _ in links)

    def ours() -> list[str]:
        with registry.read() as session:
            return closure(session, [target])

    def plain() -> list[str]:
        return sorted(row[0] for row in text.execute(WALK, (target,)))

    def memory() -> list[str]:
        return sorted({target, *nx.descendants(oracle, target)})

    def loaded() -> list[str]:
        read = nx.DiGraph(text.execute("SELECT parent, child FROM links").fetchall())
        return sorted({target, *nx.descendants(read, target)})

    peers = {
        "picdeed, integers, SQLite": ours,
        "recursive SQL over text ids": plain,
        "networkx, in memory already": memory,
        "networkx, read from SQLite": loaded,
    }
    taken: dict[str, list[tuple[float, float]]] = {peer: [] for peer in peers}
    answers = {}
    for _ in range(rounds):
        for peer, work in peers.items():
            cpu, wall, answers[peer] = clocked(work)
            taken[peer].append((cpu, wall))
    first = answers["picdeed, integers, SQLite"]
    assert all(answer == first for answer in answers.values()), "the answers differ"
    print(f"{len(links):,} edges, {oracle.number_of_nodes():,} things; {len(first):,} descend")
    print(f"{'the walk':<30} {'CPU s':>8} {'wall s':>8}   all answers equal")
    for peer, times in taken.items():
        cpu, wall = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{peer:<30} {cpu:>8.3f} {wall:>8.3f}")
    print("limit for ours: 1 s")


def lived(where: Path, count: int) -> tuple[Registry, str]:
    """A registry with one picture, one snapshot, run and adapter, and `count` outputs."""
    registry = create_registry(where / "lived")
    digest, now = sha256(b"one"), utc_now()
    base = Base(id="bas_1", name="b", sha256="", license="MIT", deed={}, path="", added_at=now)
    shown = pictures.Picture(
        id=pictures.picture_id(digest), sha256=digest, bytes=3, media_type="image/png",
        width=1, height=1, first_seen=now,
    )  # fmt: skip
    frozen = Snapshot(id="snp_1", root="", members=1, created_at=now)
    member = SnapshotMember(
        snapshot_id="snp_1", picture_id=shown.id, caption_sha256="", license="", leaf_sha256=""
    )
    decided = Decision(
        id="dec_1", snapshot_id="snp_1", base_id="bas_1", uses=[], profile="", commercial=True,
        verdict="ALLOW", reasons=[], duties=[], drop=[], inputs_hash="", policy_hash="",
        decided_at=now, valid_until=now,
    )  # fmt: skip
    run = Run(
        id="run_1", snapshot_id="snp_1", decision_id="dec_1", base_id="bas_1", recipe={},
        recipe_sha256="", state=RunState.SUCCEEDED, seed=0, steps=1, folder="runs/1",
        started_at=now,
    )  # fmt: skip
    adapter = Adapter(id="adp_1", run_id="run_1", sha256="", path="", bytes=0, created_at=now)
    rows = [base, shown, frozen, member, decided, run, adapter]
    with registry.write() as session:
        ledger.write(session, Event.INGEST_PICTURES, {}, rows)
    for part in chunks(range(count), 20_000):
        drawn = [
            Output(
                id=name("out", n), adapter_id="adp_1", base_id="bas_1", run_id="run_1", recipe={},
                prompt="", seed=n, pixel_sha256="", state=Standing.GOOD, created_at=now,
            )
            for n in part
        ]  # fmt: skip
        with registry.write() as session:
            ledger.write(session, Event.GENERATE_DRAWN, {}, drawn)
    return registry, shown.id


def writes(where: Path, count: int) -> None:
    from picdeed.flow import pipeline
    from picdeed.flow.revoke import Ground, revoke

    registry, target = lived(where, count)
    with registry.write() as session:
        cpu, wall, _ = clocked(lambda: made.catch_up(session))
    print(f"\n{'the writing':<30} {'CPU s':>8} {'wall s':>8}   {count:,} outputs")
    print(f"{'graph made anew':<30} {cpu:>8.3f} {wall:>8.3f}")
    rules = pipeline.rules()
    for simulate in (True, False):
        what = "simulated" if simulate else "applied"
        cpu, wall, done = clocked(
            lambda: revoke(registry, rules, target, Ground.TAKEDOWN, simulate=simulate)  # noqa: B023
        )
        assert len(done.impact.outputs) == count
        print(f"{'takedown, ' + what:<30} {cpu:>8.3f} {wall:>8.3f}")
    cpu, wall, again = clocked(lambda: revoke(registry, rules, target, Ground.TAKEDOWN))
    assert again.revocation == done.revocation
    print(f"{'takedown, repeated':<30} {cpu:>8.3f} {wall:>8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--reach", type=int, default=100_000)
    parser.add_argument("--outputs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    shutil.rmtree(given.work, ignore_errors=True)
    given.work.mkdir(parents=True)
    walks(given.work, given.edges, given.reach, given.rounds)
    if given.outputs:
        writes(given.work, given.outputs)


if __name__ == "__main__":
    main()
