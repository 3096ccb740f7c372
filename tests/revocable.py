"""A small registry's worth of descent, for tests that revoke: rows only, no bytes, no training."""

from __future__ import annotations

from types import SimpleNamespace

from picdeed.core.events import Event
from picdeed.core.ids import make_id, sha256
from picdeed.flow import pipeline
from picdeed.flow.revoke import Ground, Revoked, revoke
from picdeed.registry import conclusions, datasets, ledger
from picdeed.registry.bases import Base
from picdeed.registry.conclusions import Conclusion
from picdeed.registry.datasets import Member
from picdeed.registry.decisions import Decision
from picdeed.registry.grants import Grant, GrantSubject
from picdeed.registry.outputs import Output
from picdeed.registry.pictures import Picture
from picdeed.registry.runs import Adapter, Run
from picdeed.registry.session import Registry
from picdeed.registry.similar import Cluster, ClusterMember
from picdeed.registry.snapshots import Snapshot, SnapshotMember

AT = "2026-01-02T03:04:05.000000Z"
RAN = "2026-01-10T00:00:00.000000Z"


def picture(name: str, **changes) -> Picture:
    digest = sha256(name.encode())
    cells = {"id": make_id("img", digest), "sha256": digest, "bytes": 1, "width": 1, "height": 1}
    return Picture(**cells, media_type="image/png", first_seen=AT, **changes)


def run_row(number: str, base: Base, **changes) -> Run:
    cells = {
        "id": make_id("run", number * 64), "snapshot_id": make_id("snp", "1" * 64),
        "decision_id": make_id("dec", "1" * 64), "base_id": base.id, "recipe": {},
        "recipe_sha256": "", "state": "succeeded", "seed": 0, "steps": 1,
        "folder": f"runs/{number}", "started_at": RAN,
    }  # fmt: skip
    return Run(**(cells | changes))


def output(number: str, base: Base, **changes) -> Output:
    cells = {
        "id": make_id("out", number * 64), "adapter_id": make_id("adp", "1" * 64),
        "base_id": base.id, "run_id": make_id("run", "1" * 64), "recipe": {}, "prompt": "p",
        "seed": 0, "pixel_sha256": number * 64, "state": "good", "created_at": RAN,
        "manifest_label": f"urn:{number}", "sha256": number * 64,
    }  # fmt: skip
    return Output(**(cells | changes))


def make_world(registry: Registry) -> SimpleNamespace:
    """`a` and its copy in a snapshot with one finished run and one going on; `b` beside them."""
    a, copy, b = picture("a"), picture("copy"), picture("b")
    base = Base(id="bas_1", name="tiny", sha256="", license="MIT", deed={}, path="", added_at=AT)
    home = datasets.Dataset(id=datasets.dataset_id("birds"), name="birds", created_at=AT)
    frozen = Snapshot(id=make_id("snp", "1" * 64), root="", members=1, created_at=AT)
    decided = Decision(
        id=make_id("dec", "1" * 64), snapshot_id=frozen.id, base_id=base.id, uses=["train"],
        profile="conservative", commercial=True, verdict="ALLOW", reasons=[], duties=[], drop=[],
        inputs_hash="", policy_hash="", decided_at=AT, valid_until=AT,
    )  # fmt: skip
    done, going = run_row("1", base), run_row("2", base, state="running")
    adapter = Adapter(
        id=make_id("adp", "1" * 64), run_id=done.id, sha256="", path="", bytes=0, created_at=RAN
    )
    drawn = output("1", base)
    held = output("2", base, state="held", manifest_label=None, sha256=None)
    bare = output("3", base, adapter_id=None, run_id=None)
    group = Cluster(id="clu_1", kind="near", keeper=a.id)
    rows = [a, copy, b, base, home, frozen, decided, done, going, adapter, drawn, held, bare, group]
    rows += [ClusterMember(cluster_id=group.id, picture_id=one.id) for one in (a, copy)]
    rows.append(
        SnapshotMember(
            snapshot_id=frozen.id, picture_id=a.id, caption_sha256="", license="", leaf_sha256=""
        )
    )
    rows += [Member(dataset_id=home.id, picture_id=one.id, added_at=AT) for one in (a, b)]
    save(registry, *rows)
    for run in (done, going):
        (registry.root / run.folder).mkdir(parents=True)
    return SimpleNamespace(
        a=a.id, copy=copy.id, b=b.id, base=base.id, snapshot=frozen.id, done=done.id,
        going=going.id, adapter=adapter.id, drawn=drawn.id, held=held.id, bare=bare.id,
        registry=registry, home=home.id,
    )  # fmt: skip


def save(registry: Registry, *rows) -> None:
    with registry.write() as session:
        ledger.write(session, Event.INGEST_PICTURES, {}, rows)


def conclude(registry: Registry, **licenses: str) -> None:
    """Conclude each picture (by the name that made it) to a licence."""
    answers, rows = {}, []
    for name, license_ in licenses.items():
        cells = {
            "license": license_, "rule": "", "conflict": False, "opt_out": False, "checked": False,
            "verdicts": {}, "reasons": [], "findings": [], "grants": [], "until": None,
        }  # fmt: skip
        answer = conclusions.new_standing(cells)
        answers[answer.id] = answer
        rows.append(
            Conclusion(
                picture_id=picture(name).id, standing_id=answer.id, claims_hash="",
                policy_hash="", concluded_at=AT,
            )
        )  # fmt: skip
    save(registry, *answers.values(), *rows)


def contract(registry: Registry, covered: list[str], survival: str = "unknown") -> str:
    row = Grant(
        id=make_id("grt", "7" * 64), licensor="Ada", licensee="us", authority="", actions=["train"],
        scope="birds", starts=AT, survival=survival, terms={}, evidence_sha256="", evidence_name="",
        recorded_by="", recorded_at=AT,
    )  # fmt: skip
    save(
        registry,
        row,
        *(GrantSubject(grant_id=row.id, subject_id=one, matched=True) for one in covered),
    )
    return row.id


def do(registry: Registry, target: str, ground: Ground = Ground.TAKEDOWN, **options) -> Revoked:
    return revoke(registry, pipeline.rules(), target, ground, **options)


def states(done) -> dict[str, str]:
    lists = (getattr(done.impact, name) for name in done.impact.__slots__)
    return {one.id: one.state for touched in lists for one in touched}


def events(registry: Registry) -> int:
    with registry.read() as session:
        return ledger.last_event(session)[0]
