"""How is a decision told to a person?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from picdeed.cli.show import reasons, say

if TYPE_CHECKING:
    from picdeed.flow.decided import Gated


def show_gate(done: Gated) -> None:
    """A decision for a person: verdict, every reason with clause and certainty, duties."""
    say(f"{done.verdict}  {', '.join(done.uses)}  ({done.decision[:16]})", "bold")
    reasons(done.reasons)
    for duty in done.duties:
        say(f"duty: {duty['kind']} ({duty['license']}): {duty['text']}")
    if done.drop:
        say(f"Leaving out these {done.drop_total} pictures lifts the verdict:", "yellow")
        for picture in done.drop[:20]:
            say(f"  {picture}")
        if done.drop_total > 20:  # noqa: PLR2004 - shown
            say("  ...")
    for way in done.what_if or ():
        say(f"{way['use']} would be {way['verdict']} after:", "bold")
        for step in way["steps"]:
            say(f"  {_step_in_words(step)}")
    if done.what_if == ():
        say("Nothing would have to change, or nothing that picdeed knows would open it.")
    if done.approved:
        say(f"approved by {done.approved['by']} ({done.approved['basis']})", "yellow")
        say(f"until {done.approved['until'][:10]}; the verdict stays {done.verdict}")
    elif done.verdict == "REVIEW":
        say(f"Next: picdeed approve {done.decision[:12]} --by NAME --basis TEXT --until DATE")
    say(f"valid until {done.valid_until}; not legal advice", "dim")


def _step_in_words(step: dict[str, Any]) -> str:
    of = f"{step['pictures']} pictures under {step['subject']}"
    return {
        "drop": f"leaving out {of}",
        "grant": f"a contract that names {', '.join(step['actions'])} for {of}",
        "elect": f"electing {step['subject']} for {step['pictures']} pictures",
        "release": f"model or property releases for {of}",
        "check": f"asking the sources of {of} again (picdeed signals)",
        "base": f"another base: {step['subject']}",
    }[step["means"]]
