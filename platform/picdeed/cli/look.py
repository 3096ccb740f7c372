"""Commands that look: verify, lineage, audit, runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from picdeed.cli.app import FLOW, LOOK, Call, app, command
from picdeed.cli.show import print_document, say, table
from picdeed.cli.stages import show_run
from picdeed.core.errors import NotARegistry

if TYPE_CHECKING:
    from picdeed.flow.replayed import Differs, Replayed

runs_app = typer.Typer(
    no_args_is_help=True, help="Fine-tunes: list, show, logs, cancel, resume, replay."
)
app.add_typer(runs_app, name="runs", rich_help_panel=LOOK)


@command(panel=FLOW)
def verify(
    call: Call,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
) -> None:
    """Say what can be said about any picture; works without a registry."""
    from picdeed.flow import pipeline

    try:
        opened = call.open()
    except NotARegistry:
        if call.registry is not None:
            raise
        opened = None
    done = pipeline.verify(files, pipeline.trust_of(opened), opened)
    if call.as_json:
        print_document("verify", done)
    else:
        for seen in done.files:
            say(f"{seen.path.name}: {seen.integrity}, {seen.trust}", "bold")
            say(f"  {seen.statement}")
            if seen.standing != "unknown":
                say(f"  standing in the registry: {seen.standing}")
    if done.exit_code:
        raise typer.Exit(done.exit_code)


@command(panel=FLOW)
def lineage(
    call: Call,
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    depth: Annotated[int | None, typer.Option(min=0)] = None,
) -> None:
    """Show the graph around anything: what it descends from, what descends from it."""
    from picdeed.flow import pipeline

    done = pipeline.graph_of(call.open(), identifier, depth)
    if call.as_json:
        print_document("lineage", done)
        return
    rows = [(node.kind, node.id[:16], node.label, node.state) for node in done.nodes[:200]]
    table(
        f"{len(done.nodes)} nodes, {len(done.edges)} edges", ("kind", "id", "label", "state"), rows
    )


@command(panel=FLOW)
def audit(
    call: Call,
    identifier: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    head: Annotated[Path | None, typer.Option(help="A tree head kept elsewhere.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a report: .html or .json.")] = None,
) -> None:
    """Re-verify ledger, rows, blobs and credentials."""
    from picdeed.flow import pipeline

    opened = call.open()
    with call.progress() as progress:
        done = pipeline.audit(
            opened, pipeline.trust_of(opened), identifier, head=head, progress=progress
        )
    if report is not None:
        from picdeed.report.html import write_audit

        write_audit(opened, done, report)
    if call.as_json:
        print_document("audit", done)
    else:
        say(f"{'ok' if done.ok else 'NOT ok'}: {done.events} events", "bold")
        table("Checked", ("what", "how many"), list(done.checked.items()))
        if done.problems:
            rows = [(one.subject[:24], one.kind, one.message) for one in done.problems[:100]]
            table("Problems", ("subject", "kind", "message"), rows)
    if not done.ok:
        raise typer.Exit(5)


@command("list", group=runs_app)
def runs_list(
    call: Call,
) -> None:
    """Every run with its state and step."""
    from picdeed.jobs.watch import all_runs

    found = all_runs(call.open())
    if call.as_json:
        print_document("runs", {"runs": found})
        return
    rows = [(one.id[:16], one.state, f"{one.step}/{one.steps}") for one in found]
    table("Runs", ("run", "state", "step"), rows)


@command("show", group=runs_app)
def runs_show(
    call: Call,
    run: str,
) -> None:
    """One run, with the keys of `train`."""
    from picdeed.flow import pipeline
    from picdeed.jobs.watch import one_run

    opened = call.open()
    view = one_run(opened, run)
    show_run(
        "runs", replace(pipeline.show(opened, view.id), state=view.state), as_json=call.as_json
    )


@command("logs", group=runs_app)
def runs_logs(
    call: Call,
    run: str,
) -> None:
    """A run's log, one line a step."""
    from picdeed.jobs.watch import log_of

    found = log_of(call.open(), run)
    if call.as_json:
        print_document("runs", {"run": run, "log": found})
        return
    for line in found:
        say(" ".join(f"{key}={value}" for key, value in line.items()))


@command("cancel", group=runs_app)
def runs_cancel(
    call: Call,
    run: str,
) -> None:
    """End a run before its next step; `runs resume` goes on from its last checkpoint."""
    from picdeed.jobs.cancel import cancel

    done = cancel(call.open(), run)
    if call.as_json:
        print_document("runs", done)
        return
    say(f"{done.run[:16]} {done.state}", "bold")


@command("resume", group=runs_app)
def runs_resume(
    call: Call,
    run: str,
) -> None:
    """Go on with a killed or interrupted run from its last checkpoint."""
    from picdeed.flow import pipeline
    from picdeed.jobs import launch

    opened = call.open()
    with call.progress() as progress:
        done = pipeline.resume(opened, run, launch.foreground, progress=progress)
    show_run("runs", done, as_json=call.as_json)


@command("replay", group=runs_app)
def runs_replay(
    call: Call,
    run: str,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new folder to leave the rebuilt one in.")
    ] = None,
) -> None:
    """Train a finished run once more from its plan, and compare with what was recorded."""
    from picdeed.flow.replay import replay
    from picdeed.jobs import launch

    opened = call.open()
    with call.progress() as progress:
        done = replay(opened, run, launch.foreground, keep=keep, progress=progress)
    if call.as_json:
        print_document("runs", done)
    else:
        say_replayed(done)
    if done.exit_code:
        raise typer.Exit(done.exit_code)


def say_replayed(done: Replayed) -> None:
    """What a person reads of a replay."""
    if done.differs is None:
        what = [f"{done.tensors} tensors"] if done.tensors is not None else []
        what += [f"{done.log_lines} lines of its log"] if done.log_lines is not None else []
        say(f"Run {done.run[:12]} was rebuilt to the same bytes: {done.adapter[:16]}", "bold green")
        say(f"{', '.join(what) or 'its id'} and how often each picture was shown; {done.seconds} s")
        if done.environment != "same":
            say(f"The environment is {done.environment}, and made no difference.", "dim")
    else:
        _say_differs(done, done.differs)
    if done.kept is not None:
        say(f"left in {done.kept}")


def _say_differs(done: Replayed, differs: Differs) -> None:
    at_home = done.environment == "same"
    far = "NOT what was recorded" if at_home else "NOT confirmed"
    said = "close to what was recorded" if done.exit_code == 0 else far
    say(f"Run {done.run[:12]} was rebuilt, {said}: {', '.join(differs.what)}", "bold")
    if differs.tensor is not None:
        told = (
            "of another shape"
            if differs.largest is None
            else f"at most {differs.largest:.3g} apart"
        )
        part = "" if differs.share is None else f", {differs.share:.2g} of the largest value"
        say(f"first tensor: {differs.tensor}; {told}{part}")
    if differs.step is not None:
        drift = "nowhere" if differs.drifts_from is None else f"from line {differs.drifts_from} on"
        say(f"first line of the log: {differs.step}")
        say(f"losses more than {done.tolerance:g} apart: {drift}")
    if differs.losses["held_out"] is not None:
        say(f"held-out loss: {differs.losses['held_out']:.2g} of itself apart")
    if at_home:
        say("The environment is the one that was recorded.", "red")
        return
    rows = [(name, pair["recorded"], pair["here"]) for name, pair in differs.environment.items()]
    table("The environment differs", ("what", "recorded", "here"), rows)
    if done.exit_code:
        say("Training amplifies last bits: only where it was trained can it be confirmed.")
