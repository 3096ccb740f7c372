"""What does `dedup` show? Clusters and questions; with `--against` matches, gravest first."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from picdeed.cli.show import plain, print_document, say, table

if TYPE_CHECKING:
    from picdeed.cli.app import Call
    from picdeed.flow.dedup import Deduped
    from picdeed.flow.matched import Against, Listed, Matched
    from picdeed.registry.session import Registry

SHOWN = 40

AgainstList = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|DATASET|TOMBSTONES",
        help="Which pictures are copies of something there: a picture, a folder of them, a feed, a "
        "dataset, or the word tombstones. Nothing of the list is registered.",
    ),
]


def dedup_against(call: Call, opened: Registry, source: str, dataset: str | None) -> None:
    """Ask, show, and end with 6 where a file of the list could not be read."""
    from picdeed.flow import pipeline

    with call.progress() as progress:
        done, found = pipeline.dedup_against(opened, source, dataset, progress=progress)
    if call.as_json:
        print_document("dedup", {**plain(done), "against": found})
    else:
        show_against(found)
    if found.unchecked:
        raise typer.Exit(6)


def show_against(found: Against) -> None:
    """For a person."""
    pictures, listed = found.compared.pictures, found.compared.listed
    say(f"{len(found.matches)} matches: {pictures} pictures against {listed} listed", "bold")
    rows = [
        (one.kind, one.picture[:16], _named(one.listed), _how(one)) for one in found.matches[:SHOWN]
    ]
    if rows:
        table("Copies of what is listed", ("kind", "picture", "listed", "how"), rows)
    if len(found.matches) > SHOWN:
        say(f"... and {len(found.matches) - SHOWN} more; --json lists all", "dim")
    for note in found.notes:
        say(f"! {note}", "yellow")
    if found.unchecked:
        left = [(one.path, one.reason, one.message) for one in found.unchecked[:SHOWN]]
        table("Not compared", ("file", "reason", "why"), left)
    if found.kind in ("files", "feed"):
        say("Nothing of the list was kept.", "dim")
    if found.matches:
        first = found.matches[0].picture[:12]
        say(
            f"Next: picdeed claims add {first} --opt-out TEXT, or picdeed revoke {first} "
            "--ground GROUND",
            "dim",
        )


def _named(listed: Listed) -> str:
    if listed.path is not None:
        return PurePath(listed.path).name
    if listed.picture is not None:
        return listed.picture[:16]
    return f"entry {listed.seq} of feed {(listed.feed or '')[:16]}"


def _how(one: Matched) -> str:
    because = one.evidence.get("ground")
    turned = one.turn if one.turn not in (None, "none") else None
    return "; ".join(str(word) for word in (one.edit, turned, because) if word)


def tell_copies(done: Deduped) -> None:
    """What dedup found, in tables: clusters, what to look at, and what codes alone are worth."""
    say(f"{len(done.clusters)} clusters from {done.pairs} pairs", "bold")
    rows = [
        (c.kind, c.keeper[:16], len(c.members), ", ".join(c.licenses)) for c in done.clusters[:40]
    ]
    if rows:
        table("Clusters", ("kind", "keeper", "pictures", "licences"), rows)
    for doubt in done.review[:20]:
        say(f"? {', '.join(p[:12] for p in doubt.pictures)}: {doubt.why}", "yellow")
    measured = [one for one in done.thresholds if one.expected_false_pairs is not None]
    if measured:
        table(
            "Were codes alone to decide (pixels do)",
            ("dataset", "pictures", "sure up to", "strangers within 31 bits"),
            [
                (one.dataset, one.pictures, f"{one.sure} bits", f"{one.expected_false_pairs:.2g}")
                for one in measured
            ],
        )
    if done.review:
        say("Next: picdeed duplicates list, or the dashboard's page Copies", "dim")
