"""The whole life of a picture, in the order in which it happens. Start reading here.

    ingest -> license -> dedup -> snapshot -> gate -> train -> generate -> credential -> audit
                                                                     and back again: revoke

Each stage is one file with one function of the same name; stages never import each other.
What users call composes them, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from picdeed.core.errors import Denied, UsageError
from picdeed.core.events import Progress, silent
from picdeed.core.resources import bundled
from picdeed.diffusion.recipe import Recipe
from picdeed.flow.against import against
from picdeed.flow.aims import aim_of
from picdeed.flow.approve import approve
from picdeed.flow.audit import Audited, audit
from picdeed.flow.claims import Claimed, Saying, claim, elect
from picdeed.flow.credential import Credentialed, credential
from picdeed.flow.decided import Gated, list_decisions, require_open
from picdeed.flow.dedup import Deduped, dedup, list_copies, regroup
from picdeed.flow.duplicates import Decided, decide_pair, list_decided
from picdeed.flow.embedding import propose_by_embedding
from picdeed.flow.gate import gate
from picdeed.flow.generate import Wish, generate
from picdeed.flow.grants import Contract, GrantView, end, grant, list_grants
from picdeed.flow.ingest import Ingested, ingest
from picdeed.flow.init import Initialised, init
from picdeed.flow.license import Licensed, foresee, license, settle
from picdeed.flow.matched import Against
from picdeed.flow.protected import Caught, meet, screen
from picdeed.flow.reading import bases_of, datasets_of, graph_of, identity_of, trust_of
from picdeed.flow.remove import Removed, remove
from picdeed.flow.revoke import Ground, Revoked, revoke
from picdeed.flow.snapshot import Query, Snapshotted, snapshot
from picdeed.flow.stated import state
from picdeed.flow.statements import Given
from picdeed.flow.train import Launch, Trained, finish, prepare, rebind, show, train
from picdeed.flow.verify import Verified, verify
from picdeed.flow.why import Why, why
from picdeed.registry import bases, decisions, subjects
from picdeed.registry import conclusions as conclusion_rows
from picdeed.registry.runs import Run, RunState
from picdeed.registry.session import Registry
from picdeed.registry.snapshots import Snapshot
from picdeed.rights.catalogue import Catalogue, load_catalogue
from picdeed.rights.verdict import Use


@dataclass(frozen=True, slots=True)
class Registered:
    """What `ingest` did, with each picture's conclusion beside it."""

    ingested: Ingested
    conclusions: Mapping[str, tuple[str, Mapping[str, str]]]


def rules() -> Catalogue:
    """The licence rules that ship with picdeed."""
    return load_catalogue(bundled("configs"))


def register(
    registry: Registry,
    source: Path,
    dataset: str,
    *,
    given: Given | None = None,
    table: Path | None = None,
    dry_run: bool = False,
    progress: Progress = silent,
) -> Registered:
    """ingest + protected + license: pictures come in and each gets its conclusion.

    Who shows something that was revoked or opted out is told in the warnings. A dry run
    concludes from what it found and what is on record, copies aside.
    """
    catalogue = rules()
    done = ingest(
        registry,
        catalogue,
        source,
        dataset,
        given=given,
        table=table,
        dry_run=dry_run,
        progress=progress,
    )
    if dry_run:
        return Registered(done, foresee(registry, catalogue, done.would_claim))
    ids = [found.id for found in done.pictures]
    caught = screen(registry, progress=progress)
    done = replace(done, warnings=(*done.warnings, *_warnings(done, caught)))
    license(registry, catalogue, only=[*ids, *(c.picture for c in caught)], progress=progress)
    with registry.read() as session:
        rows = conclusion_rows.conclusions(session, ids)
    return Registered(done, {key: (row.license, row.verdicts) for key, row in rows.items()})


def catch_up(registry: Registry, catalogue: Catalogue, *, progress: Progress = silent) -> None:
    """dedup + protected + license: whatever is pending in the whole registry is done."""
    regroup(registry, progress=progress)
    screen(registry, progress=progress)
    settle(registry, catalogue, progress=progress)


def dedup_against(
    registry: Registry, source: str, dataset: str | None = None, *, progress: Progress = silent
) -> tuple[Deduped, Against]:
    """against + dedup: which pictures are copies of something on a list, and what dedup tells."""
    regroup(registry, progress=progress)
    found = against(registry, source, dataset, progress=progress)
    return dedup(registry, dataset, progress=progress), found


def dedup_by_embedding(
    registry: Registry,
    folder: Path,
    dataset: str | None = None,
    *,
    threshold: float | None = None,
    progress: Progress = silent,
) -> Deduped:
    """dedup + embedding + dedup: a local model proposes further pairs, and the pixels decide."""
    regroup(registry, progress=progress)
    told = propose_by_embedding(registry, folder, threshold, progress=progress)
    return replace(dedup(registry, dataset, progress=progress), embedding=told)


def _warnings(done: Ingested, caught: Sequence[Caught]) -> Iterator[str]:
    paths = {found.id: found.path for found in done.pictures}
    for one in caught:
        yield f"{paths.get(one.picture, one.picture)}: {one.said}"


def freeze(
    registry: Registry, dataset: str, query: Query | None = None, *, progress: Progress = silent
) -> Snapshotted:
    """dedup + license + snapshot: pending work is done first, then the keepers are frozen."""
    catalogue = rules()
    catch_up(registry, catalogue, progress=progress)
    return snapshot(registry, catalogue, dataset, query)


def judge(
    registry: Registry,
    frozen: str,
    base: str,
    uses: Sequence[Use] = (Use.TRAIN,),
    *,
    profile: str = "conservative",
    commercial: bool = True,
    what_if: bool = False,
    progress: Progress = silent,
) -> Gated:
    """dedup + license + gate: judged from what is known now."""
    catalogue = rules()
    catch_up(registry, catalogue, progress=progress)
    return gate(
        registry,
        catalogue,
        frozen,
        base,
        uses,
        profile=profile,
        commercial=commercial,
        what_if=what_if,
    )


def judge_today(registry: Registry, decision: str, *, progress: Progress = silent) -> Gated:
    """The question of a recorded decision, asked of what is known now."""
    with registry.read() as session:
        old = subjects.require(session, decisions.Decision, decision)
    return judge(
        registry,
        old.snapshot_id,
        old.base_id,
        [Use(use) for use in old.uses],
        profile=old.profile,
        commercial=old.commercial,
        progress=progress,
    )


def judge_again(registry: Registry, decision: str, *, progress: Progress = silent) -> Gated:
    """A recorded decision asked again; raises Denied unless the answer is still the same one."""
    with registry.read() as session:
        old = subjects.require(session, decisions.Decision, decision)
    now = judge_today(registry, old.id, progress=progress)
    if now.decision != old.id:
        raise Denied(
            f"Decision {old.id[:12]} no longer holds: what it was made from has changed, and "
            f"{now.decision[:12]} says {now.verdict}. Nothing was trained.",
            hint=f"picdeed decisions {now.decision[:12]} shows why.",
            decision=now.decision,
        )
    return now


def explain(
    registry: Registry,
    picture: str,
    use: Use,
    *,
    as_of: str | None = None,
    profile: str = "conservative",
    commercial: bool = True,
    progress: Progress = silent,
) -> Why:
    """dedup + why: the copies are known, then the picture is judged and every rule told."""
    if as_of is None:
        regroup(registry, progress=progress)
        screen(registry, progress=progress)
    return why(registry, rules(), picture, use, as_of=as_of, profile=profile, commercial=commercial)


def fine_tune(
    registry: Registry,
    frozen: str,
    base: str,
    recipe: Recipe,
    launch: Launch | None,
    *,
    uses: Sequence[Use] = (Use.TRAIN,),
    decision: str | None = None,
    seed: int = 0,
    again: bool = False,
    progress: Progress = silent,
) -> Trained:
    """gate + train; `launch` None only prepares the run. Raises Denied or NeedsReview."""
    gated = let_train(registry, frozen, base, uses, decision, progress=progress)
    if launch is None:
        return show(registry, prepare(registry, gated.decision, recipe, seed=seed, again=again))
    return train(
        registry, gated.decision, recipe, launch, seed=seed, again=again, progress=progress
    )


def let_train(
    registry: Registry,
    frozen: str,
    base: str,
    uses: Sequence[Use] = (Use.TRAIN,),
    decision: str | None = None,
    *,
    progress: Progress = silent,
) -> Gated:
    """gate: the open decision that a training begins under; raises Denied or NeedsReview.

    With `decision` that one must still be what the gate says, about this snapshot, base and
    uses; no other opens the training.
    """
    if decision is None:
        gated = judge(registry, frozen, base, uses, progress=progress)
    else:
        gated = judge_again(registry, decision, progress=progress)
        _require_same(registry, gated, frozen, base, uses)
    require_open(gated)
    return gated


def publish(
    registry: Registry,
    subject: str,
    wish: Wish,
    out: Path | None = None,
    *,
    progress: Progress = silent,
) -> Credentialed:
    """generate + credential: drawn, signed, read back, released."""
    drawn = generate(registry, subject, wish, progress=progress)
    return credential(registry, drawn.outputs, identity_of(registry), out, progress=progress)


def withdraw(
    registry: Registry,
    target: str,
    ground: Ground,
    *,
    effective: str | None = None,
    simulate: bool = False,
    progress: Progress = silent,
) -> Revoked:
    """dedup + license + revoke: the copies of a revoked picture fall with it."""
    catalogue = rules()
    catch_up(registry, catalogue, progress=progress)
    with registry.read() as session:
        aim = aim_of(session, catalogue, target, ground)
    named = {one for one in aim.falling if subjects.kind_of(one) == "img"}
    if meet(registry, named, progress=progress):
        regroup(registry, progress=progress)
        settle(registry, catalogue, progress=progress)
    return revoke(registry, catalogue, target, ground, effective=effective, simulate=simulate)


def _require_same(
    registry: Registry, gated: Gated, frozen: str, base: str, uses: Sequence[Use]
) -> None:
    with registry.read() as session:
        asked = (
            subjects.require(session, Snapshot, frozen).id,
            subjects.require(session, bases.Base, base).id,
        )
    if asked != (gated.snapshot, gated.base) or not set(uses) <= {Use(u) for u in gated.uses}:
        raise UsageError(
            f"Decision {gated.decision[:12]} is about {gated.snapshot[:12]}, {gated.base[:12]} "
            f"and {', '.join(gated.uses)}; nothing was trained.",
            hint="Name the snapshot, base and uses that it was made for.",
        )


def resume(registry: Registry, run: str, launch: Launch, *, progress: Progress = silent) -> Trained:
    """Go on with a run from its last checkpoint; a finished one is returned as it is.

    An unfinished one is gated again, under the decision of today: raises Denied or NeedsReview.
    """
    with registry.read() as session:
        row = subjects.require(session, Run, run)
    if row.state != RunState.SUCCEEDED:
        gated = judge_today(registry, row.decision_id, progress=progress)
        require_open(gated)
        rebind(registry, row.id, gated.decision)
    done = finish(registry, run, launch, progress=progress)
    state(registry, done.run)  # of one that leaves something out: what can be said of it
    return done


__all__ = [
    "Against",
    "Audited",
    "Claimed",
    "Contract",
    "Credentialed",
    "Decided",
    "Deduped",
    "Gated",
    "Given",
    "GrantView",
    "Ground",
    "Ingested",
    "Initialised",
    "Licensed",
    "Query",
    "Registered",
    "Removed",
    "Revoked",
    "Saying",
    "Snapshotted",
    "Trained",
    "Verified",
    "Why",
    "Wish",
    "approve",
    "audit",
    "bases_of",
    "catch_up",
    "claim",
    "datasets_of",
    "decide_pair",
    "dedup",
    "dedup_against",
    "dedup_by_embedding",
    "elect",
    "end",
    "explain",
    "fine_tune",
    "freeze",
    "grant",
    "graph_of",
    "identity_of",
    "init",
    "judge",
    "judge_again",
    "judge_today",
    "license",
    "list_copies",
    "list_decided",
    "list_decisions",
    "list_grants",
    "publish",
    "register",
    "remove",
    "resume",
    "rules",
    "settle",
    "show",
    "trust_of",
    "verify",
    "withdraw",
]
