"""Commands for another machine: bundle, the train that takes one, and import."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picdeed.cli.app import KEEP, Call, command, existing
from picdeed.cli.show import plain, print_document, say
from picdeed.core.errors import UsageError
from picdeed.core.ids import looks_like_id

if TYPE_CHECKING:
    from picdeed.flow.bundled import SignedBy

_SUFFIX = ".picdeed"


@command("bundle", panel=KEEP)
def bundle_command(
    call: Call,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT")],
    decision: Annotated[str, typer.Option(metavar="DEC", help="Under this one, still alive.")],
    base: Annotated[str, typer.Option()],
    preset: Annotated[str | None, typer.Option(metavar="NAME|FILE")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    to: Annotated[Path | None, typer.Option(metavar="PATH", help="A file or folder.")] = None,
) -> None:
    """Pack a run into one signed file, to be trained where no registry is."""
    from picdeed.flow.elsewhere import bundle_run
    from picdeed.flow.recipes import recipe_for

    opened = call.open()
    recipe = recipe_for(opened, base, preset, set_ or [])
    with call.progress() as progress:
        done = bundle_run(
            opened, snapshot, base, recipe, decision, seed=seed, to=to, progress=progress
        )
    if call.as_json:
        print_document("bundle", done)
        return
    say(f"{done.path}: {done.pictures} pictures, {done.steps} steps", "bold")
    say(f"It holds the pictures themselves, and may be trained until {done.valid_until}")
    _say_signer(done.signed_by)
    say("Next, on the other machine:", "dim")
    own = "" if base == "sprig" else f" --base FOLDER-OF-{done.base}"
    say(f"  picdeed train {done.path.name}{own}", "dim")


@command("import", panel=KEEP)
def import_command(
    call: Call,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The file or folder it left.")],
) -> None:
    """Bring home a run that was trained from a bundle; it is held against the bundle first."""
    from picdeed.cli.stages import show_run
    from picdeed.flow.elsewhere import import_run

    with call.progress() as progress:
        done = import_run(call.open(), existing(run), progress=progress)
    if call.as_json:
        more = {name: value for name, value in plain(done).items() if name != "run"}
        print_document("import", {**plain(done.run), **more})
        return
    if not done.new:
        say("It was on record already; nothing was changed.")
    show_run("import", done.run, as_json=False)
    if done.revocations:
        say(
            f"! What it learned from was revoked while it was away: the run is {done.standing}"
            f"{', flagged' if done.standing == 'good' else ''} "
            f"({', '.join(one[:16] for one in done.revocations)})",
            "yellow",
        )


def is_bundle(text: str) -> bool:
    """Whether `train` was given a file and no snapshot."""
    return not looks_like_id(text) and (text.endswith(_SUFFIX) or Path(text).is_file())


def train_bundle(
    call: Call, path: str, base: str | None, to: Path | None, refused: Mapping[str, Any]
) -> None:
    """Train what a bundle plans; `refused` are options that it leaves no room for, with values."""
    from picdeed.cli.stages import show_run
    from picdeed.flow.away import train_away
    from picdeed.jobs import launch

    _refuse(refused)
    with call.progress() as progress:
        done = train_away(
            existing(Path(path)), launch.foreground, base=base, to=to, progress=progress
        )
    if call.as_json:
        more = {name: value for name, value in plain(done).items() if name != "run"}
        # What is known of kin by now only a registry can say.
        print_document("train", {**plain(done.run), "leaks": None, **more})
        return
    _say_signer(done.signed_by)
    show_run("train", done.run, as_json=False, at_home=False)
    say(f"To bring back: {done.file}", "bold")
    say("Next, where the registry is: picdeed import FILE", "dim")


def _refuse(given: Mapping[str, Any]) -> None:
    # A seed of 0 was given too.
    said = [name for name, value in given.items() if value or (value == 0 and value is not False)]
    if said:
        raise UsageError(
            f"{', '.join(said)}: a bundle's plan is fixed and signed; nothing was started.",
            hint="Leave it out, or make another bundle where the registry is: picdeed bundle.",
        )


def _say_signer(signer: SignedBy) -> None:
    kind = " (a development identity)" if signer.development else ""
    say(f"Signed by {signer.subject}{kind}. Compare its key's digits with theirs:")
    say(f"  {signer.fingerprint}", "dim")
