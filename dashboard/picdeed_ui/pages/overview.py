"""What is in this registry, and what comes next?"""

from __future__ import annotations

import streamlit as st
from picdeed_ui import data
from picdeed_ui.parts.words import badge

st.title("Overview")
counts = data.counts()
if counts.pictures == 0:
    st.info("The registry is empty. Register pictures to begin; nothing is written before you say so.")
    st.page_link("picdeed_ui/pages/register.py", label="Register pictures")
    st.stop()

for column, (label, number) in zip(
    st.columns(6),
    (
        ("Pictures", counts.pictures),
        ("Snapshots", counts.snapshots),
        ("Runs", counts.runs),
        ("Adapters", counts.adapters),
        ("Outputs", counts.outputs),
        ("Ledger events", counts.events),
    ),
    strict=True,
):
    column.metric(label, number)

left, right = st.columns(2)
with left:
    st.subheader("Licences")
    st.dataframe(
        [{"licence": name, "pictures": n} for name, n in counts.by_license.items()],
        hide_index=True,
        width="stretch",
    )
    if counts.opt_outs:
        st.warning(f"{counts.opt_outs} pictures opt out of training.")
    if counts.conflicts:
        st.warning(f"{counts.conflicts} pictures have claims that disagree.")
with right:
    st.subheader("Standing")
    for title, by_state in (
        ("Pictures", counts.pictures_by_state),
        ("Runs", counts.runs_by_state),
        ("Adapters", counts.adapters_by_state),
        ("Outputs", counts.outputs_by_state),
        ("Decisions", counts.decisions_by_verdict),
    ):
        words = "  ".join(f"{badge(state)} {n}" for state, n in by_state.items()) or "none yet"
        st.markdown(f"{title}: {words}")

st.subheader("Latest events")
st.dataframe(
    [
        {"event": row.seq, "when": row.at[:19].replace("T", " "), "what": row.kind, "hash": row.hash[:16]}
        for row in data.last_events(12)
    ],
    hide_index=True,
    width="stretch",
)
