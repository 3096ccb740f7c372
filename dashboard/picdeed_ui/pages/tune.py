"""May this base learn from these pictures, and how does the run fare?"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.diffusion.recipe import default_preset, load_recipe
from picdeed.flow import pipeline
from picdeed.jobs import watch
from picdeed.rights.verdict import Use
from picdeed_ui import data
from picdeed_ui.parts.asking import Asked, answer_to, ask
from picdeed_ui.parts.runs import is_live, shown_runs, start_process
from picdeed_ui.parts.verdicts import duties, headline, reasons
from picdeed_ui.parts.words import counted, plain, problem, short, words

WHY = {
    "duplicate": "copies of others",
    "license": "stopped by their licence",
    "opt-out": "opted out",
    "revoked": "revoked",
    "filter": "filtered out",
}


def freeze() -> None:
    """1. A dataset becomes a snapshot: its usable keepers under one root."""
    st.subheader("1. Freeze a dataset")
    left, right = st.columns((3, 1), vertical_alignment="bottom")
    dataset = left.selectbox(
        "Dataset",
        list(sizes),
        format_func=lambda name: f"{name} ({sizes[name][1]} pictures)",
    )
    if right.button("Make a snapshot", width="stretch"):
        st.session_state.pop("frozen", None)
        try:
            with st.spinner("Looking for copies and concluding licences"):
                st.session_state["frozen"] = pipeline.freeze(registry, dataset)
            st.query_params.pop("snapshot", None)  # what is new is what is asked about next
        except PicdeedError as error:
            problem(error)
    frozen = st.session_state.get("frozen")
    if frozen is None:
        return
    left_out = ", ".join(f"{n} {WHY.get(why, why)}" for why, n in frozen.left_out.items())
    if frozen.snapshot is None:
        st.error(f"Nobody is left, so nothing was frozen: {plain(left_out)}.")
    else:
        said = f"{frozen.members} pictures are frozen in {plain(short(frozen.snapshot))}."
        st.success(said + (f" Left out: {plain(left_out)}." if left_out else ""))


def answer(gated: pipeline.Gated) -> None:
    """The decision with its reasons."""
    headline(gated)
    inside = f"{len(gated.reasons)} reasons, {len(gated.duties)} duties"
    with st.expander(inside, expanded=not gated.is_open):
        reasons(gated)
        if gated.duties:
            duties(gated.duties)
    if gated.drop:
        st.warning(f"Without {counted(gated.drop_total)} the gate would open.")


def train(asked: Asked | None) -> None:
    """3. One run, in a process of its own."""
    st.subheader("3. Fine-tune")
    gated = answer_to(asked)
    if asked is None or gated is None:
        words("note", "Ask the gate first: nothing trains without a decision.")
        return
    answer(gated)
    base = data.base_names().get(gated.base, gated.base)
    recipe = load_recipe(default_preset(base))
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    steps = left.number_input(
        "Steps", min_value=1, max_value=100_000, value=recipe.steps,
        help="The preset's number is a good start; twice as many begin to copy the pictures.",
    )  # fmt: skip
    seed = middle.number_input("Seed", min_value=0, max_value=2**32 - 1, value=0)
    pressed = right.button(
        "Start the run", type="primary", width="stretch", disabled=not gated.is_open
    )
    if pressed:
        try:
            with st.spinner("Starting"):
                start(gated, base, int(steps), int(seed))
        except PicdeedError as error:
            problem(error)
    if not gated.is_open:
        words("note", "The gate is closed, so nothing can be started.")
        st.page_link(
            "picdeed_ui/pages/rights.py",
            label="See what would allow it",
            icon=":material/arrow_forward:",
            query_params=asked.address(),
        )


def start(gated: pipeline.Gated, base: str, steps: int, seed: int) -> None:
    """Record the run and start its process, unless it is finished or under way."""
    prepared = pipeline.fine_tune(
        registry,
        gated.snapshot,
        base,
        load_recipe(default_preset(base), [f"steps={steps}"]),
        None,
        uses=[Use(use) for use in gated.uses],
        decision=gated.decision,
        seed=seed,
    )
    st.session_state["watched"] = prepared.run
    if prepared.state == "succeeded":
        st.toast("The same run was finished before; here it is.")
    elif watch.one_run(registry, prepared.run).state != "running":
        start_process(prepared.run)


st.title("Fine-tune")
st.html(Path(__file__).parents[1] / "parts" / "plates.css")
words(
    "lead",
    "A snapshot is judged, and only what the gate lets through becomes an adapter. "
    "A run survives being killed, and the same inputs give the same run.",
)
registry = data.registry()
sizes = data.dataset_sizes()
if not sizes:
    st.info("There is nothing to learn from yet.")
    st.page_link(
        "picdeed_ui/pages/register.py",
        label="Register pictures",
        icon=":material/arrow_forward:",
    )
    st.stop()
freeze()
st.subheader("2. Ask the gate")
train(ask())
st.subheader("Runs")
live = any(map(is_live, watch.all_runs(registry)))
st.fragment(shown_runs, run_every=2 if live else None)(polling=live)
