"""Commands that keep promises: licensee facts, what runs out, what is passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from picdeed.cli.app import KEEP, Call, app, command, existing
from picdeed.cli.show import print_document, say, table
from picdeed.core.errors import UsageError
from picdeed.core.moments import moment

FORMATS = ("notices", "kohya", "comfyui", "peft")
_PASSED_ON = {"share-adapter", "sell-adapter"}

facts_app = typer.Typer(
    no_args_is_help=True, help="What your organisation says of itself: add, list."
)
app.add_typer(facts_app, name="facts", rich_help_panel=KEEP)


@command("add", group=facts_app)
def facts_add(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    value: Annotated[str, typer.Argument(metavar="VALUE")],
    since: Annotated[str, typer.Option(metavar="DATE", help="From this day on.")],
    evidence: Annotated[Path | None, typer.Option(help="A file that proves it.")] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.")] = None,
) -> None:
    """Record a dated fact, such as annual-revenue-usd, on which licences depend."""
    from picdeed.flow import pipeline
    from picdeed.flow.facts import add_fact

    proof = existing(evidence) if evidence is not None else None
    if proof is not None and not proof.is_file():
        raise UsageError(f"{proof} is no file; nothing was recorded.")
    done = add_fact(call.open(), pipeline.rules(), name, value, since, evidence=proof, by=by)
    if call.as_json:
        print_document("facts", {"fact": done})
        return
    say(f"{done.name} is {done.value} since {done.since[:10]}", "bold")
    if done.asked_by:
        say(f"asked for by: {', '.join(done.asked_by)}")
    else:
        say("No licence of the catalogue asks for it.", "dim")


@command("list", group=facts_app)
def facts_list(call: Call) -> None:
    """Every recorded fact, newest first within its name."""
    from picdeed.flow import pipeline
    from picdeed.flow.facts import asked_facts, list_facts

    catalogue = pipeline.rules()
    found = list_facts(call.open(), catalogue)
    asked = asked_facts(catalogue)
    if call.as_json:
        print_document("facts", {"facts": found, "asked": asked})
        return
    rows = [
        (one.name, one.value, one.since[:10], "yes" if one.in_force else "", one.recorded_by)
        for one in found
    ]
    table("Facts", ("name", "value", "since", "in force", "said by"), rows)
    for name in sorted(set(asked) - {one.name for one in found}):
        say(f"{name} is not recorded; {', '.join(asked[name])} ask for it", "yellow")


@command(panel=KEEP)
def watch(
    call: Call,
    days: Annotated[int, typer.Option(min=0, max=36_500, help="How far to look ahead.")] = 30,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="As if it were that day.")
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="URL=FILE", help="A licence text as it stands there now."),
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Ask for every pinned licence text.")
    ] = False,
) -> None:
    """List what runs out, and licence texts that changed."""
    from picdeed.flow import pipeline
    from picdeed.flow import watch as watching

    done = watching.watch(
        call.open(),
        pipeline.rules(),
        days=days,
        at=moment(as_of) if as_of is not None else None,
        seen=dict(map(_text_at, text or [])),
        ask=watching.fetch_text if fetch else None,
    )
    if call.as_json:
        print_document("watch", done)
        return
    rows = [
        (one.when[:10], one.kind, one.id[:12], one.pictures or "", one.what)
        for one in done.expiring
    ]
    columns = ("day", "kind", "id", "pictures", "what")
    table(f"Runs out within {done.days} days of {done.as_of[:10]}", columns, rows)
    if done.changed_texts:
        changes = [
            (one.license, one.url, one.was[:12], one.now[:12], one.first_seen[:10])
            for one in done.changed_texts
        ]
        table("Licence texts that changed", ("licence", "at", "was", "is", "seen"), changes)
    for missed in done.unreachable:
        say(f"not compared: {missed['url']}: {missed['why']}", "yellow")


def _text_at(said: str) -> tuple[str, Path]:
    # Addresses hold "=", file names rarely do: the last one parts them.
    url, _, name = said.rpartition("=")
    if not url or not name:
        raise UsageError(f"{said!r} is not URL=FILE; nothing was recorded.")
    path = existing(Path(name))
    if not path.is_file():
        raise UsageError(f"{path} is no file; nothing was recorded.")
    return url, path


@command(panel=KEEP)
def export(
    call: Call,
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help=", ".join(FORMATS))],
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    to: Annotated[Path | None, typer.Option(metavar="PATH", help="A file or a folder.")] = None,
) -> None:
    """Write notices of a snapshot, run, adapter or output; or an adapter for other tools."""
    if format_ not in FORMATS:
        raise UsageError(
            f"{format_!r} is no format that picdeed exports yet; nothing was written.",
            hint=f"Formats: {', '.join(FORMATS)}.",
        )
    if format_ == "notices":
        _export_notices(call, identifier, to)
    else:
        _export_adapter(call, format_, identifier, to)


def _export_notices(call: Call, identifier: str, to: Path | None) -> None:
    from picdeed.exports.notices import export_notices
    from picdeed.flow import pipeline

    done = export_notices(call.open(), pipeline.rules(), identifier, to)
    if call.as_json:
        print_document("export", done)
        return
    say(f"{done.path}  sha256 {done.sha256}", "bold")
    if done.missing:
        missed = ", ".join(f"{what} of {n}" for what, n in done.missing.items())
        say(f"{done.pictures} pictures; not on record: {missed}", "yellow")


def _export_adapter(call: Call, form: str, identifier: str, to: Path | None) -> None:
    from picdeed.exports.adapters import Form, export_adapter

    done = export_adapter(call.open(), Form(form), identifier, to)
    if call.as_json:
        print_document("export", done)
        return
    say(f"{done.path}  sha256 {done.sha256}", "bold")
    say(f"{done.layers} layers, rank {done.rank}, alpha {done.alpha:g}; {done.license}")
    if done.notices is not None:
        say(f"to be passed on with it: {done.notices}")
    if not set(done.uses) & _PASSED_ON:
        asked = ", ".join(done.uses) or "nothing"
        say(
            f"Its run was decided for {asked}; whether it may be passed on was not asked.", "yellow"
        )
        say("Next: picdeed gate SNAPSHOT --base BASE --use train,share-adapter", "dim")
