"""The flow's commands, in the order of a picture's life."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picdeed.cli.against import AgainstList
from picdeed.cli.app import FLOW, Call, command, existing
from picdeed.cli.bundle import is_bundle, train_bundle
from picdeed.cli.dedup import EmbeddingFolder, EmbeddingThreshold, find_copies
from picdeed.cli.estimate import EstimateOnly, PricePerHour, estimate_run, require_estimate
from picdeed.cli.evidence import on_which, say_evidence
from picdeed.cli.gated import show_gate
from picdeed.cli.show import plain, print_document, say, table
from picdeed.cli.without import DryRun, OfRun, WithoutRevocation, say_without, train_without
from picdeed.core.errors import UsageError

if TYPE_CHECKING:
    from picdeed.flow.pipeline import Registered
    from picdeed.registry.session import Registry

SHOWN = 10_000
CODES = {"ALLOW": 0, "DUTIES": 0, "DENY": 3, "REVIEW": 4}


def _uses(text: str) -> Any:
    from picdeed.rights.verdict import parse_uses

    return parse_uses(text)


@command("init", panel=FLOW, without=("registry", "blobs"))
def init_command(
    call: Call,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]")] = Path(".picdeed"),
) -> None:
    """Make DIR a registry (./.picdeed without it)."""
    from picdeed.flow import pipeline

    done = pipeline.init(directory)
    if call.as_json:
        print_document("init", done)
        return
    say(f"Registry {done.registry}", "bold")
    say(f"signed by {done.signer['subject']} (development: others will not trust it)")
    say("Next: picdeed ingest FOLDER --dataset NAME --license EXPR", "dim")


@command(panel=FLOW)
def ingest(
    call: Call,
    source: Path,
    dataset: Annotated[str, typer.Option(help="The dataset that the pictures join.")],
    license_: Annotated[str | None, typer.Option("--license", metavar="EXPR")] = None,
    holder: str | None = None,
    source_url: str | None = None,
    evidence: Annotated[Path | None, typer.Option(help="A file that proves it.")] = None,
    metadata: Annotated[Path | None, typer.Option(help="csv, jsonl, parquet, copyright.")] = None,
    dry_run: bool = False,
    strict: bool = False,
) -> None:
    """Register the pictures of a file, folder, archive or dataset folder."""
    from picdeed.flow import pipeline
    from picdeed.flow.statements import Given

    existing(source)
    for path in (evidence, metadata):
        if path is not None:
            existing(path)
    given = Given(license_, holder, source_url, evidence, strict=strict)
    opened = call.open()
    with call.progress() as progress:
        done = pipeline.register(
            opened,
            source,
            dataset,
            given=given,
            table=metadata,
            dry_run=dry_run,
            progress=progress,
        )
    if call.as_json:
        print_document("ingest", _ingest_document(opened, done))
    else:
        _show_ingest(done)
    if done.ingested.refused:
        raise typer.Exit(6)


def _ingest_document(registry: Registry, done: Registered) -> dict[str, Any]:
    import json

    ingested = done.ingested
    rows = []
    for found in ingested.pictures:
        license_, verdicts = done.conclusions.get(found.id, (None, None))
        rows.append({**plain(found), "license": license_, "verdicts": verdicts})
    document = {**plain(ingested), "pictures": rows[:SHOWN], "pictures_file": None}
    del document["would_claim"]
    if len(rows) > SHOWN:
        from picdeed.core.ids import hash_json

        path = registry.root / "cache" / f"ingest-{hash_json(rows)[:16]}.jsonl"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(row) + "\n" for row in rows)
        document["pictures_file"] = str(path)
    return document


def _show_ingest(done: Registered) -> None:
    from collections import Counter

    ingested = done.ingested
    word = "would be registered" if ingested.dry_run else "registered"
    say(
        f"{ingested.registered} {word}, {ingested.known} known already, "
        f"{ingested.skipped} skipped, {len(ingested.refused)} refused",
        "bold",
    )
    if done.conclusions:
        counted = Counter((lic, ver["train"]) for lic, ver in done.conclusions.values())
        rows = [(lic, ver, n) for (lic, ver), n in counted.most_common()]
        table("Licences", ("licence", "train", "pictures"), rows)
    if ingested.refused:
        rows_ = [(one.path, one.reason, one.message) for one in ingested.refused[:40]]
        table("Refused (nothing of these was kept)", ("file", "reason", "why"), rows_)
    for warning in ingested.warnings[:20]:
        say(f"! {warning}", "yellow")
    say(f"Next: picdeed snapshot {ingested.dataset}", "dim")


@command("license", panel=FLOW)
def license_command(
    call: Call,
    dataset: Annotated[str | None, typer.Argument()] = None,
) -> None:
    """Conclude each picture's licence and verdicts anew from its claims."""
    from picdeed.flow import pipeline

    opened = call.open()
    with call.progress() as progress:
        done = pipeline.license(opened, pipeline.rules(), dataset, progress=progress)
    if call.as_json:
        print_document("license", done)
        return
    table("Concluded licences", ("licence", "pictures"), list(done.by_license.items()))
    if done.conflicts:
        rows = [(c.picture[:16], " | ".join(c.claims), c.concluded, c.rule) for c in done.conflicts]
        table("Conflicts", ("picture", "claims", "concluded", "rule"), rows)


@command(panel=FLOW)
def dedup(
    call: Call,
    dataset: Annotated[str | None, typer.Argument()] = None,
    against: AgainstList = None,
    embedding: EmbeddingFolder = None,
    embedding_threshold: EmbeddingThreshold = None,
) -> None:
    """Find copies: fingerprints, clusters, and what a person should look at."""
    find_copies(call, dataset, against, embedding, embedding_threshold)


@command(panel=FLOW)
def snapshot(
    call: Call,
    dataset: str,
    for_: Annotated[str, typer.Option("--for", metavar="USE[,USE]")] = "train",
    profile: str = "conservative",
    non_commercial: bool = False,
    license_: Annotated[str | None, typer.Option("--license", metavar="EXPR")] = None,
    holder: str | None = None,
    all_: Annotated[bool, typer.Option("--all", help="Keep denied pictures too.")] = False,
) -> None:
    """Freeze a dataset's usable keepers under one Merkle root."""
    from picdeed.flow import pipeline

    opened = call.open()
    query = pipeline.Query(
        uses=_uses(for_),
        profile=profile,
        commercial=not non_commercial,
        license=license_,
        holder=holder,
        all=all_,
    )
    with call.progress() as progress:
        done = pipeline.freeze(opened, dataset, query, progress=progress)
    if call.as_json:
        print_document("snapshot", done)
    else:
        say(f"{done.snapshot or 'no snapshot'}: {done.members} pictures", "bold")
        if done.left_out:
            table("Left out", ("why", "pictures"), list(done.left_out.items()))
        if done.effective and done.effective.distinct < done.members:
            say(
                f"effective number of pictures: {done.effective.pictures:g} ("
                f"{done.effective.distinct} where what is, or may be, one picture counts once)"
            )
        if done.snapshot:
            say(f"Next: picdeed train {done.snapshot[:12]} --base sprig", "dim")
    if done.snapshot is None:
        raise typer.Exit(3)


@command(panel=FLOW)
def gate(
    call: Call,
    snapshot: str,
    base: Annotated[str, typer.Option()],
    use: Annotated[str, typer.Option(metavar="USE[,USE]")],
    profile: str = "conservative",
    non_commercial: bool = False,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Show what would have to change to allow it.")
    ] = False,
) -> None:
    """Decide whether a base may be fine-tuned on a snapshot for these uses."""
    from picdeed.flow import pipeline

    opened = call.open()
    with call.progress() as progress:
        done = pipeline.judge(
            opened,
            snapshot,
            base,
            _uses(use),
            profile=profile,
            commercial=not non_commercial,
            what_if=what_if,
            progress=progress,
        )
    if call.as_json:
        print_document("gate", done)
    else:
        show_gate(done)
    if not done.is_open:
        raise typer.Exit(CODES[done.verdict])


@command(panel=FLOW)
def train(
    call: Call,
    snapshot: Annotated[str | None, typer.Argument(metavar="[SNAPSHOT|BUNDLE]")] = None,
    base: Annotated[str | None, typer.Option(help="Of a bundle: the base's folder.")] = None,
    use: Annotated[
        str | None, typer.Option(metavar="USE[,USE]", help="train unless given.")
    ] = None,
    decision: Annotated[
        str | None, typer.Option(metavar="DEC", help="Only under this decision, still alive.")
    ] = None,
    preset: Annotated[str | None, typer.Option(metavar="NAME|FILE")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
    seed: Annotated[int | None, typer.Option(help="0 unless given.")] = None,
    detach: bool = False,
    again: bool = False,
    to: Annotated[Path | None, typer.Option(metavar="PATH", help="Of a bundle: its run.")] = None,
    without: WithoutRevocation = None,
    run: OfRun = None,
    dry_run: DryRun = False,
    estimate: EstimateOnly = False,
    price_per_hour: PricePerHour = None,
) -> None:
    """Gate, then fine-tune a style adapter on a snapshot; or train what a bundle plans."""
    from picdeed.flow import pipeline
    from picdeed.flow.recipes import recipe_for
    from picdeed.jobs import launch

    if not estimate:
        require_estimate(price_per_hour)
    fixed: dict[str, Any] = {"--use": use, "--decision": decision, "--preset": preset}
    fixed |= {"--set": set_, "--seed": seed, "--again": again}
    if without is not None or run is not None or dry_run:
        fixed |= {"SNAPSHOT": snapshot, "--base": base, "--to": to, "--estimate": estimate}
        train_without(call, without, run, fixed, dry_run=dry_run, detach=detach)
        return
    if snapshot is not None and is_bundle(snapshot):
        train_bundle(
            call, snapshot, base, to, {**fixed, "--detach": detach, "--estimate": estimate}
        )
        return
    if snapshot is None or base is None or to is not None:
        raise UsageError("A snapshot is trained with --base BASE and without --to.")
    opened = call.open()
    recipe = recipe_for(opened, base, preset, set_ or [])
    asked: dict[str, Any] = {"uses": _uses(use or "train"), "decision": decision, "seed": seed or 0}
    if estimate:
        only = {"--detach": detach, "--again": again}
        asked["price_per_hour"] = price_per_hour
        estimate_run(call, opened, snapshot, base, recipe, only, **asked)
        return
    with call.progress() as progress:
        done = pipeline.fine_tune(
            opened,
            snapshot,
            base,
            recipe,
            None if detach else launch.foreground,
            **asked,
            again=again,
            progress=progress,
        )
    if detach and done.state != "succeeded":
        launch.background(opened.root, done.run)
        done = replace(done, state="running")
    show_run("train", done, as_json=call.as_json)


def show_run(command: str, done: Any, *, as_json: bool, at_home: bool = True) -> None:
    """A run as `train` and `runs show` print it; `at_home` in its registry."""
    if as_json:
        print_document(command, done)
        return
    say(f"{done.run[:16]}  {done.state}", "bold")
    if done.adapter:
        say(f"adapter {done.adapter['id'][:16]} at {done.adapter['path']}")
    if done.loss:
        say(
            f"held-out loss: base {done.loss['base']:.4f}, adapter {done.loss['adapter']:.4f} "
            f"(pictures never trained on{on_which(done.loss)})"
        )
    elif done.loss_reason:
        say(f"held-out loss: not measured ({done.loss_reason})")
    say_evidence(done.evidence)
    say_without(done)
    if done.without_caption:
        say(f"{done.without_caption} pictures had no caption and trained without words")
    for row in done.prior or ():
        many, shown = row["pictures"], row["shown"]
        say(f"the base's own {row['prompt']!r}: {many} pictures, shown {shown} times")
    if done.leaks:
        say(
            f"! {len(done.leaks)} of the held-out pictures are, or may be, pictures that were "
            "trained on, as is known by now: the held-out loss proves less than it says",
            "yellow",
        )
    if done.state == "succeeded" and at_home:
        say(f"Next: picdeed generate {done.run[:12]} --prompt rabbit", "dim")
    elif at_home:
        say(f"Next: picdeed runs show {done.run[:12]}", "dim")


@command(panel=FLOW)
def generate(
    call: Call,
    subject: Annotated[str | None, typer.Argument(metavar="[RUN|ADAPTER]")] = None,
    prompt: Annotated[str, typer.Option()] = ...,  # type: ignore[assignment]
    base: Annotated[str | None, typer.Option(help="Draw with a base alone.")] = None,
    n: Annotated[int, typer.Option("-n", min=1)] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    steps: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    guidance: Annotated[
        float | None,
        typer.Option(min=0.0, max=100.0, help="Without it, as below, what suits the base."),
    ] = None,
    guidance_start: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the steps before it.")
    ] = None,
    guidance_stop: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the steps at its end.")
    ] = None,
    sampler: Annotated[str | None, typer.Option()] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR")] = None,
) -> None:
    """Draw pictures, sign them, read them back, release them."""
    from picdeed.flow import pipeline

    if (subject is None) == (base is None):
        raise UsageError(
            "Name a run or adapter, or a base with --base (one of the two).",
            hint="picdeed runs list shows the runs.",
        )
    opened = call.open()
    wish = pipeline.Wish(prompt, n, seed, steps, guidance, sampler, guidance_start, guidance_stop)
    with call.progress() as progress:
        done = pipeline.publish(opened, subject or base or "", wish, out, progress=progress)
    if call.as_json:
        print_document("generate", done)
        return
    rows = [(one.id[:16], one.seed, one.credential["state"], one.path) for one in done.outputs]
    table("Outputs", ("output", "seed", "credential", "file"), rows)
    say("Next: picdeed verify FILE", "dim")
