"""How does a decision read? Its verdict, every reason, its duties, and what would open it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from picdeed_ui import data
from picdeed_ui.parts.gallery import gallery, picture_card
from picdeed_ui.parts.words import Cell, Each, Link, Stamp, counted, questions, short, table, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from picdeed.flow.pipeline import Gated

THUMBS = 24


def headline(gated: Gated) -> None:
    """The verdict, for what and until when, and who lets a REVIEW pass."""
    said = f"for {', '.join(gated.uses)}; valid until {gated.valid_until[:10]}"
    lines = [("The gate says", gated.verdict, said)]
    if gated.approved is not None:
        by, until = gated.approved["by"], gated.approved["until"][:10]
        basis = gated.approved["basis"]
        lines.append(("Who answers for it", "approved", f"{by}, until {until}: {basis}"))
    questions(lines)


def reasons(gated: Gated) -> None:
    """Every rule that fired, strictest first."""
    table(
        ("effect", "use", "about", "licence", "clause", "certainty", "pictures"),
        [
            [
                Stamp(row["effect"]),
                row["use"],
                row["subject"],
                row["license"],
                row["clause"],
                row["certainty"].lower(),
                int(row["pictures"]) or "",
            ]
            for row in gated.reasons
        ],
    )


def duties(rows: Iterable[Mapping[str, Any]]) -> None:
    """What has to be done in return."""
    table(
        ("duty", "licence", "what to do"),
        [[str(row["kind"]), str(row["license"]), str(row["text"])] for row in rows],
    )


def dropped(gated: Gated) -> None:
    """The smallest set of pictures without which the gate would open, to look at."""
    if gated.drop_reason == "base":
        words("note", "Leaving pictures out would not help: the base itself stands in the way.")
    elif gated.drop_reason == "nothing-left":
        words("note", "Leaving pictures out would not help: none would be left.")
    if not gated.drop:
        return
    n = gated.drop_total
    st.subheader("The smallest set to leave out")
    words("note", f"Without {counted(n)} the gate would open.")
    opened = gallery(map(picture_card, data.some_pictures(gated.drop[:THUMBS])), key="dropped")
    if opened:
        st.switch_page("picdeed_ui/pages/browse.py", query_params={"picture": opened})
    if n > THUMBS:
        words("note", f"The first {THUMBS} of {n:,}.")


def ways(gated: Gated) -> None:
    """What would have to happen for each use that is closed; every way was tried."""
    if gated.what_if is None:
        words("note", "Ask the gate again to see what would allow it.")
        return
    if not gated.what_if:
        words("note", "Nothing that picdeed knows of would open it.")
        return
    table(
        ("use", "would be", "after"),
        [[way["use"], Stamp(way["verdict"]), _sentence(way["steps"])] for way in gated.what_if],
    )
    words("note", "Each line is a way of its own; the gate was asked about every one of them.")


def recorded(rows: Sequence[Gated], most: int) -> None:
    """The newest decisions, each with its address."""
    names = data.base_names()
    table(
        ("decision", "verdict", "uses", "snapshot", "base", "profile", "valid until", ""),
        [_line(row, names) for row in rows[:most]],
    )
    if len(rows) > most:
        words("note", f"The newest {most} of {len(rows):,}.")
    words(
        "note",
        "Alive means not expired. Whatever changed since then (a claim, a contract, a rule) makes "
        "a new decision when the gate is asked again.",
    )


def _line(row: Gated, names: Mapping[str, str]) -> list[Cell]:
    reading = row.profile if row.commercial else f"{row.profile}, non-commercial"
    return [
        Link(short(row.decision), f"rights?decision={row.decision}"),
        Stamp(row.verdict),
        Each(row.uses),
        short(row.snapshot),
        names.get(row.base, short(row.base)),
        reading,
        row.valid_until[:10],
        Stamp("expired" if data.has_expired(row) else "approved" if row.approved else "alive"),
    ]


def _sentence(steps: Sequence[Mapping[str, Any]]) -> str:
    said = " and ".join(map(_step, steps))
    return said[:1].upper() + said[1:] + "."


def _step(step: Mapping[str, Any]) -> str:
    """One thing to do; a kind that is new here is told by its own name."""
    n, subject = counted(int(step["pictures"])), str(step["subject"])
    of = f"{n} under {subject}"
    known = {
        "drop": f"leaving out {of}",
        "grant": f"a contract that allows {', '.join(step['actions'])} for {of}",
        "elect": f"electing {subject} for {n}",
        "release": f"model or property releases for {of}",
        "check": f"asking the sources of {of} again",
        "base": f"taking another base: {subject}",
    }
    return known.get(str(step["means"]), f"{step['means']}: {of}")
