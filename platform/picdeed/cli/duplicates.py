"""Commands about copies: what a person decided about two pictures that look alike."""

from __future__ import annotations

from typing import Annotated

import typer

from picdeed.cli.app import RIGHTS, Call, app, command
from picdeed.cli.rights import Because, By
from picdeed.cli.show import print_document, say, table
from picdeed.core.errors import UsageError

duplicates_app = typer.Typer(no_args_is_help=True, help="Pictures that look alike: list, decide.")
app.add_typer(duplicates_app, name="duplicates", rich_help_panel=RIGHTS)

UNDO = "undo"


@command("list", group=duplicates_app)
def duplicates_list(call: Call) -> None:
    """Clusters, what a person should look at (gravest first), and what was decided."""
    from picdeed.flow import pipeline

    opened = call.open()
    with call.progress() as progress:
        found = pipeline.dedup(opened, progress=progress)
    decided = pipeline.list_decided(opened)
    if call.as_json:
        print_document(
            "duplicates",
            {"clusters": found.clusters, "review": found.review, "decided": decided},
        )
        return
    say(f"{len(found.clusters)} clusters, {len(found.review)} to look at", "bold")
    for doubt in found.review[:40]:
        say(f"? {doubt.kind}: {', '.join(one[:12] for one in doubt.pictures[:6])}", "yellow")
        say(f"  {doubt.why}", "dim")
    if decided:
        rows = [
            (one.pictures[0][:12], one.pictures[1][:12], one.verdict, one.by, one.recorded_at[:10])
            for one in decided
        ]
        table("Decided", ("picture", "picture", "verdict", "by", "day"), rows)


@command("decide", group=duplicates_app)
def duplicates_decide(
    call: Call,
    first: Annotated[str, typer.Argument(metavar="PICTURE")],
    second: Annotated[str, typer.Argument(metavar="PICTURE")],
    verdict: Annotated[str, typer.Argument(metavar="merge|not-a-match|variant|undo")],
    keep: Annotated[
        str | None, typer.Option(metavar="PICTURE", help="Which one stands for both.")
    ] = None,
    by: By = "",
    because: Because = "",
) -> None:
    """Say what two pictures are to each other; it outlasts every rescan."""
    from picdeed.flow import pipeline
    from picdeed.registry.codes import PairVerdict

    known = {str(one): one for one in PairVerdict}
    if verdict != UNDO and verdict not in known:
        raise UsageError(
            f"{verdict!r} is no decision; nothing was recorded.",
            hint=f"One of: {', '.join(known)}, {UNDO}.",
        )
    done = pipeline.decide_pair(
        call.open(), first, second, known.get(verdict), keep=keep, by=by, because=because
    )
    if call.as_json:
        print_document("duplicates", done)
        return
    said = done.verdict or "nothing any more"
    say(f"{done.pictures[0][:12]} and {done.pictures[1][:12]}: {said}", "bold")
    say("Next: picdeed dedup groups the pictures anew", "dim")
