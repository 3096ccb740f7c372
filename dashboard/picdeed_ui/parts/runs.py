"""How does each run fare? Its state, its steps, its loss, and what it learned."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.flow import pipeline
from picdeed.jobs import launch, watch
from picdeed_ui import data
from picdeed_ui.parts.words import facts, plain, questions, short, stamp, text, words

if TYPE_CHECKING:
    from picdeed.jobs.watch import RunView

LIVE = ("queued", "running")
STOPPED = ("interrupted", "failed", "cancelled")
SHOWN = 8
SMOOTH = 0.9
POINTS = 400
# A process needs seconds to import torch before its first heartbeat; after these it is overdue.
PATIENCE = 60.0


def shown_runs(*, polling: bool) -> None:
    """Every run, and one of them in detail. While any lives, Streamlit calls this again."""
    views = watch.all_runs(data.registry())
    if not views:
        words("note", "No run yet.")
        return
    if polling and not any(view.state in LIVE for view in views):
        st.rerun()  # the whole page: it stops polling, and the detail below is final
    known = {view.id: view for view in views}
    watched = st.session_state.get("watched")
    watched = watched if watched in known else views[0].id
    rows = "".join(_line(view, chosen=view.id == watched) for view in views[:SHOWN])
    st.html(
        '<div class="pd-scroll"><table class="pd-table"><thead><tr><th>run</th><th>state</th>'
        "<th class='n'>steps</th><th></th><th>started (UTC)</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )
    if len(views) > 1:
        watched = st.selectbox(
            "Watch",
            list(known),
            index=list(known).index(watched),
            format_func=lambda key: f"{short(key)}, {known[key].steps} steps",
        )
        st.session_state["watched"] = watched
    _detail(known[watched])


def _line(view: RunView, *, chosen: bool) -> str:
    share = round(100 * min(1.0, view.step / max(1, view.steps)))
    standing = "" if view.standing == "good" else stamp(view.standing)
    name = f"<b>{text(short(view.id))}</b>" if chosen else text(short(view.id))
    return (
        f'<tr><td title="{text(view.id)}">{name}</td><td>{stamp(view.state)} {standing}</td>'
        f'<td class="n">{view.step} of {view.steps}</td>'
        f'<td class="bar"><div class="pd-bar" style="width:{share}%"></div></td>'
        f"<td>{text(view.started_at[:19].replace('T', ' '))}</td></tr>"
    )


def _detail(view: RunView) -> None:
    registry = data.registry()
    try:
        folder, log = watch.folder_of(registry, view.id), watch.log_of(registry, view.id)
    except PicdeedError:  # queued: its folder is made when its process starts
        folder, log = None, []
    done = pipeline.show(registry, view.id)
    left, right = st.columns((3, 2), gap="large")
    with left:
        _curve(log)
    with right:
        _outcome(view, done)
    if view.error:
        st.error(plain(view.error))
    stuck = view.state == "queued" and _overdue(view)
    if view.state in STOPPED or stuck:
        told = data.last_words(folder) if folder else ""
        if told:
            with st.expander("Its last words"):
                st.code(told, language=None, wrap_lines=True)
        if st.button("Go on from the last checkpoint", key=f"resume-{view.id}"):
            launch.background(registry.root, view.id)
            st.session_state["watched"] = view.id
            time.sleep(1.0)  # the process takes the run before the page looks again
            st.rerun()


def _overdue(view: RunView) -> bool:
    started = datetime.fromisoformat(view.started_at)
    return (datetime.now(UTC) - started).total_seconds() > PATIENCE


def _curve(log: list[dict[str, float]]) -> None:
    """The loss of each step, and its running mean."""
    if not log:
        words("note", "Nothing was learned yet: the process is starting.")
        return
    mean = float(log[0]["loss"])
    rows = []
    for n, row in enumerate(log, 1):
        keep = min(SMOOTH, 1 - 1 / n)
        mean = keep * mean + (1 - keep) * float(row["loss"])
        rows.append({"step": int(row["step"]), "loss": float(row["loss"]), "mean": mean})
    every = max(1, len(rows) // POINTS)
    st.vega_lite_chart(
        rows[::every],
        {
            "height": 240,
            "encoding": {"x": {"field": "step", "type": "quantitative", "title": "step"}},
            "layer": [
                _layer("loss", "#d3c6a8", 1, "training loss"),
                _layer("mean", "#a3231a", 2, "training loss"),
            ],
        },
        alt="The training loss of each step and its running mean",
    )


def _layer(name: str, colour: str, width: int, title: str) -> dict[str, Any]:
    value = {"field": name, "type": "quantitative", "title": title, "scale": {"zero": False}}
    return {
        "mark": {"type": "line", "color": colour, "strokeWidth": width, "tooltip": True},
        "encoding": {"y": value},
    }


def _outcome(view: RunView, done: pipeline.Trained) -> None:
    if done.loss:
        better = done.loss["adapter"] < done.loss["base"]
        said = f"{done.loss['base']:.4f} for the base, {done.loss['adapter']:.4f} with the adapter"
        questions((("Did it learn?", "yes" if better else "not yet", said),))
        words("note", "Loss on pictures it never trained on; lower is better.")
    elif done.loss_reason:
        words("note", f"No evidence of learning: {done.loss_reason}")
    pairs = [("Run", view.id), ("Snapshot", short(view.snapshot))]
    if done.adapter is not None:
        pairs.append(("Adapter", str(done.adapter["id"])))
    if done.steps_per_second:
        pairs.append(("Speed", f"{done.steps_per_second:.2f} steps a second"))
    facts(pairs)
    if done.adapter is not None and done.adapter["state"] == "good":
        st.page_link(
            "picdeed_ui/pages/outputs.py", label="Draw with it", icon=":material/arrow_forward:"
        )
