"""What does picdeed do, in five minutes? The whole flow on its own drawings, through pipeline.

Nothing here knows an outcome beforehand: who was stopped, and why, is read from what the stages
returned.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from picdeed.core.events import Progress, silent
from picdeed.diffusion.recipe import default_preset, load_recipe
from picdeed.flow import pipeline
from picdeed.flow.credential import Released
from picdeed.flow.init import EMBEDDED
from picdeed.flow.train import Launch
from picdeed.registry import conclusions, similar, snapshots
from picdeed.registry.session import Registry, open_registry
from picdeed.rights.verdict import Use
from picdeed.sources.demo_set import Cause, DemoSet, write_demo_pictures
from picdeed.sources.linocut import UNSEEN, caption

DATASET = "linocuts"
USES = (Use.TRAIN, Use.SHARE_ADAPTER, Use.PUBLISH_OUTPUTS)
EACH = 2  # pictures a subject
SEED = 7


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo did; `document` is what `--json` prints."""

    folder: Path
    registry: Path
    snapshot: str
    decision: str
    run: str
    adapter: str
    outputs: tuple[Released, ...]
    intact: int
    revoked_impact: dict[str, int]
    seconds: dict[str, float]
    stopped: tuple[tuple[str, str, str, str], ...]
    table: tuple[tuple[str, str], ...]
    next_commands: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The contract's keys."""
        return {
            "registry": self.registry,
            "snapshot": self.snapshot,
            "decision": self.decision,
            "run": self.run,
            "adapter": self.adapter,
            "outputs": self.outputs,
            "verified": {"intact": self.intact, "total": len(self.outputs)},
            "revoked_impact": self.revoked_impact,
            "seconds": self.seconds,
            "stopped": [
                dict(zip(("picture", "cause", "by", "why"), row, strict=True))
                for row in self.stopped
            ],
        }


@dataclass(slots=True)
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - begun, 2)


def run_demo(where: Path, launch: Launch, *, progress: Progress = silent) -> Demo:
    """The whole flow in the folder `where`: pictures/, outputs/ and the registry .picdeed/."""
    where = where.absolute()
    clock = _Clock()
    with clock.stage("init"):
        root = where if (where / "registry.sqlite").is_file() else where / ".picdeed"
        pipeline.init(root)
        registry = open_registry(root)
    with clock.stage("ingest"):
        drawn = _pictures(where / "pictures")
        registered = pipeline.register(registry, drawn.folder, DATASET, progress=progress)
    with clock.stage("snapshot"):
        query = pipeline.Query(uses=USES)
        frozen = pipeline.freeze(registry, DATASET, query, progress=progress)
    assert frozen.snapshot is not None  # noqa: S101 - the set holds pictures that may be used
    with clock.stage("gate"):
        gated = pipeline.judge(registry, frozen.snapshot, EMBEDDED, USES, progress=progress)
    with clock.stage("train"):
        recipe = load_recipe(default_preset(EMBEDDED))
        trained = pipeline.fine_tune(
            registry, frozen.snapshot, EMBEDDED, recipe, launch, uses=USES, progress=progress
        )
    with clock.stage("generate"):
        outputs: list[Released] = []
        for word in UNSEEN:
            wish = pipeline.Wish(caption(word), n=EACH, seed=SEED)
            done = pipeline.publish(
                registry, trained.run, wish, where / "outputs", progress=progress
            )
            outputs += done.outputs
    with clock.stage("verify"):
        seen = pipeline.verify([one.path for one in outputs], pipeline.trust_of(registry), registry)
    with clock.stage("audit"):
        audited = pipeline.audit(registry, pipeline.trust_of(registry), progress=progress)
    with clock.stage("revoke"):
        impact = _simulate(registry, frozen.snapshot)
    intact = sum(one.integrity == "intact" for one in seen.files)
    return Demo(
        folder=where,
        registry=registry.root,
        snapshot=frozen.snapshot,
        decision=gated.decision,
        run=trained.run,
        adapter=str((trained.adapter or {})["id"]),
        outputs=tuple(outputs),
        intact=intact,
        revoked_impact=impact,
        seconds=clock.seconds,
        stopped=_stopped(registry, drawn, registered, frozen),
        table=_table(
            registered=registered,
            frozen=frozen,
            gated=gated,
            trained=trained,
            drawn=len(outputs),
            intact=intact,
            audited=audited,
            impact=impact,
        ),
        next_commands=_next(where, outputs),
    )


def _pictures(folder: Path) -> DemoSet:
    """The demo's drawings; those of an earlier, interrupted demo are drawn over."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()
    return write_demo_pictures(folder)


def _simulate(registry: Registry, snapshot: str) -> dict[str, int]:
    """What a takedown of one member would reach; nothing is changed."""
    with registry.read() as session:
        member = snapshots.members(session, snapshot)[0].picture_id
    done = pipeline.withdraw(registry, member, pipeline.Ground.TAKEDOWN, simulate=True)
    return {
        name: len(getattr(done.impact, name))
        for name in ("pictures", "snapshots", "runs", "adapters", "outputs")
    }


def _stopped(
    registry: Registry,
    drawn: DemoSet,
    registered: pipeline.Registered,
    frozen: pipeline.Snapshotted,
) -> tuple[tuple[str, str, str, str], ...]:
    """Each special picture: which stage stopped it, and in whose words."""
    ids = {Path(found.path).name: found.id for found in registered.ingested.pictures}
    seen = Counter(ids.values())
    rows = []
    with registry.read() as session:
        for cause, name in drawn.special.items():
            picture = ids[name]
            why = frozen.why.get(picture)
            if cause is Cause.EXACT_COPY and seen[picture] > 1:
                rows.append((name, str(cause), "ingest", f"same bytes as {drawn.originals[cause]}"))
            elif why == "duplicate":
                copies = similar.same_picture(session, [picture])[picture]
                of = next(file for file, one in ids.items() if one in copies and one != picture)
                rows.append((name, str(cause), "dedup", f"same picture as {of}, kept once"))
            elif why is not None:
                found = conclusions.conclusions(session, [picture])[picture]
                clause = found.reasons[0]["clause"] if found.reasons else found.rule
                rows.append((name, str(cause), "license", f"{found.license}: {clause}"))
            else:
                rows.append((name, str(cause), "nothing", "it is a member"))
    return tuple(rows)


def _table(
    *,
    registered: pipeline.Registered,
    frozen: pipeline.Snapshotted,
    gated: pipeline.Gated,
    trained: pipeline.Trained,
    drawn: int,
    intact: int,
    audited: pipeline.Audited,
    impact: dict[str, int],
) -> tuple[tuple[str, str], ...]:
    left = ", ".join(f"{n} {why}" for why, n in frozen.left_out.items())
    loss = trained.loss or {}
    learned = f"{loss.get('base', 0):.4f} -> {loss.get('adapter', 0):.4f}"
    return (
        ("ingest", f"{registered.ingested.registered} pictures, {registered.ingested.known} known"),
        ("snapshot", f"{frozen.snapshot}: {frozen.members} members (left out: {left})"),
        ("gate", f"{gated.verdict} for {', '.join(gated.uses)} ({gated.decision[:16]})"),
        ("train", f"{trained.steps} steps, held-out loss {learned}"),
        ("generate", f"{drawn} pictures of subjects that the adapter never saw"),
        ("verify", f"{intact} of {drawn} intact, signed with a development certificate"),
        ("audit", f"{'ok' if audited.ok else 'NOT ok'}, {audited.events} events"),
        ("revoke", "a takedown of one member would reach " + _counts(impact)),
    )


def _counts(impact: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in impact.items() if n)


def _next(where: Path, outputs: list[Released]) -> tuple[str, ...]:
    return (
        f"picdeed dashboard --registry {where}",
        f"picdeed verify {outputs[0].path}",
        f"picdeed lineage {outputs[0].id[:12]} --registry {where}",
    )
