"""What is in this registry, and what comes next?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from picdeed_ui import data
from picdeed_ui.parts.gallery import gallery, output_card
from picdeed_ui.parts.words import Bar, Cell, Id, figures, stamps, table, text, words

if TYPE_CHECKING:
    from picdeed.registry.overview import Overview

SHOWN = 12


def next_step(counts: Overview) -> tuple[str, str, str]:
    """What is missing on the way to a signed picture: words, a page, its label."""
    if not counts.snapshots:
        return "Next: freeze a dataset, so that it can be judged.", "tune", "Freeze and fine-tune"
    if not counts.adapters:
        return "Next: fine-tune the base on what was frozen.", "tune", "Fine-tune"
    if not counts.outputs:
        return "Next: draw with the adapter. Every picture is signed.", "outputs", "Draw pictures"
    return "Everything can be checked again, at any time.", "audit", "Check everything"


st.title("Every picture gets its deed.")
words(
    "lead",
    "Where it came from, under which licence, what may be done with it, which adapters learned "
    "from it, and which generated pictures came out, signed.",
)
counts = data.counts()
if counts.pictures == 0:
    st.info("The registry is empty. Look at a folder first: nothing is written until you say so.")
    st.page_link(
        "picdeed_ui/pages/register.py", label="Register pictures", icon=":material/arrow_forward:"
    )
    st.stop()

figures(
    (
        ("pictures", counts.pictures, False),
        ("opt out of training", counts.opt_outs, counts.opt_outs > 0),
        ("snapshots", counts.snapshots, False),
        ("runs", counts.runs, False),
        ("adapters", counts.adapters, False),
        ("signed outputs", counts.outputs, False),
        ("ledger events", counts.events, False),
    )
)
said, page, label = next_step(counts)
left, right = st.columns((4, 1), vertical_alignment="center")
left.markdown(said)
right.page_link(f"picdeed_ui/pages/{page}.py", label=label, icon=":material/arrow_forward:")

drawn = data.all_outputs()
if drawn:
    st.subheader("Latest outputs")
    opened = gallery(map(output_card, drawn[:SHOWN]), key="latest")
    if opened:
        st.switch_page("picdeed_ui/pages/outputs.py", query_params={"output": opened})

left, right = st.columns(2, gap="large")
with left:
    st.subheader("Licences")
    most = max(counts.by_license.values(), default=1)
    rows: list[list[Cell]] = [
        [name, Bar(n / most, denied=name == "NOASSERTION"), n]
        for name, n in sorted(counts.by_license.items(), key=lambda pair: -pair[1])
    ]
    table(("concluded", "", "pictures"), rows)
    if counts.conflicts:
        words(
            "note", f"{counts.conflicts} pictures have claims that disagree; the strictest binds."
        )
    if counts.without_conclusion:
        words("note", f"{counts.without_conclusion} pictures were not concluded yet.")
with right:
    st.subheader("Standing")
    st.html(
        '<dl class="pd-facts">'
        + "".join(
            f"<dt>{text(title)}</dt><dd>{stamps(by_state)}</dd>"
            for title, by_state in (
                ("Pictures", counts.pictures_by_state),
                ("Decisions", counts.decisions_by_verdict),
                ("Runs", counts.runs_by_state),
                ("Adapters", counts.adapters_by_state),
                ("Outputs", counts.outputs_by_state),
            )
        )
        + "</dl>"
    )

st.subheader("Ledger")
table(
    ("event", "when (UTC)", "what", "hash"),
    [
        [str(row.seq), row.at[:19].replace("T", " "), row.kind, Id(row.hash)]
        for row in data.last_events(10)
    ],
)
