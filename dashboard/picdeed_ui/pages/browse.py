"""Which pictures are there, and what may be done with one of them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.flow import pipeline
from picdeed.rights.verdict import Use
from picdeed_ui import data
from picdeed_ui.parts import deed
from picdeed_ui.parts.gallery import gallery, picture_card, picture_title
from picdeed_ui.parts.graph import draw
from picdeed_ui.parts.words import (
    Cell,
    Stamp,
    facts,
    mounted,
    problem,
    stamp,
    table,
    text,
    uses,
    words,
)
from picdeed_ui.serving import file_url

if TYPE_CHECKING:
    from picdeed.registry.pictures import PictureView

ANY = "any"
VERDICTS = ("ALLOW", "DUTIES", "REVIEW", "DENY")
FILTERS = ("dataset", "verdict", "licence")


def one(identity: str) -> None:
    """A picture's deed: claims, verdicts with clauses, copies and descendants."""
    back = {key: value for key in FILTERS if (value := st.query_params.get(key))}
    st.page_link(
        "picdeed_ui/pages/browse.py",
        label="All pictures",
        icon=":material/arrow_back:",
        query_params=back,
    )
    try:
        view = data.one_picture(identity)
    except PicdeedError as error:
        words("title", "No such picture")
        problem(error)
        return
    picture = view.picture
    words("title", picture_title(view))
    deed.stated()
    left, right = st.columns((2, 3), gap="large")
    with left:
        mounted(file_url(picture.sha256), picture_title(view))
        facts(
            [
                ("Size", f"{picture.width} x {picture.height} px, {picture.bytes:,} bytes"),
                ("Kind", picture.media_type),
                ("Caption", " / ".join(view.captions) or "none"),
                ("Datasets", ", ".join(view.datasets) or "none"),
                ("Seen as", ", ".join(view.paths)),
                ("First seen", picture.first_seen[:19].replace("T", " ")),
            ]
        )
        st.code(picture.id, language=None, wrap_lines=True)
        st.page_link(
            "picdeed_ui/pages/revoke.py",
            label="Revoke it",
            icon=":material/arrow_forward:",
            query_params={"target": picture.id},
        )
    with right:
        _rights(view)
    deed.why(picture.id)
    with st.expander("State something about it"):
        deed.state(view)
    copies = data.copies_of(picture.id)
    if copies:
        st.subheader("Copies of it")
        words("note", "The strictest claim on any copy binds them all.")
        opened = gallery(map(picture_card, copies), key="copies")
        if opened:
            show(opened)
    st.subheader("Lineage")
    draw(pipeline.graph_of(data.registry(), picture.id), picture.id)


def _rights(view: PictureView) -> None:
    found = view.conclusion
    st.subheader("What may be done with it")
    if found is None:
        words("note", "Nothing was concluded yet; until then nothing is allowed.")
    else:
        state = "" if view.picture.state == "good" else stamp(view.picture.state)
        opted = stamp("opt-out") if found.opt_out else ""
        st.html(f"<p><strong>{text(found.license)}</strong> {state} {opted}</p>")
        uses({str(use): found.verdicts[use] for use in Use if use in found.verdicts})
        rows: list[list[Cell]] = [
            [row["use"], Stamp(row["effect"]), row["certainty"].lower(), row["clause"]]
            for row in found.reasons
        ]
        table(("use", "effect", "certainty", "clause"), rows)
        words("note", f"Rule: {found.rule}. Commercial use, conservative reading; no legal advice.")
    deed.elect(view)
    st.subheader("What was claimed")
    if not view.claims:
        words("note", "Nothing. A picture without any claim may not be used.")
        return
    table(
        ("kind", "says", "read as", "from"),
        [
            [
                claim.kind,
                claim.raw,
                claim.parsed or claim.status,
                claim.source + (f", {claim.note}" if claim.note else ""),
            ]
            for claim in view.claims
        ],
    )


def show(identity: str) -> None:
    """Go to one picture, keeping the filters in the address."""
    st.query_params["picture"] = identity
    st.rerun()


def picked(
    column: st.delta_generator.DeltaGenerator, label: str, key: str, known: list[str]
) -> str:
    """One filter, begun from the address. What is picked goes there, and page 1 starts again."""
    options = [ANY, *known]
    asked = st.query_params.get(key, ANY)
    if st.session_state.get(key) not in options:
        st.session_state[key] = asked if asked in options else ANY
    value = str(column.selectbox(label, options, key=key))
    if value != asked:
        st.session_state["trail"] = [None]
        if value != ANY:
            st.query_params[key] = value
        elif key in st.query_params:
            del st.query_params[key]
    return value


def many() -> None:
    """A page of thumbnails behind filters that live in the address."""
    st.title("Browse")
    sizes = data.dataset_sizes()
    if not sizes:
        st.info("No pictures yet.")
        st.page_link(
            "picdeed_ui/pages/register.py",
            label="Register pictures",
            icon=":material/arrow_forward:",
        )
        return
    left, middle, right = st.columns(3)
    dataset = picked(left, "Dataset", "dataset", list(sizes))
    verdict = picked(middle, "May train", "verdict", list(VERDICTS))
    license_ = picked(right, "Licence", "licence", list(data.licenses()))
    trail: list[str | None] = st.session_state.setdefault("trail", [None])
    page = data.page_of(
        sizes[dataset][0] if dataset in sizes else None,
        None if verdict == ANY else verdict,
        None if license_ == ANY else license_,
        trail[-1],
    )
    if not page.items:
        st.info("No picture fits these filters.")
    opened = gallery(map(picture_card, page.items), key="pictures")
    if opened:
        show(opened)
    if len(trail) > 1 or page.next is not None:
        turn(trail, page.next)


def turn(trail: list[str | None], following: str | None) -> None:
    """Previous and next page."""
    back, where, forward = st.columns((1, 3, 1), vertical_alignment="center")
    if back.button("Previous", disabled=len(trail) == 1, width="stretch"):
        trail.pop()
        st.rerun()
    where.caption(f"Page {len(trail)}", text_alignment="center")
    if forward.button("Next", disabled=following is None, width="stretch"):
        trail.append(following)
        st.rerun()


asked = st.query_params.get("picture")
if asked:
    one(asked)
else:
    many()
