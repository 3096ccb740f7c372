"""Commands about rights: claims, elections, contracts, approvals, decisions, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from picdeed.cli.app import FLOW, RIGHTS, Call, app, command, existing
from picdeed.cli.gated import show_gate
from picdeed.cli.show import print_document, reasons, say, table
from picdeed.core.errors import UsageError

if TYPE_CHECKING:
    from picdeed.flow.claims import Claimed

claims_app = typer.Typer(no_args_is_help=True, help="What was stated about pictures: add, list.")
app.add_typer(claims_app, name="claims", rich_help_panel=RIGHTS)
grants_app = typer.Typer(no_args_is_help=True, help="Contracts that open uses: add, list, end.")
app.add_typer(grants_app, name="grants", rich_help_panel=RIGHTS)

By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so (asserted).")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="On what ground.")]
Paper = Annotated[Path | None, typer.Option("--evidence", help="A file that proves it.")]


@command("add", group=claims_app)
def claims_add(
    call: Call,
    target: Annotated[str, typer.Argument(metavar="PICTURE|DATASET")],
    license_: Annotated[str | None, typer.Option("--license", metavar="EXPR")] = None,
    author: str | None = None,
    holder: str | None = None,
    title: str | None = None,
    source_url: str | None = None,
    caption_author: str | None = None,
    caption_license: Annotated[str | None, typer.Option(metavar="EXPR")] = None,
    persons: Annotated[str | None, typer.Option(metavar="identifiable|none")] = None,
    model_release: Annotated[
        str | None, typer.Option(metavar="unlimited|limited|none|not-applicable")
    ] = None,
    property_release: Annotated[
        str | None, typer.Option(metavar="unlimited|limited|none|not-applicable")
    ] = None,
    opt_out: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Its holder forbids training, as said here.")
    ] = None,
    synthetic: Annotated[
        str | None, typer.Option(metavar="MODEL", help="It was made by this model.")
    ] = None,
    waive_until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Do not ask its source again until then.")
    ] = None,
    corrects: Annotated[
        str | None, typer.Option(metavar="CLAIM", help="Takes a person's claim back.")
    ] = None,
    evidence: Paper = None,
    by: By = "",
    because: Because = "",
) -> None:
    """State something about a picture, or about every picture of a dataset."""
    from picdeed.flow import pipeline
    from picdeed.rights.claims import ClaimKind

    said = {
        ClaimKind.LICENSE: license_,
        ClaimKind.AUTHOR: author,
        ClaimKind.HOLDER: holder,
        ClaimKind.TITLE: title,
        ClaimKind.SOURCE_URL: source_url,
        ClaimKind.CAPTION_AUTHOR: caption_author,
        ClaimKind.CAPTION_LICENSE: caption_license,
        ClaimKind.PERSONS: persons,
        ClaimKind.MODEL_RELEASE: model_release,
        ClaimKind.PROPERTY_RELEASE: property_release,
        ClaimKind.OPT_OUT: opt_out,
        ClaimKind.SYNTHETIC: synthetic,
        ClaimKind.WAIVER: waive_until,
    }
    done = pipeline.claim(
        call.open(),
        pipeline.rules(),
        target,
        {kind: text for kind, text in said.items() if text is not None},
        pipeline.Saying(by, because, existing(evidence) if evidence else None),
        corrects=corrects,
    )
    _show_claimed(call, "claims", done)


@command("list", group=claims_app)
def claims_list(
    call: Call,
    picture: Annotated[str, typer.Argument(metavar="PICTURE")],
) -> None:
    """Everything that was ever stated about a picture, taken back or not."""
    from picdeed.flow import pipeline
    from picdeed.rights.verdict import Use

    found = pipeline.explain(call.open(), picture, Use.TRAIN)
    mine = [one for one in found.claims if one.about == found.picture]
    if call.as_json:
        print_document("claims", {"picture": found.picture, "claims": mine})
        return
    rows = [
        (one.id[:12], one.kind, one.said[:60], one.source, one.observed_at[:10], one.taken_back)
        for one in mine
    ]
    table(found.picture[:16], ("claim", "kind", "said", "source", "day", "taken back"), rows)


@command("elect", panel=RIGHTS)
def elect_command(
    call: Call,
    target: Annotated[str, typer.Argument(metavar="PICTURE|DATASET")],
    side: Annotated[str, typer.Argument(metavar="LICENSE")],
    by: By = "",
    because: Because = "",
) -> None:
    """Take one side of an OR ("MIT OR GPL-2.0-only") for a picture or a dataset."""
    from picdeed.flow import pipeline

    saying = pipeline.Saying(by, because)
    done = pipeline.elect(call.open(), pipeline.rules(), target, side, saying)
    _show_claimed(call, "elect", done)


def _show_claimed(call: Call, name: str, done: Claimed) -> None:
    if call.as_json:
        print_document(name, done)
        return
    say(f"{len(done.claims)} claims recorded about {done.pictures} pictures", "bold")
    if done.taken_back:
        say(f"{len(done.taken_back)} earlier claims taken back; they stay on record")
    if not done.claims and not done.taken_back:
        say("It was on record already; nothing was changed.")
    if done.target.startswith("img_"):
        say(f"Next: picdeed why {done.target[:12]} --use train", "dim")
    else:
        say("Next: picdeed license shows what it came to", "dim")


@command(panel=RIGHTS)
def remove(
    call: Call,
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE...")],
    dataset: Annotated[str, typer.Option(help="The dataset that they leave.")],
    undo: Annotated[bool, typer.Option("--undo", help="Put them back in.")] = False,
) -> None:
    """Take pictures out of a dataset; bytes, claims and snapshots stay."""
    from picdeed.flow import pipeline

    done = pipeline.remove(call.open(), dataset, pictures, undo=undo)
    if call.as_json:
        print_document("remove", done)
        return
    word = "put back into" if undo else "taken out of"
    say(f"{len(done.changed)} pictures {word} {dataset}; {done.members} are in it now", "bold")
    say(f"Next: picdeed snapshot {dataset}", "dim")


@command("add", group=grants_app)
def grants_add(
    call: Call,
    target: Annotated[str, typer.Argument(metavar="PICTURE|DATASET|BASE")],
    licensor: Annotated[str, typer.Option()],
    licensee: Annotated[str, typer.Option()],
    action: Annotated[str, typer.Option(metavar="USE[,USE]", help="What it allows, by name.")],
    evidence: Annotated[Path, typer.Option(help="The contract itself; kept with its hash.")],
    from_: Annotated[str | None, typer.Option("--from", metavar="DATE")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE")] = None,
    survival: Annotated[
        str, typer.Option(metavar="yes|no|unknown", help="Do adapters and outputs outlive it?")
    ] = "unknown",
    territory: str | None = None,
    indemnity: str | None = None,
    term: Annotated[
        list[str] | None, typer.Option(metavar="KEY=TEXT", help="fee, law, audience, limits ...")
    ] = None,
    authority: Annotated[
        str, typer.Option(help="On what the licensor's right rests, if claims name another.")
    ] = "",
    by: By = "",
) -> None:
    """Record a contract over a picture, a dataset's present pictures, or a base."""
    from picdeed.flow import pipeline
    from picdeed.rights.verdict import parse_uses

    terms = dict(_pair(one) for one in term or ())
    terms |= {
        name: text
        for name, text in (("territory", territory), ("indemnity", indemnity))
        if text is not None
    }
    contract = pipeline.Contract(
        licensor,
        licensee,
        parse_uses(action),
        existing(evidence),
        from_,
        until,
        survival,
        terms,
        authority,
        by,
    )
    done = pipeline.grant(call.open(), target, contract)
    if call.as_json:
        print_document("grants", done)
        return
    say(f"{done.id[:16]}  {done.state}  {', '.join(done.actions)}", "bold")
    say(f"covers {done.covers} things until {(done.ends or 'no end')[:10]}")
    if done.unmatched:
        say(
            f"{done.unmatched} of them name another holder: REVIEW, not DUTIES, until a person "
            "has looked",
            "yellow",
        )
    say("Next: picdeed gate SNAPSHOT --base BASE --use USE", "dim")


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not value:
        raise UsageError(f"{text!r} is not KEY=TEXT; nothing was recorded.")
    return key.strip(), value.strip()


@command("list", group=grants_app)
def grants_list(call: Call) -> None:
    """Every contract: who, what, until when."""
    from picdeed.flow import pipeline

    found = pipeline.list_grants(call.open())
    if call.as_json:
        print_document("grants", {"grants": found})
        return
    if not found:
        say("No contract is on record. picdeed grants add records one.")
        return
    rows = [
        (one.id[:12], one.licensor, ", ".join(one.actions), one.covers, one.state, one.ends or "-")
        for one in found
    ]
    table("Contracts", ("grant", "licensor", "allows", "covers", "state", "until"), rows)


@command("end", group=grants_app)
def grants_end(
    call: Call,
    identity: Annotated[str, typer.Argument(metavar="GRANT")],
    because: Because = "",
    on: Annotated[str | None, typer.Option("--on", metavar="DATE")] = None,
) -> None:
    """Record that a contract is over; `revoke GRANT` then decides about what descends."""
    from picdeed.flow import pipeline

    done = pipeline.end(call.open(), identity, because, on=on)
    if call.as_json:
        print_document("grants", done)
        return
    say(f"{done.id[:16]}  {done.state}, ends {(done.ends or '-')[:10]}", "bold")
    say(f"Next: picdeed revoke {done.id[:12]} --ground contract-ended --simulate", "dim")


@command("approve", panel=FLOW)
def approve_command(
    call: Call,
    decision: str,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who answers for it (asserted).")],
    basis: Annotated[str, typer.Option(metavar="TEXT", help="The legal basis.")],
    until: Annotated[str, typer.Option(metavar="DATE")],
) -> None:
    """Let one REVIEW pass until a day; the verdict stays REVIEW."""
    from picdeed.flow import pipeline

    done = pipeline.approve(call.open(), decision, by=by, basis=basis, until=until)
    if call.as_json:
        print_document("approve", done)
        return
    say(f"{done.decision[:16]} stays {done.verdict}; {by} answers for it until {until}", "bold")
    say(f"Next: picdeed train {done.snapshot[:12]} --base {done.base[:12]}", "dim")


@command("decisions", panel=RIGHTS)
def decisions_command(
    call: Call,
    subject: Annotated[str | None, typer.Argument(metavar="[DECISION|SNAPSHOT|BASE]")] = None,
) -> None:
    """Recorded verdicts, newest first; one whole by its id."""
    from picdeed.flow import pipeline

    found = pipeline.list_decisions(call.open(), subject)
    if call.as_json:
        print_document("decisions", {"decisions": found})
        return
    if len(found) == 1:
        show_gate(found[0])
        return
    rows = [
        (one.decision[:12], one.verdict, ", ".join(one.uses), one.snapshot[:12], one.valid_until)
        for one in found
    ]
    table("Decisions", ("decision", "verdict", "uses", "snapshot", "valid until"), rows)


@command("why", panel=RIGHTS)
def why_command(
    call: Call,
    picture: Annotated[str, typer.Argument(metavar="PICTURE")],
    use: Annotated[str, typer.Option(metavar="USE")],
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="From what was known on that day.")
    ] = None,
    profile: str = "conservative",
    non_commercial: bool = False,
) -> None:
    """Every rule that fired for a picture and a use, and what it rests on."""
    from picdeed.flow import pipeline
    from picdeed.rights.verdict import parse_uses

    uses = parse_uses(use)
    if len(uses) != 1:
        raise UsageError("One use at a time.", hint="--use train")
    with call.progress() as progress:
        done = pipeline.explain(
            call.open(),
            picture,
            uses[0],
            as_of=as_of,
            profile=profile,
            commercial=not non_commercial,
            progress=progress,
        )
    if call.as_json:
        print_document("why", done)
        return
    say(f"{done.verdict}  {done.use}  {done.picture[:16]}  ({done.license})", "bold")
    say(f"as known on {done.as_of[:19]}Z; no legal advice", "dim")
    reasons(done.reasons)
    if not done.claims:
        say("Nothing was on record about it.")
    claims = [
        (one.kind, one.said[:70], one.source, one.observed_at[:10], one.taken_back or "")
        for one in done.claims
    ]
    if claims:
        table("What was known", ("kind", "said", "source", "day", "taken back"), claims)
    if done.until:
        say(f"Time alone may change this on {done.until[:10]}.", "yellow")
