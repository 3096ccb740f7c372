"""Which pictures are there, and what may be done with one of them?"""

from __future__ import annotations

import streamlit as st
from picdeed.flow import pipeline
from picdeed_ui import data
from picdeed_ui.parts.gallery import gallery
from picdeed_ui.parts.graph import draw
from picdeed_ui.parts.words import badge, plain, verdict_line


def one(identity: str) -> None:
    """A picture's deed: claims, verdicts with clauses, and its descendants."""
    st.page_link("picdeed_ui/pages/browse.py", label="← All pictures")
    view = data.one_picture(identity)
    if view is None:
        st.error("The registry holds no such picture.")
        return
    picture, found = view.picture, view.conclusion
    st.title(view.captions[0] if view.captions else picture.id[:16])
    left, right = st.columns((1, 2))
    path = data.thumbnail(picture.sha256)
    if path is not None:
        left.image(path.read_bytes(), width="stretch")
    left.caption(f"{picture.width} x {picture.height} px, {picture.media_type}")
    left.code(picture.id, language=None, wrap_lines=True)
    with right:
        st.markdown(f"State {badge(picture.state)}")
        if found is not None:
            st.markdown(f"**{plain(found.license)}**  (rule {plain(found.rule)})")
            st.markdown(verdict_line(found.verdicts))
            st.dataframe(
                [
                    {key: row[key] for key in ("use", "effect", "certainty", "clause")}
                    for row in found.reasons
                ],
                hide_index=True,
                width="stretch",
            )
            st.caption("Commercial use, conservative reading. Not legal advice.")
        st.subheader("Claims")
        st.dataframe(
            [
                {
                    "kind": claim.kind,
                    "says": claim.raw,
                    "from": claim.source,
                    "read as": claim.parsed or claim.status,
                    "where": claim.note,
                }
                for claim in view.claims
            ],
            hide_index=True,
            width="stretch",
        )
    st.subheader("What descends from it")
    draw(pipeline.graph_of(data.registry(), identity), identity)


def many() -> None:
    """A page of thumbnails behind filters that live in the address."""
    st.title("Browse")
    sizes = data.dataset_sizes()
    if not sizes:
        st.info("No pictures yet.")
        st.page_link("picdeed_ui/pages/register.py", label="Register pictures")
        return
    left, middle, right = st.columns(3)
    dataset = left.selectbox("Dataset", ["all", *sizes], key="dataset", bind="query-params")
    verdict = middle.selectbox(
        "May train",
        ["any", "ALLOW", "DUTIES", "REVIEW", "DENY"],
        key="verdict",
        bind="query-params",
    )
    license_ = right.selectbox(
        "Licence", ["any", *data.licenses()], key="licence", bind="query-params"
    )
    trail: list[str | None] = st.session_state.setdefault("trail", [None])
    chosen = (dataset, verdict, license_)
    if st.session_state.get("chosen") != chosen:
        st.session_state["chosen"] = chosen
        trail[:] = [None]
    page = data.page_of(
        sizes[dataset][0] if dataset in sizes else None,
        None if verdict == "any" else verdict,
        None if license_ == "any" else license_,
        trail[-1],
    )
    if not page.items:
        st.info("No picture fits these filters.")
    gallery(page.items)
    back, where, forward = st.columns((1, 2, 1))
    if back.button("Previous", disabled=len(trail) == 1, width="stretch"):
        trail.pop()
        st.rerun()
    where.caption(f"Page {len(trail)}")
    if forward.button("Next", disabled=page.next is None, width="stretch"):
        trail.append(page.next)
        st.rerun()


asked = st.query_params.get("picture")
if asked:
    one(asked)
else:
    many()
