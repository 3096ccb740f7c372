"""What was drawn, is its credential intact, and what does it descend from?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.flow import pipeline
from picdeed_ui import data
from picdeed_ui.parts.gallery import gallery, output_card
from picdeed_ui.parts.graph import draw
from picdeed_ui.parts.vocabulary import paintable
from picdeed_ui.parts.words import (
    clip,
    facts,
    mounted,
    problem,
    questions,
    short,
    words,
)
from picdeed_ui.serving import file_url

if TYPE_CHECKING:
    from picdeed.registry.outputs import Output

SHOWN = 60
MOST = 16
registry = data.registry()


def form() -> None:
    """Draw with an adapter or the base alone."""
    makers = {
        run.id: f"Adapter of {short(run.id)}, {run.steps} steps" for run in data.drawing_runs()
    }
    makers |= {base.id: f"{base.name} alone" for base in data.all_bases()}
    with st.form("draw", border=True):
        left, right = st.columns((2, 3))
        maker = left.selectbox("Draw with", list(makers), format_func=lambda key: makers[key])
        prompt = right.text_input("Prompt", value="rabbit", max_chars=1000).strip()
        first, second, third, last = st.columns(4, vertical_alignment="bottom")
        n = first.number_input("Pictures", min_value=1, max_value=MOST, value=4)
        seed = second.number_input("Seed", min_value=0, max_value=2**32 - 1 - MOST, value=0)
        steps = third.number_input("Drawing steps", min_value=1, max_value=200, value=20)
        if last.form_submit_button("Draw and sign", type="primary", width="stretch"):
            try:
                with st.spinner("Drawing, signing, reading back"):
                    wish = pipeline.Wish(prompt, int(n), int(seed), int(steps))
                    done = pipeline.publish(registry, maker, wish)
            except PicdeedError as error:
                problem(error)
            else:
                st.success(f"{len(done.outputs)} pictures are signed and were read back.")


def one(identity: str) -> None:
    """One output: its picture, its credential in three separate lines, its graph."""
    st.page_link("picdeed_ui/pages/outputs.py", label="All outputs", icon=":material/arrow_back:")
    try:
        row = data.one_output(identity)
    except PicdeedError as error:
        words("title", "No such output")
        problem(error)
        return
    words("title", clip(row.prompt))
    if not row.sha256:
        st.info("It is held back: it was drawn, but not signed and released yet.")
        return
    left, right = st.columns((2, 3), gap="large")
    path = registry.blobs.path(row.sha256)
    with left:
        mounted(file_url(row.sha256), row.prompt)
        if path.is_file():
            st.download_button(
                "Download the signed file",
                path.read_bytes,
                f"{row.id[:12]}.png",
                "image/png",
                width="stretch",
            )
    with right:
        _credential(row)
    st.subheader("Lineage")
    draw(pipeline.graph_of(registry, row.id), row.id)


def _credential(row: Output) -> None:
    """Three questions, three answers: none of them stands for another."""
    path = registry.blobs.path(row.sha256 or "")
    seen = pipeline.verify([path], pipeline.trust_of(registry), registry).files[0]
    questions(
        (
            ("Unchanged since signing?", seen.integrity, ""),
            ("Signed by whom?", seen.trust, seen.signer or "nobody"),
            ("Standing here", row.state, ""),
        )
    )
    words("note", seen.statement)
    recipe = row.recipe if isinstance(row.recipe, dict) else {}
    drawn = f"seed {row.seed}, {recipe.get('steps')} steps, guidance {recipe.get('guidance')}"
    if "guidance_start" in recipe:
        span = (recipe["guidance_start"], recipe.get("guidance_stop", 1.0))
        drawn += f" from {span[0]:.0%} to {span[1]:.0%} of them"
    facts(
        [
            ("Prompt", row.prompt),
            ("Drawn", f"{drawn}, {recipe.get('sampler')}"),
            ("Base", data.base_names().get(row.base_id, row.base_id)),
            ("Adapter", row.adapter_id or "none, the base alone"),
            ("Output", row.id),
            ("Made", row.created_at[:19].replace("T", " ")),
        ]
    )
    with st.expander("What the credential names"):
        named = json.dumps(dict(seen.lineage or {}), indent=2, ensure_ascii=False, default=str)
        st.code(named, language="json", wrap_lines=True)


def many() -> None:
    st.title("Outputs")
    words(
        "lead",
        "Every picture is signed and read back before it is released; its credential names the "
        "base, the adapter and the snapshot.",
    )
    form()
    paintable()
    rows = data.all_outputs()
    if not rows:
        words("note", "Nothing was drawn yet.")
        return
    opened = gallery(map(output_card, rows[:SHOWN]), key="outputs")
    if opened:
        st.query_params["output"] = opened
        st.rerun()
    if len(rows) > SHOWN:
        words("note", f"The newest {SHOWN} of {len(rows):,}.")


asked = st.query_params.get("output")
if asked:
    one(asked)
else:
    many()
