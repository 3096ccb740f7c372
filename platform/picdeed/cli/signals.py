"""Commands that read opt-out signals from outside the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from picdeed.cli.app import FLOW, Call, command
from picdeed.cli.show import print_document, say


@command(panel=FLOW)
def signals(
    call: Call,
    dataset: Annotated[str | None, typer.Argument(metavar="[DATASET]")] = None,
    evidence: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Recorded responses: .warc(.gz) or .jsonl.")
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Ask the sites now, over the network.")
    ] = False,
) -> None:
    """Read what the sites that pictures came from reserve; needs --evidence or --fetch."""
    from picdeed.flow import pipeline
    from picdeed.flow.signals import signals as read_signals

    opened = call.open()
    rules = pipeline.rules()
    with call.progress() as progress:
        done = read_signals(
            opened, rules, dataset, responses=evidence, fetch=fetch, progress=progress
        )
        pipeline.license(opened, rules, dataset, progress=progress)
    if call.as_json:
        print_document("signals", done)
        return
    say(
        f"{done.checked} checked and open, {done.opt_outs} reserved or in doubt, "
        f"{done.unreachable} unreachable, {done.not_checked} not checked",
        "bold",
    )
    for warning in done.warnings[:50]:
        say(f"  {warning}", "dim")
    if len(done.warnings) > 50:  # noqa: PLR2004
        say(f"  ... and {len(done.warnings) - 50} more; --json lists them all", "dim")
