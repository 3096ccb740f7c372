"""What was drawn, is its credential intact, and what does it descend from?"""

from __future__ import annotations

import streamlit as st
from picdeed.core.errors import PicdeedError
from picdeed.flow import pipeline
from picdeed_ui import data
from picdeed_ui.parts.graph import draw
from picdeed_ui.parts.words import badge, plain, problem, short

COLUMNS = 5
SHOWN = 40
registry = data.registry()


def form() -> None:
    """Draw with an adapter or the base alone."""
    makers = {f"adapter of {short(run.id)}": run.id for run in data.finished_runs()}
    makers |= {f"base {base.name} alone": base.name for base in data.all_bases()}
    with st.form("draw", border=True):
        left, right = st.columns((2, 3))
        maker = left.selectbox("Draw with", list(makers))
        prompt = right.text_input("Prompt", value="a linocut print of a key")
        left, middle, right = st.columns(3, vertical_alignment="bottom")
        n = left.number_input("Pictures", min_value=1, max_value=16, value=2)
        seed = middle.number_input("Seed", min_value=0, value=0)
        if right.form_submit_button("Draw and sign", type="primary", width="stretch"):
            try:
                with st.spinner("Drawing, signing, reading back"):
                    wish = pipeline.Wish(prompt, int(n), int(seed))
                    pipeline.publish(registry, makers[maker], wish)
            except PicdeedError as error:
                problem(error)


def one(identity: str) -> None:
    """One output: its picture, its credential in three separate lines, its graph."""
    st.page_link("picdeed_ui/pages/outputs.py", label="← All outputs")
    rows = [row for row in data.all_outputs() if row.id == identity]
    if not rows:
        st.error("The registry holds no such output.")
        return
    row = rows[0]
    st.title(row.prompt)
    left, right = st.columns((1, 2))
    path = registry.blobs.path(row.sha256 or "")
    left.image(path.read_bytes(), width=384)
    left.download_button("Download the signed file", path.read_bytes(), f"{row.id[:12]}.png")
    seen = pipeline.verify([path], pipeline.trust_of(registry), registry).files[0]
    with right:
        st.markdown(f"Unchanged since signing? {badge(seen.integrity)}")
        st.markdown(f"Signed by whom? {badge(seen.trust)} {plain(seen.signer or 'nobody')}")
        st.markdown(f"Standing in this registry {badge(seen.standing)}")
        st.write(plain(seen.statement))
        with st.expander("What the credential names"):
            st.json(dict(seen.lineage or {}))
    st.subheader("Lineage")
    draw(pipeline.graph_of(registry, identity), identity)


def many() -> None:
    st.title("Outputs")
    form()
    rows = data.all_outputs()
    if not rows:
        st.info("Nothing was drawn yet.")
        return
    for start in range(0, min(SHOWN, len(rows)), COLUMNS):
        columns = st.columns(COLUMNS)
        for column, row in zip(columns, rows[start : start + COLUMNS], strict=False):
            column.image(registry.blobs.path(row.sha256 or "").read_bytes(), width="stretch")
            column.markdown(f"{badge(row.state)} [{plain(row.prompt)}](outputs?output={row.id})")
            column.caption(f"seed {row.seed}, signed")


asked = st.query_params.get("output")
if asked:
    one(asked)
else:
    many()
