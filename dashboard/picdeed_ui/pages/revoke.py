"""What falls with a picture, a contract or a licence, and what comes next?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.core.ids import looks_like_id
from picdeed.flow import pipeline
from picdeed_ui import data
from picdeed_ui.parts.gallery import gallery, output_card, picture_card
from picdeed_ui.parts.words import (
    Cell,
    Stamp,
    clip,
    facts,
    plain,
    problem,
    short,
    table,
    words,
)

IDENTITY = "By its id"
GROUNDS = {
    "contract-ended": "a contract ended",
    "opt-out": "its holder forbids training",
    "takedown": "a takedown notice",
    "privacy": "somebody's privacy",
    "error": "it was registered in error",
}
KINDS = ("pictures", "snapshots", "runs", "adapters", "outputs")
THUMBS = 24
registry = data.registry()


class Wanted(NamedTuple):
    """What is to be revoked; `effective` is a day or None for now.

    A tuple, for it is compared with that of an earlier run of this page, which had a class of
    its own.
    """

    target: str
    ground: str
    effective: str | None


def ask() -> Wanted:
    """Which thing, on which ground, from which day on."""
    choices = known()
    left, right = st.columns((2, 3), vertical_alignment="bottom")
    kind = left.selectbox("What is to be revoked", [IDENTITY, *choices])
    if kind == IDENTITY:
        target = right.text_input(
            "Id",
            value=st.query_params.get("target", ""),
            placeholder="img_…, dat_…, grt_…, adp_…, run_…",
            help="A picture's page in Browse names its id and leads here.",
        ).strip()
    else:
        options = choices[kind]
        target = str(right.selectbox(kind, list(options), format_func=lambda key: options[key]))
    left, middle, right = st.columns((2, 1.5, 1.5), vertical_alignment="bottom")
    grounds = [str(ground) for ground in pipeline.Ground]
    said = st.query_params.get("ground", "takedown")
    ground = left.selectbox(
        "Ground",
        grounds,
        index=grounds.index(said) if said in grounds else 0,
        format_func=lambda word: f"{word}: {GROUNDS[word]}" if word in GROUNDS else word,
    )
    day = middle.date_input(
        "Effective from", value=None, format="YYYY-MM-DD", help="Empty: from now."
    )
    wanted = Wanted(target, ground, day.isoformat() if day else None)
    if right.button("Show what falls", width="stretch", disabled=not target):
        st.session_state.pop("revoked", None)
        st.session_state.pop("falls", None)
        try:
            with st.spinner("Walking the graph"):
                st.session_state["falls"] = (wanted, withdraw(wanted, simulate=True))
        except PicdeedError as error:
            problem(error)
    return wanted


def known() -> dict[str, dict[str, str]]:
    """Kind -> what may be named -> how it reads; kinds of which there is nothing are left out."""
    found = {
        "Dataset": {
            identity: f"{name} ({n:,} pictures)"
            for name, (identity, n) in data.dataset_sizes().items()
        },
        "Contract": {
            one.id: f"{short(one.id)}: {clip(one.licensor, 60)}, {one.state}"
            for one in pipeline.list_grants(registry)
        },
        "Adapter": {
            row.id: f"{short(row.id)} of {short(row.run_id)}" for row in data.all_adapters()
        },
        "Base": data.base_names(),
        "Licence": {name: f"{name} ({n:,} pictures)" for name, n in data.licenses().items()},
    }
    return {kind: options for kind, options in found.items() if options}


def withdraw(wanted: Wanted, *, simulate: bool) -> pipeline.Revoked:
    return pipeline.withdraw(
        registry,
        wanted.target,
        pipeline.Ground(wanted.ground),
        effective=wanted.effective,
        simulate=simulate,
    )


def falls(done: pipeline.Revoked) -> None:
    """Everything that is touched, counted by kind and by the state that it gets."""
    note = getattr(done, "note", "")
    if isinstance(note, str) and note:
        st.info(plain(note))
    counted: list[list[Cell]] = [
        [kind, Stamp(state), n]
        for kind in KINDS
        for state, n in Counter(one.state for one in getattr(done.impact, kind)).most_common()
    ]
    if not counted:
        words("note", "Nothing that the registry knows descends from it.")
        return
    table(("what", "is now" if done.applied else "would be", "how many"), counted)
    pictures = [one.id for one in done.impact.pictures]
    outputs = [one.id for one in done.impact.outputs]
    if outputs:
        st.subheader("Outputs")
        rows = data.some_outputs(outputs[:THUMBS])
        opened = gallery(map(output_card, rows), key="fallen-outputs")
        if opened:
            st.switch_page("picdeed_ui/pages/outputs.py", query_params={"output": opened})
        if len(outputs) > THUMBS:
            words("note", f"The first {THUMBS} of {len(outputs):,}.")
    if pictures:
        st.subheader("Pictures")
        views = data.some_pictures(pictures[:THUMBS])
        opened = gallery(map(picture_card, views), key="fallen-pictures")
        if opened:
            st.switch_page("picdeed_ui/pages/browse.py", query_params={"picture": opened})
        if len(pictures) > THUMBS:
            words("note", f"The first {THUMBS} of {len(pictures):,}.")


def confirm(wanted: Wanted, done: pipeline.Revoked) -> None:
    """Nothing is changed before the target was typed again."""
    word = short(done.target) if looks_like_id(done.target) else done.target
    st.subheader("Revoke it")
    words(
        "note",
        "Nothing was changed so far. Revoking changes states and deletes nothing; the revocation "
        f"stays in the ledger. To confirm it, type {word} here.",
    )
    left, right = st.columns((3, 1), vertical_alignment="bottom")
    typed = left.text_input("Confirm", placeholder=word, key=f"confirm-{done.revocation}")
    if right.button("Revoke", type="primary", width="stretch", disabled=typed.strip() != word):
        try:
            with st.spinner("Revoking"):
                st.session_state["revoked"] = withdraw(wanted, simulate=False)
        except PicdeedError as error:
            problem(error)
            return
        del st.session_state["falls"]
        st.rerun()


def report(done: pipeline.Revoked) -> None:
    """What was done, and what a person does next."""
    st.success(plain(f"{short(done.target)} is revoked ({done.ground})."))
    facts(
        [
            ("Revocation", done.revocation),
            ("Target", done.target),
            ("Ground", done.ground),
            ("Effective", done.effective[:10]),
        ]
    )
    paper(done)
    falls(done)
    st.subheader("What to do next")
    steps = ["Check that the record holds."]
    if any(one.state == "suspended" for one in (*done.impact.adapters, *done.impact.outputs)):
        steps.insert(
            0,
            "Stop handing out the suspended adapters and outputs, and tell those who have them. "
            "Whether they are withdrawn for good is for a person to decide.",
        )
    if done.impact.snapshots:
        steps.insert(0, "Freeze the dataset again: the new snapshot leaves out what was revoked.")
    st.markdown("\n".join(f"{n}. {step}" for n, step in enumerate(steps, 1)))
    for page, label in (
        ("tune", "Freeze again and fine-tune without it"),
        ("outputs", "See the outputs"),
        ("audit", "Check everything"),
    ):
        st.page_link(f"picdeed_ui/pages/{page}.py", label=label, icon=":material/arrow_forward:")


def paper(done: pipeline.Revoked) -> None:
    """The signed report for whoever has to be told, where one was written."""
    written = getattr(done, "report", None)
    if not isinstance(written, Path) or not written.is_file():
        return
    st.download_button("Download the report", written.read_bytes, written.name, "application/json")
    words("note", f"It lies in {written}.")


st.title("Revoke")
words(
    "lead",
    "A picture that may not be used any more takes its copies, snapshots, adapters and outputs "
    "along. Look first: nothing changes before you confirm it.",
)
wanted = ask()
asked, simulated = st.session_state.get("falls", (None, None))
revoked = st.session_state.get("revoked")
if simulated is not None and asked == wanted:
    st.subheader("What falls")
    falls(simulated)
    confirm(wanted, simulated)
elif revoked is not None:
    report(revoked)
else:
    words("note", "Nothing was asked yet.")
