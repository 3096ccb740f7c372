"""Commands about base models: list, show, add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picdeed.cli.app import LOOK, Call, app, command, existing
from picdeed.cli.deeds import deed_lines
from picdeed.cli.show import plain, print_document, say, sheet, table
from picdeed.core.errors import UsageError

if TYPE_CHECKING:
    from picdeed.flow.baseviews import BaseView
    from picdeed.flow.models import Added

models_app = typer.Typer(no_args_is_help=True, help="Base models and their deeds: add, list, show.")
app.add_typer(models_app, name="models", rich_help_panel=LOOK)

_DONE = {
    "added": "added; nothing was copied, its files stay where they are",
    "moved": "was known; where it lies now is recorded",
    "told": "was known; what is newly said about it is recorded",
}
_CONVERTED = "added; its weights were written to a folder of the registry, the file stays as it is"


@command("list", group=models_app)
def models_list(call: Call) -> None:
    """Every base of the registry, with its licence and whether it has a deed."""
    from picdeed.flow import pipeline
    from picdeed.flow.baseviews import list_models

    found = list_models(call.open(), pipeline.rules())
    if call.as_json:
        print_document("models", {"models": found})
        return
    rows = [
        (one.name, one.license, one.verdicts["train"], _deed_word(one), _place(one), one.id[:16])
        for one in found
    ]
    table("Bases", ("name", "licence", "train", "deed", "folder", "id"), rows)


@command("show", group=models_app)
def models_show(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name, id or prefix of one.")],
) -> None:
    """A base's deed: hash, licence and whose word that is, and what it was trained on."""
    from picdeed.flow import pipeline
    from picdeed.flow.baseviews import show_model

    found = show_model(call.open(), pipeline.rules(), name)
    if call.as_json:
        print_document("models", found)
        return
    _show(found)


@command("add", group=models_app)
def models_add(
    call: Call,
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="A base's folder, or its one file.")
    ] = None,
    hub: Annotated[
        str | None, typer.Option(metavar="ORG/NAME", help="Download it from Hugging Face's hub.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="REV", help="With --hub: a branch, tag or commit.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With a file: a base whose configs it has."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it here.")] = None,
    license_: Annotated[
        str | None, typer.Option("--license", metavar="LICENSE", help="Its licence, as you say.")
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so (asserted).")] = "",
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why, against its files.")] = "",
) -> None:
    """Check a base model and record its hash, licence and deed; or where it lies now."""
    from picdeed.flow import pipeline
    from picdeed.flow.basefacts import Person
    from picdeed.flow.modelfile import add_file
    from picdeed.flow.models import add_model, fetch_model

    if (path is None) == (hub is None) or (revision and hub is None):
        raise UsageError(
            "A base is added by its folder or by its name on the hub; nothing was recorded.",
            hint="picdeed models add FOLDER, or picdeed models add --hub ORG/NAME --revision REV.",
        )
    if config is not None and (path is None or path.is_dir()):
        raise UsageError(
            "--config goes with one file of weights; a folder has its own. Nothing was recorded."
        )
    if license_ is None and (by or because):
        raise UsageError(
            "--by and --because speak of --license, which is missing; nothing was recorded."
        )
    person = None if license_ is None else Person(license_, by, because)
    registry, rules = call.open(), pipeline.rules()
    if hub is not None:
        done = fetch_model(registry, rules, hub, revision=revision, name=name, person=person)
    elif path is not None and path.is_file():
        done = add_file(registry, rules, path, like=config, name=name, person=person)
    else:
        done = add_model(registry, rules, existing(path or Path()), name=name, person=person)
    if call.as_json:
        print_document(
            "models", {**plain(done.model), "changed": done.changed, "why_open": done.why_open}
        )
        return
    _told(done)


def _told(done: Added) -> None:
    """What was added, and what stands open."""
    _show(done.model)
    converted = "file" in (done.model.origin or {})
    for one in done.changed:
        words = _CONVERTED if converted and one == "added" else _DONE[one]
        say(f"{done.model.name} {words}.")
    if not done.changed:
        say(f"{done.model.name} was on record already; nothing was changed.")
    shut = [use for use, verdict in done.model.verdicts.items() if verdict in ("REVIEW", "DENY")]
    if done.why_open is not None:
        say(f"No licence is on record: {done.why_open}.", "yellow")
    if shut:
        say(f"Its own terms do not let pass: {', '.join(shut)}.", "yellow")
    if done.why_open is not None:
        say(
            f"Next: picdeed models add {done.model.path} --license LICENSE --by NAME "
            "--because TEXT",
            "dim",
        )
    else:
        say(f"Next: picdeed gate SNAPSHOT --base {done.model.name} --use train", "dim")


def _show(model: BaseView) -> None:
    say(f"{model.name}  {model.license}  {model.id[:16]}", "bold")
    sheet(list(_facts(model)))
    if model.deed is not None:
        say("  Its deed is about these weights; what it tells is its own word:")
        sheet(deed_lines(model.deed))


def _facts(model: BaseView) -> Iterator[tuple[str, str]]:
    yield "weights", f"sha256 {model.sha256}"
    yield "folder", str(model.path) if model.path else "none: training from nothing"
    if not model.is_there:
        yield "", "it is not there: picdeed models add FOLDER records where it lies now"
    if model.origin:
        yield "from", _origin(model.origin)
    if model.revoked is not None:
        yield "revoked", model.revoked
    for at, fact in enumerate(model.license_facts):
        yield ("" if at else "licence"), _fact(fact)
    if not model.license_facts and model.path:
        yield "licence", "nobody says which"
    verdicts = ", ".join(f"{use} {verdict}" for use, verdict in model.verdicts.items())
    yield "its terms", f"{verdicts} (before any picture; picdeed gate says the rest)"
    if model.deed_note:
        yield "deed", model.deed_note


def _origin(origin: Mapping[str, str]) -> str:
    if "file" in origin:
        return f"{origin['file']} (sha256 {origin.get('sha256')}), converted"
    return f"{origin.get('hub')} at {origin.get('revision')}"


def _fact(fact: Mapping[str, Any]) -> str:
    named = fact["license"] or "no licence that can be read"
    why = f", because {fact['because']}" if fact["because"] else ""
    paper = f" (sha256 {fact['sha256']})" if fact["sha256"] else ""
    return f"{fact['where']} says {fact['said']!r}: {named}; {fact['how']}{why}{paper}"


def _deed_word(model: BaseView) -> str:
    return "yes" if model.deed is not None else "no deed" if model.path else "-"


def _place(model: BaseView) -> str:
    if model.path is None:
        return "-"
    return "there" if model.is_there else "gone"
