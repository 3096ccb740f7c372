"""Does everything still hold? Check it here, and take the report along."""

from __future__ import annotations

import json

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.flow import pipeline
from picdeed.report.html import LIMITS, as_html, content_of
from picdeed_ui import data
from picdeed_ui.parts.words import figures, plain, problem, table, words

registry = data.registry()


def check(subject: str) -> None:
    """Audit everything, or what is around one id; the answer stays until the next one."""
    st.session_state.pop("audited", None)
    told = st.empty()
    try:
        with st.spinner("Checking"):
            audited = pipeline.audit(
                registry,
                pipeline.trust_of(registry),
                subject or None,
                progress=lambda what, at, _: told.caption(f"{what}: {at}"),
            )
            st.session_state["audited"] = (audited, content_of(registry, audited))
    except PicdeedError as error:
        problem(error)
    told.empty()


st.title("Audit")
words(
    "lead",
    "Recomputes the ledger's chain, every row, every picture's bytes and every snapshot's Merkle "
    "root, and reads every credential again.",
)
left, right = st.columns((3, 1), vertical_alignment="bottom")
around = left.text_input(
    "Only around one id (optional)", placeholder="out_, run_, snp_, img_ …"
).strip()
if right.button("Check now", type="primary", width="stretch"):
    check(around)
shown = st.session_state.get("audited")
if shown is None:
    words("note", "Not checked yet.")
    words("note", LIMITS)
    st.stop()

audited, content = shown
when = f"{content['made_at'][:19].replace('T', ' ')} UTC"
about = f" around {audited.subject}" if audited.subject else ""
if audited.ok:
    st.success(plain(f"Everything that was checked{about} holds. {when}"))
else:
    n = len(audited.problems)
    st.error(plain(f"{n} {'problem' if n == 1 else 'problems'} found{about}. {when}"))
checked = {"events": audited.events, **audited.checked, "problems": len(audited.problems)}
figures([(what, n, what == "problems" and n > 0) for what, n in checked.items()])
if audited.problems:
    table(
        ("subject", "kind", "what is wrong"),
        [[one.subject, one.kind, one.message] for one in audited.problems],
    )
first, second, _ = st.columns((1, 1, 2))
first.download_button(
    "Report as HTML", as_html(content), "picdeed-audit.html", "text/html", width="stretch"
)
second.download_button(
    "Report as JSON",
    json.dumps(content, ensure_ascii=False, indent=2),
    "picdeed-audit.json",
    "application/json",
    width="stretch",
)
words("note", f"Check it yourself: {content['command']}")
words("note", LIMITS)
