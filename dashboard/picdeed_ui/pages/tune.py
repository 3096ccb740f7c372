"""May this base learn from these pictures, and how does the run fare?"""

from __future__ import annotations

import streamlit as st
from picdeed.core.errors import PicdeedError
from picdeed.diffusion.recipe import default_preset, load_recipe
from picdeed.flow import pipeline
from picdeed.jobs import launch, watch
from picdeed.rights.verdict import Use
from picdeed_ui import data
from picdeed_ui.parts.words import badge, plain, problem, short

st.title("Fine-tune")
registry = data.registry()
sizes = data.dataset_sizes()
if not sizes:
    st.info("Register pictures first.")
    st.page_link("picdeed_ui/pages/register.py", label="Register pictures")
    st.stop()

st.subheader("1. Freeze a dataset")
left, right = st.columns((3, 1), vertical_alignment="bottom")
dataset = left.selectbox("Dataset", list(sizes))
if right.button("Make a snapshot", width="stretch"):
    try:
        with st.spinner("Looking for copies and concluding licences"):
            frozen = pipeline.freeze(registry, dataset)
    except PicdeedError as error:
        problem(error)
    else:
        if frozen.snapshot is None:
            st.error("Nobody is left: every picture is stopped by its licence or an opt-out.")
        else:
            st.success(f"{frozen.members} pictures in {short(frozen.snapshot)}.")
        if frozen.left_out:
            st.write("Left out: " + ", ".join(f"{n} {why}" for why, n in frozen.left_out.items()))

snapshots = data.all_snapshots()
if not snapshots:
    st.info("No snapshot yet.")
    st.stop()

st.subheader("2. Ask the gate")
left, middle, right = st.columns(3)
chosen = left.selectbox(
    "Snapshot",
    snapshots,
    format_func=lambda row: f"{short(row.id)}: {row.members} pictures ({row.state})",
)
base = middle.selectbox("Base", [row.name for row in data.all_bases()])
uses = right.multiselect("Uses", [str(use) for use in Use], default=["train"])
if not uses:
    st.warning("Choose at least one use.")
    st.stop()
try:
    with st.spinner("Deciding"):
        gated = pipeline.judge(registry, chosen.id, base, [Use(use) for use in uses])
except PicdeedError as error:
    problem(error)
    st.stop()
st.markdown(f"{badge(gated.verdict)} for {', '.join(gated.uses)} until {gated.valid_until[:10]}")
with st.expander(f"{len(gated.reasons)} reasons, {len(gated.duties)} duties"):
    st.dataframe(list(gated.reasons), hide_index=True, width="stretch")
    for duty in gated.duties:
        st.markdown(f"- {plain(duty['license'])}: {plain(duty['text'])}")
if gated.drop:
    st.warning(f"Leaving out {len(gated.drop)} pictures would lift the verdict.")

st.subheader("3. Train")
left, middle, right = st.columns(3, vertical_alignment="bottom")
recipe = load_recipe(default_preset(base))
steps = left.number_input("Steps", min_value=1, max_value=100_000, value=recipe.steps)
seed = middle.number_input("Seed", min_value=0, value=0)
opened = gated.verdict in ("ALLOW", "DUTIES")
if right.button("Start", type="primary", width="stretch", disabled=not opened):
    try:
        started = pipeline.fine_tune(
            registry,
            chosen.id,
            base,
            load_recipe(default_preset(base), [f"steps={steps}"]),
            None,
            uses=[Use(use) for use in uses],
            seed=int(seed),
        )
        if started.state != "succeeded":
            launch.background(registry.root, started.run)
        st.session_state["watched"] = started.run
    except PicdeedError as error:
        problem(error)
if not opened:
    st.caption("The gate is closed, so nothing can be started.")


@st.fragment(run_every=2)
def runs() -> None:
    """Every run, and the loss of the one that is watched."""
    views = watch.all_runs(registry)
    if not views:
        st.info("No run yet.")
        return
    for view in views[:10]:
        left, right = st.columns((3, 2))
        left.markdown(f"`{short(view.id)}` {badge(view.state)} {badge(view.standing)}")
        right.progress(
            min(1.0, view.step / max(1, view.steps)), text=f"{view.step} of {view.steps} steps"
        )
        if view.error:
            st.error(plain(view.error))
    watched = st.session_state.get("watched", views[0].id)
    try:
        log = watch.log_of(registry, watched)
    except PicdeedError:
        log = []
    if log:
        st.caption(f"Training loss of {short(watched)}")
        st.line_chart([row["loss"] for row in log], height=200)
    done = pipeline.show(registry, watched)
    if done.loss:
        st.success(
            f"Held-out loss {done.loss['base']:.4f} for the base, {done.loss['adapter']:.4f} with "
            "the adapter, on pictures it never trained on."
        )


st.subheader("Runs")
runs()
