"""Commands around the flow: the demo, the dashboard, pretraining the base."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from picdeed.cli.app import KEEP, LOOK, Call, command, existing
from picdeed.cli.show import print_document, say, table


@command(panel=LOOK, without=("registry", "blobs"))
def demo(
    call: Call,
    registry: Annotated[Path | None, typer.Option("--registry", metavar="DIR")] = None,
) -> None:
    """Run the whole flow on picdeed's own drawings and the embedded base."""
    from picdeed.flow.demo import run_demo
    from picdeed.jobs import launch

    where = registry or next_demo_folder(Path.cwd())
    with call.progress() as progress:
        done = run_demo(where, launch.foreground, progress=progress)
    if call.as_json:
        print_document("demo", done.document())
        return
    table(
        "What stood in the way, and what stopped it",
        ("picture", "cause", "stopped by", "why"),
        done.stopped,
    )
    table("What came out", ("step", "result"), done.table)
    say(f"Pictures: {done.folder}", "bold")
    say("Next:")
    for line in done.next_commands:
        say(f"  {line.replace('picdeed', _program(), 1)}", "dim")


def _program() -> str:
    """picdeed as the user can call it from here: it need not be on the PATH."""
    if shutil.which("picdeed"):
        return "picdeed"
    return os.path.relpath(sys.argv[0]) if Path(sys.argv[0]).is_file() else "picdeed"


def next_demo_folder(here: Path) -> Path:
    """A new `picdeed-demo-N/` in the current folder."""
    n = 1
    while (here / f"picdeed-demo-{n}").exists():
        n += 1
    return here / f"picdeed-demo-{n}"


@command(panel=LOOK)
def dashboard(
    call: Call,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
) -> None:
    """Open the dashboard of a registry in the browser."""
    from picdeed.cli.serve import serve

    serve(call.open(), port)


@command(panel=KEEP, without=("registry", "blobs"))
def pretrain(
    call: Call,
    recipe: Annotated[Path | None, typer.Argument(metavar="[RECIPE]")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Re-ingest the pinned packages, compare the root.")
    ] = False,
    work: Annotated[Path | None, typer.Option(metavar="DIR", help="Checkpoints.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the base goes.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Stop then; the same command goes on."),
    ] = None,
) -> None:
    """Train a base from scratch on gated pictures, or check the shipped one's deed."""
    from picdeed.core.resources import bundled
    from picdeed.flow.pretrain import check_deed, pretrain_base

    chosen = existing(recipe) if recipe else bundled("configs") / "pretrain" / "sprig.toml"
    with call.progress() as progress:
        if check:
            found = check_deed(chosen, work, progress=progress)
        else:
            found = pretrain_base(chosen, work, out, minutes=minutes, progress=progress)
    if call.as_json:
        print_document("pretrain", found)
    else:
        say(f"{found.members} pictures, Merkle root {found.root}", "bold")
        say(f"share-adapter, sell-adapter: {found.verdict}")
        if check:
            say("The shipped deed names the same root." if found.same else "The root differs.")
    if check and not found.same:
        raise typer.Exit(5)


@command(panel=KEEP)
def datasets(
    call: Call,
) -> None:
    """Every dataset and how many pictures it holds."""
    from picdeed.flow import pipeline

    found = pipeline.datasets_of(call.open())
    if call.as_json:
        print_document("datasets", {"datasets": found})
        return
    table(
        "Datasets",
        ("name", "pictures", "id"),
        [(d["name"], d["pictures"], d["id"][:16]) for d in found],
    )
