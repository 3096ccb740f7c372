"""How does `train --without` tell what it costs, what it did, and what may be said of it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picdeed.cli.show import plain, print_document, say, table
from picdeed.core.errors import UsageError

if TYPE_CHECKING:
    from picdeed.cli.app import Call
    from picdeed.flow.stated import Difference
    from picdeed.flow.train import Trained
    from picdeed.flow.without import Retrained, Without
    from picdeed.registry.session import Registry

PARTLY = 6

WithoutRevocation = Annotated[
    str | None,
    typer.Option(
        "--without",
        metavar="REVOCATION",
        help="Train again what it reached, by the same plan less what it took back.",
    ),
]
OfRun = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="With --without: only this one's adapter."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="With --without: tell what it costs, and stop.")
]


def train_without(
    call: Call,
    revocation: str | None,
    run: str | None,
    refused: Mapping[str, Any],
    *,
    dry_run: bool,
    detach: bool,
) -> None:
    """Tell what it costs, train, tell what came of it; `refused` are options with no room here.

    Ends with 6 where rights refused some runs; where they refused all, with the first one's error.
    """
    from picdeed.flow.without import Outcome, plan_without

    if revocation is None:
        raise UsageError(
            "--run and --dry-run go with --without REVOCATION; nothing was started.",
            hint="picdeed runs resume RUN goes on with a run.",
        )
    _refuse(refused)
    opened = call.open()
    planned = plan_without(opened, revocation, run)
    if not call.as_json:
        _say_planned(planned)
    todo = sum(one.state is Outcome.PLANNED for one in planned.runs)
    if todo and not dry_run:
        _train(call, opened, planned, todo, detach=detach)
    elif call.as_json:
        print_document("train", _document(planned, dry_run=dry_run))


def say_without(run: Trained) -> None:
    """Whose plan a run follows without something, and who follows its own so."""
    if run.counterfactual_of is not None:
        causes = ", ".join(one[:12] for one in run.without)
        say(f"by the plan of {run.counterfactual_of[:12]}, without what {causes} took back")
    for other in run.retrained_as:
        say(f"{other[:12]} is by its plan, without what was revoked since")


def _train(call: Call, opened: Registry, planned: Without, todo: int, *, detach: bool) -> None:
    from picdeed.flow.without import Outcome, refusals, retrain
    from picdeed.jobs import launch

    if detach and todo > 1:
        raise UsageError(
            f"{todo} runs at once would take each other's time; nothing was started.",
            hint="Name one with --run RUN, or leave --detach out: they then follow each other.",
        )
    with call.progress() as progress:
        done = retrain(opened, planned, None if detach else launch.foreground, progress=progress)
    for one in done.runs:
        if one.state is Outcome.STARTED and one.trained is not None:
            launch.background(opened.root, one.trained.run)
    why = refusals(done)
    if len(why) == todo:
        raise why[0]
    if call.as_json:
        print_document("train", _document(done, dry_run=False))
    else:
        for one in done.runs:
            _say_done(one)
    if why:
        raise typer.Exit(PARTLY)


def _refuse(given: Mapping[str, Any]) -> None:
    said = [name for name, value in given.items() if value or (value == 0 and value is not False)]
    if said:
        raise UsageError(
            f"{', '.join(said)}: --without trains by the plan of the run that was reached, and "
            "nothing of it is chosen anew; nothing was started.",
            hint="Leave it out, or train the new snapshot as any other.",
        )


def _document(done: Without, *, dry_run: bool) -> dict[str, Any]:
    return {
        "revocation": done.revocation,
        "dry_run": dry_run,
        "retrained": [_one(run) for run in done.runs],
    }


def _one(run: Retrained) -> dict[str, Any]:
    """A run as a script reads it."""
    less = run.less
    refusal = run.refusal
    return {
        "of": run.of,
        "adapter_before": run.adapter,
        "outcome": run.state,
        "reason": refusal.message if refusal else less.reason,
        "decision": refusal.decision if refusal else None,
        "left_out": {"rows": less.rows, "of_rows": less.of_rows, "held_out": less.held_out},
        "empty_steps": less.empty_steps,
        "pictures_left": less.left,
        "revocations": less.revocations,
        "estimate": run.estimate,
        "train": None if run.trained is None else plain(run.trained),
        "statement": None if run.stated is None else run.stated.path,
        "statement_sha256": None if run.stated is None else run.stated.sha256,
        "difference": None if run.stated is None else run.stated.difference,
    }


def _say_planned(planned: Without) -> None:
    if not planned.runs:
        say("It reached no adapter: there is nothing to train again.")
    for one in planned.runs:
        less, cost = one.less, one.estimate
        say(f"Run {one.of[:16]}, adapter {one.adapter[:16]}", "bold")
        if less.reason is not None:
            say(f"  {less.reason}")
            continue
        fallen = sum(less.rows.values())
        say(
            f"  {fallen} of {less.of_rows} rows fall out, with {len(less.rows)} pictures trained "
            f"on; {len(less.held_out)} held out are not measured on; {less.left} pictures are left"
        )
        if less.empty_steps:
            say(f"  {less.empty_steps} of {cost.steps} steps learn nothing any more")
        say(f"  {cost.steps} steps, {_time(cost.seconds)} at the speed that the run measured")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "for how long is unknown: no speed was recorded"
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"at most {seconds:.0f} s"
    return f"at most {seconds / 60:.0f} min"


def _say_done(one: Retrained) -> None:
    if one.refusal is not None:
        say(f"Run {one.of[:16]} was not trained again: {one.refusal.message}", "yellow")
        return
    if one.trained is None:
        return
    say(f"{one.trained.run[:16]}  {one.state}, without, in place of {one.of[:16]}", "bold")
    if one.stated is None or one.trained.adapter is None:
        say(f"Next: picdeed runs show {one.trained.run[:12]}", "dim")
        return
    say(f"adapter {one.trained.adapter['id'][:16]} at {one.trained.adapter['path']}")
    _say_difference(one.stated.difference)
    say(f"signed statement, about the adapter only: {one.stated.path}")


def _say_difference(apart: Difference) -> None:
    rows: list[tuple[str, str]] = []
    if apart.same:
        rows.append(("tensors", "equal: the rows made no difference"))
    elif apart.distance is not None and apart.share is not None:
        rows.append(("tensors", f"{apart.distance:.3g} of the earlier one's norm apart"))
        rows.append(("largest difference", f"{apart.share:.3g} of its largest value"))
    if apart.held_out is not None:
        losses = apart.held_out
        rows.append(("held-out loss, base", f"{losses['base']:.4f}"))
        rows.append(("with the pictures", f"{losses['before']:.4f}"))
        rows.append(("without them", f"{losses['after']:.4f}"))
    if apart.why_not is not None:
        rows.append(("not comparable", apart.why_not))
    if apart.environment != "same":
        rows.append(("environment", f"{apart.environment}: that moves tensors too"))
    table("With and without", ("what", "how far"), rows)
