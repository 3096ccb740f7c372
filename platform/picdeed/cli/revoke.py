"""Commands that take back: revoke, erase, and the tombstones that registries tell each other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from picdeed.cli.app import FLOW, KEEP, Call, Yes, app, command
from picdeed.cli.show import print_document, say, table
from picdeed.core.errors import Unconfirmed, UsageError

if TYPE_CHECKING:
    from picdeed.flow.revoke import Revoked

tombstones_app = typer.Typer(
    no_args_is_help=True, help="What was revoked, told to other registries: export, read."
)
app.add_typer(tombstones_app, name="tombstones", rich_help_panel=KEEP)

GROUPS = ("pictures", "snapshots", "runs", "adapters", "outputs")


@command(panel=FLOW)
def revoke(
    call: Call,
    target: Annotated[
        str, typer.Argument(metavar="PICTURE|DATASET|GRANT|LICENCE|ADAPTER|RUN|BASE")
    ],
    ground: Annotated[str, typer.Option(help="contract-ended opt-out takedown privacy error")],
    effective: Annotated[
        str | None, typer.Option(metavar="DATE", help="Since when; today or earlier.")
    ] = None,
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate", help="Mark nothing. Pending fingerprints and licences may be written."
        ),
    ] = False,
) -> None:
    """Take something back, and mark all that descends from it."""
    from picdeed.flow import pipeline

    opened = call.open()
    try:
        why = pipeline.Ground(ground)
    except ValueError:
        known = ", ".join(pipeline.Ground)
        raise UsageError(f"{ground!r} is no ground; nothing was changed.", hint=known) from None
    with call.progress() as progress:
        done = pipeline.withdraw(
            opened, target, why, effective=effective, simulate=simulate, progress=progress
        )
    if call.as_json:
        print_document("revoke", done)
        return
    head = f"Applied {done.revocation[:16]}" if done.applied else "Simulated; nothing was marked."
    say(head, "bold")
    _show(done)
    if done.applied and done.impact.adapters:
        say(f"Next: picdeed train --without {done.revocation[:12]} --dry-run", "dim")


@command(panel=KEEP, without={"yes"})
def erase(
    call: Call,
    picture: Annotated[str, typer.Argument(metavar="PICTURE")],
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="On whose wish.")],
    yes: Yes = False,
) -> None:
    """Revoke a picture and erase its bytes, thumbnail, captions and latents (GDPR Art. 17)."""
    from picdeed.flow.takeback import erase_picture

    opened = call.open()
    if not yes:
        if call.as_json or not sys.stdin.isatty():
            raise Unconfirmed(
                f"Nobody is there to confirm that {picture} is to be erased; nothing was changed.",
                hint="Repeat with --yes.",
            )
        typer.confirm(f"Erase {picture}? Its bytes cannot be brought back", abort=True)
    with call.progress() as progress:
        fell, done = erase_picture(opened, picture, because, progress=progress)
    if call.as_json:
        print_document("erase", {"erased": done, "revoked": fell})
        return
    say(f"Erased {done.picture[:16]}: {done.rows} rows, {done.files} files", "bold")
    for copy in done.copies:
        say(f"{copy[:16]} is another file of it: revoked, its bytes are still here", "yellow")
    _show(fell)


@command("export", group=tombstones_app)
def tombstones_export(
    call: Call,
    to: Annotated[Path, typer.Option("--to", metavar="FILE")],
    fingerprints: Annotated[
        bool,
        typer.Option(
            "--fingerprints",
            help="Say how each picture looks, so that crops and mirrored copies are found too. "
            "Not of pictures revoked for privacy: a fingerprint is about them.",
        ),
    ] = False,
    privacy_too: Annotated[
        bool,
        typer.Option(
            "--privacy-too", help="With --fingerprints: also of pictures revoked for privacy."
        ),
    ] = False,
) -> None:
    """Write this registry's feed: salted hashes of what was revoked, signed."""
    from picdeed.flow.tombstones import export_tombstones

    if privacy_too and not fingerprints:
        raise UsageError(
            "--privacy-too says whose fingerprints to give away, and none were asked for; "
            "nothing was written.",
            hint="Add --fingerprints.",
        )
    done = export_tombstones(call.open(), to, fingerprints=fingerprints, privacy_too=privacy_too)
    if call.as_json:
        print_document("tombstones", done)
        return
    say(f"{done.path}: {done.entries} entries", "bold")
    if done.fingerprints is not None:
        say(f"{done.fingerprints} of them say how their picture looks")
    say(f"fingerprint of its key: {done.fingerprint}", "dim")


@command("read", group=tombstones_app)
def tombstones_read(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    trust: Annotated[
        bool, typer.Option("--trust", help="Trust the key of this feed from now on.")
    ] = False,
    simulate: Annotated[bool, typer.Option("--simulate", help="Change nothing.")] = False,
) -> None:
    """Read another registry's feed; what it names here is opted out and revoked."""
    from picdeed.flow.takeback import read_feed

    opened = call.open()
    with call.progress() as progress:
        done, fell = read_feed(opened, file, trust=trust, simulate=simulate, progress=progress)
    if call.as_json:
        revoked = [{"revocation": one.revocation, "target": one.target} for one in fell]
        print_document("tombstones", {"read": done, "revoked": revoked})
        return
    say(f"{done.entries} entries, {done.new} new; key {done.fingerprint}", "bold")
    rows = [(m.picture[:16], m.by, m.ground, m.effective[:10]) for m in done.matches]
    table("Pictures of ours", ("picture", "same", "ground", "since"), rows)
    verb = "would be" if simulate else "were"
    say(f"{len(done.pending)} {verb} revoked")
    for one in done.alike:
        say(f"! {one.picture[:16]}: {one.said}", "yellow")
    for note in done.notes:
        say(f"! {note}", "yellow")


def _show(done: Revoked) -> None:
    rows = [
        (name, len(touched), ", ".join(sorted({one.state for one in touched})))
        for name in GROUPS
        if (touched := getattr(done.impact, name))
    ]
    table("Impact", ("what", "how many", "state"), rows)
    if done.note:
        say(done.note, "yellow")
    if done.report is not None:
        say(f"report: {done.report}", "dim")
