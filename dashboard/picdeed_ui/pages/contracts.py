"""Which contracts open uses that a licence leaves closed, and what does a new one cover?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from picdeed.core.errors import PicdeedError, UsageError
from picdeed.flow import pipeline
from picdeed.rights.verdict import Use
from picdeed_ui import data
from picdeed_ui.dropped import laid_out
from picdeed_ui.parts.words import Cell, Each, Stamp, clip, plain, problem, short, table, words

if TYPE_CHECKING:
    from datetime import date

DATASET, BASE, PICTURE = "A dataset", "A base", "One picture"
SURVIVAL = {"unknown": "the contract does not say", "yes": "yes", "no": "no"}
MOST = 100
registry = data.registry()


def listed(grants: tuple[pipeline.GrantView, ...]) -> None:
    """Every contract, newest first."""
    if not grants:
        words("note", "No contract is on record yet.")
        return
    names = {identity: name for name, (identity, _) in data.dataset_sizes().items()}
    names |= data.base_names()
    table(
        ("contract", "state", "licensor", "licensee", "allows", "covers", "until", "unmatched"),
        [_line(one, names) for one in grants[:MOST]],
    )
    if len(grants) > MOST:
        words("note", f"The newest {MOST} of {len(grants):,}.")
    if any(one.unmatched for one in grants):
        words(
            "note",
            "Unmatched: so many of the covered pictures name another holder in their claims. "
            "There the contract gives REVIEW, until a person has looked.",
        )


def _line(one: pipeline.GrantView, names: dict[str, str]) -> list[Cell]:
    scope = names.get(one.scope, short(one.scope))
    covers = scope if one.covers == 1 else f"{one.covers:,} in {scope}"
    return [
        short(one.id),
        Stamp(one.state),
        clip(one.licensor, 60),
        clip(one.licensee, 60),
        Each(one.actions),
        covers,
        (one.ends or "no end")[:10],
        one.unmatched,
    ]


def target() -> str:
    """What the contract is about."""
    sizes, bases = data.dataset_sizes(), list(data.base_names().values())
    left, right = st.columns((2, 3), vertical_alignment="bottom")
    kind = left.radio("It is about", (DATASET, PICTURE, BASE), horizontal=True)
    if kind == DATASET:
        return str(
            right.selectbox(
                "Dataset",
                list(sizes),
                format_func=lambda name: f"{name} ({sizes[name][1]} pictures)",
                help="Its present pictures are covered; those that join later are not.",
            )
            or ""
        )
    if kind == BASE:
        return str(right.selectbox("Base", bases) or "")
    named = right.text_input(
        "Picture", value=st.query_params.get("picture", ""), placeholder="img_…"
    )
    return str(named).strip()


def form() -> None:
    """A new contract: who allows whom what, for how long, proven by which file."""
    about = target()
    with st.form("contract", border=True):
        left, right = st.columns(2)
        licensor = left.text_input("Licensor", placeholder="Eve Example").strip()
        licensee = right.text_input("Licensee", placeholder="Our Studio Ltd").strip()
        uses = st.multiselect("Allows", [str(use) for use in Use], default=["train"])
        left, middle, right = st.columns(3)
        starts = left.date_input("From", value=None, format="YYYY-MM-DD", help="Empty: from now.")
        ends = middle.date_input("Until", value=None, format="YYYY-MM-DD", help="Empty: no end.")
        survival = right.selectbox(
            "Do adapters and outputs outlive it?",
            list(SURVIVAL),
            format_func=lambda word: SURVIVAL[word],
        )
        left, right = st.columns(2)
        territory = left.text_input("Territory (optional)", placeholder="worldwide").strip()
        indemnity = right.text_input("Indemnity (optional)").strip()
        authority = left.text_input(
            "On what the licensor's right rests (optional)",
            help="Needed where the pictures' own claims name somebody else.",
        ).strip()
        by = right.text_input("Recorded by (optional)").strip()
        sent = st.file_uploader("The contract itself", help="It is kept, and named by its hash.")
        if not st.form_submit_button("Record the contract", type="primary"):
            return
    terms = {"territory": territory, "indemnity": indemnity}
    contract = pipeline.Contract(
        licensor=licensor,
        licensee=licensee,
        actions=tuple(Use(use) for use in uses),
        evidence=Path(),
        starts=_day(starts),
        ends=_day(ends),
        survival=survival,
        terms={name: said for name, said in terms.items() if said},
        authority=authority,
        by=by,
    )
    try:
        done = record(about, contract, (sent.name, sent.getvalue()) if sent is not None else None)
    except PicdeedError as error:
        problem(error)
        return
    st.session_state["told"] = _told(done)
    st.rerun()


def record(
    about: str, contract: pipeline.Contract, paper: tuple[str, bytes] | None
) -> pipeline.GrantView:
    """Keep the (name, bytes) of the paper as the contract's evidence. Raises PicdeedError."""
    if not about:
        raise UsageError("Say what it is about; nothing was recorded.")
    if paper is None:
        raise UsageError(
            "The contract itself is missing; nothing was recorded.",
            hint="Choose its file: a contract without its paper opens nothing.",
        )
    with laid_out(registry.cache, [paper]) as place:
        (evidence,) = place.iterdir()
        return pipeline.grant(registry, about, replace(contract, evidence=evidence))


def _day(picked: date | None) -> str | None:
    return picked.isoformat() if picked is not None else None


def _told(done: pipeline.GrantView) -> str:
    """What was recorded, for the message above the list."""
    things = "thing" if done.covers == 1 else "things"
    said = f"{short(done.id)} is on record: {done.state}, covers {done.covers:,} {things}."
    if done.unmatched:
        said += f" {done.unmatched:,} of them name another holder, so they need a REVIEW."
    return said


def ending(grants: tuple[pipeline.GrantView, ...]) -> None:
    """A contract that is over before its term."""
    known = {one.id: one for one in grants if one.state != "ended"}
    if not known:
        return
    st.subheader("End a contract")
    words(
        "note",
        "From that day on it opens nothing any more. What was learned under it stays as it is: "
        "Revoke decides about that.",
    )
    with st.form("end", border=True):
        left, right = st.columns((3, 1))
        chosen = left.selectbox(
            "Contract",
            list(known),
            format_func=lambda key: (
                f"{short(key)}: {clip(known[key].licensor, 60)}, {', '.join(known[key].actions)}"
            ),
        )
        on = right.date_input("On", value=None, format="YYYY-MM-DD", help="Empty: now.")
        because = st.text_input("Because", placeholder="terminated by letter of 3 May").strip()
        if not st.form_submit_button("End it"):
            return
    try:
        done = pipeline.end(registry, chosen, because, on=_day(on))
    except PicdeedError as error:
        problem(error)
        return
    ends = (done.ends or "")[:10]
    st.session_state["told"] = f"{short(done.id)} is {done.state}; its last day: {ends}."
    st.session_state["ended"] = done.id
    st.rerun()


st.title("Contracts")
words(
    "lead",
    "A contract opens uses that a licence leaves closed, for the pictures that it covers and for "
    "as long as it lasts. It counts only with its paper.",
)
told = st.session_state.pop("told", None)
if told:
    st.success(plain(told))
over = st.session_state.pop("ended", None)
if over:
    st.page_link(
        "picdeed_ui/pages/revoke.py",
        label="See what descends from it",
        icon=":material/arrow_forward:",
        query_params={"target": over, "ground": "contract-ended"},
    )
found = pipeline.list_grants(registry)
listed(found)
st.subheader("Record a contract")
form()
ending(found)
