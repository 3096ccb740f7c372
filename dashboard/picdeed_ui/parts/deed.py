"""Why is one picture judged as it is, and what does a person state about it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.flow import pipeline
from picdeed.rights.claims import ClaimKind
from picdeed.rights.verdict import Use
from picdeed_ui import data
from picdeed_ui.parts.asking import caution, profile_picker
from picdeed_ui.parts.verdicts import duties
from picdeed_ui.parts.words import Stamp, clip, plain, problem, questions, short, table, words

if TYPE_CHECKING:
    from picdeed.registry.pictures import PictureView

PERSONS = {"": "not stated", "identifiable": "a person can be recognised", "none": "nobody"}
MOST = 40


def why(identity: str) -> None:
    """Every rule that fired for one use, and what it rests on, today or on an earlier day."""
    st.subheader("Why?")
    with st.form("why", border=False):
        first, second, third, fourth, last = st.columns(
            (3, 3, 3, 2, 2), vertical_alignment="bottom"
        )
        use = first.selectbox("Use", [str(use) for use in Use])
        day = second.date_input(
            "As known on", value=None, format="YYYY-MM-DD", help="Empty: as known now."
        )
        profile = profile_picker(third)
        commercial = fourth.toggle("Commercial", value=True)
        if last.form_submit_button("Show why", width="stretch"):
            asked = (Use(use), day.isoformat() if day else None, profile, commercial)
            st.session_state["explained"] = (identity, asked)
    about, asked = st.session_state.get("explained", (None, None))
    if about != identity:
        return
    wanted, as_of, profile, commercial = asked
    try:
        found = pipeline.explain(
            data.registry(),
            identity,
            wanted,
            as_of=as_of,
            profile=profile,
            commercial=commercial,
        )
    except PicdeedError as error:
        problem(error)
        return
    _told(found)


def _told(found: pipeline.Why) -> None:
    kept = "" if found.commercial else ", non-commercial"
    when = found.as_of[:19].replace("T", " ")
    said = f"for {found.use}{kept}: {found.license}, as known on {when} UTC"
    questions((("The rules say", found.verdict, said),))
    caution(found.profile)
    table(
        ("effect", "about", "licence", "clause", "certainty", "rule"),
        [
            [
                Stamp(row["effect"]),
                row["subject"],
                row["license"],
                row["clause"],
                row["certainty"].lower(),
                row["rule"],
            ]
            for row in found.reasons
        ],
    )
    if found.duties:
        duties(found.duties)
    if found.until:
        words("note", f"Time alone may change this on {found.until[:10]}.")
    if not found.claims:
        words("note", "Nothing was on record about it then.")
        return
    table(
        ("known", "said", "source", "day", "about", "taken back"),
        [
            [
                one.kind,
                clip(one.said, 160),
                one.source + (f", {clip(one.note, 120)}" if one.note else ""),
                one.observed_at[:10],
                "itself" if one.about == found.picture else f"copy {short(one.about)}",
                one.taken_back or "",
            ]
            for one in found.claims[:MOST]
        ],
    )
    if len(found.claims) > MOST:
        words("note", f"and {len(found.claims) - MOST:,} more")
    if found.grants:
        words("note", f"Contracts that cover it: {len(found.grants)}.")


def state(view: PictureView) -> None:
    """A person's word about it: one claim beside the others."""
    with st.form("state", border=False):
        left, right = st.columns(2)
        said = {
            ClaimKind.LICENSE: left.text_input("Licence", placeholder="CC-BY-4.0"),
            ClaimKind.HOLDER: right.text_input("Rights holder", placeholder="Eve Example"),
            ClaimKind.PERSONS: left.selectbox(
                "Persons in it", list(PERSONS), format_func=lambda word: PERSONS[word]
            ),
            ClaimKind.OPT_OUT: right.text_input(
                "Its holder forbids training, as said here", placeholder="letter of 3 May"
            ),
        }
        by = left.text_input("Who says so", placeholder="Eve Example")
        because = right.text_input("On what ground", placeholder="the photographer's mail")
        pressed = st.form_submit_button("State it")
    words(
        "note",
        "It is recorded beside what is there and binds like the rest: it opens nothing that "
        "another claim closes, and it stays on record.",
    )
    if not pressed:
        return
    kept = {kind: text.strip() for kind, text in said.items() if text.strip()}
    saying = pipeline.Saying(by.strip(), because.strip())
    registry = data.registry()
    try:
        done = pipeline.claim(registry, pipeline.rules(), view.picture.id, kept, saying)
        pipeline.settle(registry, pipeline.rules())
    except PicdeedError as error:
        problem(error)
        return
    n = len(done.claims)
    told = f"{n} {'statement is' if n == 1 else 'statements are'} on record."
    st.session_state["stated"] = told if n else "It was on record already."
    st.rerun()


def elect(view: PictureView) -> None:
    """Where its licence leaves a choice, take one side."""
    sides = data.sides_of(view.conclusion.license) if view.conclusion else ()
    if not sides:
        return
    words("note", "Its licence leaves a choice. Elect the side under which you use it:")
    for side, column in zip(sides, st.columns(len(sides)), strict=True):
        if column.button(plain(side), key=f"elect-{side}", width="stretch"):
            registry = data.registry()
            try:
                pipeline.elect(registry, pipeline.rules(), view.picture.id, side, pipeline.Saying())
                pipeline.settle(registry, pipeline.rules())
            except PicdeedError as error:
                problem(error)
                return
            st.session_state["stated"] = f"{side} is elected."
            st.rerun()


def stated() -> None:
    """What was just recorded, once."""
    told = st.session_state.pop("stated", None)
    if told:
        st.success(plain(told))
