"""Does everything still hold? Check it here, and take the report along."""

from __future__ import annotations

import streamlit as st
from picdeed.flow import pipeline
from picdeed.report.html import LIMITS, as_html, content_of
from picdeed_ui import data

st.title("Audit")
st.write(
    "Recomputes the ledger's chain, every row, every picture's bytes, every snapshot's Merkle "
    "root, and reads every credential again."
)
st.caption(LIMITS)
registry = data.registry()
if st.button("Check everything", type="primary"):
    with st.status("Checking", expanded=False) as status:
        st.session_state["audited"] = pipeline.audit(
            registry,
            pipeline.trust_of(registry),
            progress=lambda what, at, total: status.update(label=f"{what}: {at}"),
        )
        status.update(label="Checked", state="complete")

audited = st.session_state.get("audited")
if audited is None:
    st.info("Not checked in this session yet.")
    st.stop()
if audited.ok:
    st.success(f"Everything that was checked holds: {audited.events} events.")
else:
    st.error(f"{len(audited.problems)} problems.")
columns = st.columns(len(audited.checked))
for column, (what, n) in zip(columns, audited.checked.items(), strict=True):
    column.metric(what, n)
if audited.problems:
    st.dataframe(
        [
            {"subject": one.subject, "kind": one.kind, "message": one.message}
            for one in audited.problems
        ],
        hide_index=True,
        width="stretch",
    )
st.download_button(
    "Download the report (HTML)",
    as_html(content_of(registry, audited)),
    "picdeed-audit.html",
    "text/html",
)
