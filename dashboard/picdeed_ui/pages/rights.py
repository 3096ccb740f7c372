"""May this be done with these pictures, why, and what would allow it?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.flow import pipeline
from picdeed.rights.verdict import Verdict
from picdeed_ui import data
from picdeed_ui.parts.asking import answer_to, ask, question_of
from picdeed_ui.parts.verdicts import dropped, duties, headline, reasons, recorded, ways
from picdeed_ui.parts.words import facts, problem, short, words

NEWEST = 20
registry = data.registry()


def answer(gated: pipeline.Gated) -> None:
    """The whole decision."""
    headline(gated)
    if data.has_expired(gated):
        st.info("It has expired: ask the gate again.")
    st.subheader("Why")
    reasons(gated)
    if gated.duties:
        st.subheader("What has to be done in return")
        duties(gated.duties)
    if not Verdict(gated.verdict).passes:
        st.subheader("What would allow it?")
        ways(gated)
        dropped(gated)
    if gated.verdict == Verdict.REVIEW and not data.has_expired(gated):
        approval(gated)
    if gated.is_open:
        st.page_link(
            "picdeed_ui/pages/tune.py",
            label="Fine-tune under this decision",
            icon=":material/arrow_forward:",
            query_params=question_of(gated).address(),
        )


def approval(gated: pipeline.Gated) -> None:
    """A person may answer for a REVIEW; the verdict stays what it is."""
    st.subheader("Approve it" if gated.approved is None else "Approve it anew")
    words(
        "note",
        "The verdict stays REVIEW. An approval names who answers for going on, on which legal "
        "basis, and until when; picdeed records it and does not check it.",
    )
    with st.form("approve", border=True):
        left, right = st.columns((3, 2))
        by = left.text_input("Who answers for it", placeholder="Eve Example").strip()
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        until = right.date_input(
            "Until", value=tomorrow + timedelta(days=29), min_value=tomorrow, format="YYYY-MM-DD"
        )
        basis = st.text_input(
            "Legal basis", placeholder="Licence of 3 May, clause 4", max_chars=1_000
        ).strip()
        if not st.form_submit_button("Approve", type="primary"):
            return
    try:
        pipeline.approve(registry, gated.decision, by=by, basis=basis, until=until.isoformat())
    except PicdeedError as error:
        problem(error)
    else:
        st.rerun()


def one(identity: str) -> None:
    """A recorded decision, by the address."""
    st.page_link("picdeed_ui/pages/rights.py", label="All decisions", icon=":material/arrow_back:")
    try:
        gated = data.decision(identity)
    except PicdeedError as error:
        words("title", "No such decision")
        problem(error)
        return
    words("title", f"Decision {short(gated.decision)}")
    answer(gated)
    facts(
        [
            ("Decision", gated.decision),
            ("Snapshot", gated.snapshot),
            ("Base", data.base_names().get(gated.base, gated.base)),
            ("Read by", gated.profile),
            ("For", "commercial use" if gated.commercial else "non-commercial use"),
        ]
    )
    st.page_link(
        "picdeed_ui/pages/rights.py",
        label="Ask this again",
        icon=":material/arrow_forward:",
        query_params=question_of(gated).address(),
    )


def many() -> None:
    st.title("Rights")
    words(
        "lead",
        "May this base learn from these pictures, and may what it learns be shared or sold? "
        "Every answer names its clauses.",
    )
    asked = ask()
    if asked is None:
        st.page_link(
            "picdeed_ui/pages/tune.py", label="Freeze a dataset", icon=":material/arrow_forward:"
        )
        return
    gated = answer_to(asked)
    if gated is None:
        words("note", "This question was not asked yet.")
    else:
        answer(gated)
    st.subheader("Recorded decisions")
    rows = pipeline.list_decisions(registry)
    if rows:
        recorded(rows, NEWEST)
    else:
        words("note", "None yet.")


chosen = st.query_params.get("decision")
if chosen:
    one(chosen)
else:
    many()
