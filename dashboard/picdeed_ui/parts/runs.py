"""How does each run fare? Its state, its steps, its loss, and what it learned."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.diffusion.runfolder import read_json
from picdeed.flow import pipeline
from picdeed.jobs import launch, watch
from picdeed_ui import data
from picdeed_ui.parts.learning import learned, over_trained, samples, watched_layers
from picdeed_ui.parts.words import facts, plain, questions, short, stamp, text, words

if TYPE_CHECKING:
    from picdeed.jobs.watch import RunView

LIVE = ("queued", "running")
STOPPED = ("interrupted", "failed", "cancelled")
SHOWN = 8
SMOOTH = 0.9
POINTS = 400
# A process needs seconds to import torch before its first heartbeat, and to record its end after
# the last one; after these seconds of silence it is overdue.
PATIENCE = 60.0


def is_live(view: RunView) -> bool:
    """Whether something may still happen to this run by itself, so that the page keeps looking.

    Before the first and after the last heartbeat of a process nobody holds the run's folder; for
    that moment it looks interrupted.
    """
    if view.state in LIVE:
        return True
    if view.state != "interrupted":
        return False
    launched = st.session_state.get("launched", {}).get(view.id, 0.0)
    return time.monotonic() - launched < PATIENCE or _silence(view) < PATIENCE


def start_process(run: str) -> None:
    """One process takes the run to its end, whatever becomes of this page."""
    launch.background(data.registry().root, run)
    st.session_state["watched"] = run
    st.session_state.setdefault("launched", {})[run] = time.monotonic()


def shown_runs(*, polling: bool) -> None:
    """Every run, and one of them in detail. While any lives, Streamlit calls this again."""
    views = watch.all_runs(data.registry())
    if not views:
        words("note", "No run yet.")
        return
    if polling and not any(map(is_live, views)):
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
    state = "running" if is_live(view) and view.state not in LIVE else view.state
    name = f"<b>{text(short(view.id))}</b>" if chosen else text(short(view.id))
    return (
        f'<tr><td title="{text(view.id)}">{name}</td><td>{stamp(state)} {standing}</td>'
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
    over_trained(log, done)
    if view.error:
        st.error(plain(view.error))
    stuck = view.state == "queued" and _age(view.started_at) > PATIENCE
    if stuck or (view.state in STOPPED and not is_live(view)):
        told = data.last_words(folder) if folder else ""
        if told:
            with st.expander("Its last words"):
                st.code(told, language=None, wrap_lines=True)
        if st.button("Go on from the last checkpoint", key=f"resume-{view.id}"):
            start_process(view.id)
            st.rerun()

    if folder is not None:
        samples(folder, standing=view.standing)
    learned(done)


def _silence(view: RunView) -> float:
    """Seconds since the run's last heartbeat."""
    try:
        beat = read_json(watch.folder_of(data.registry(), view.id) / "heartbeat")
    except PicdeedError:
        beat = None
    return _age(str(beat["at"])) if beat and "at" in beat else float("inf")


def _age(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


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
                *watched_layers(log),
            ],
        },
        alt="The training loss of each step, its running mean, and the held-out loss",
    )
    if any("held_out" in row for row in log):
        words("note", "Blue: the held-out loss, on a part of the exercises; dashed, the base's.")


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
        on = f", on the base in {done.loss['quantize']}" if "quantize" in done.loss else ""
        words("note", f"Loss on pictures it never trained on{on}; lower is better.")
    elif done.loss_reason:
        words("note", f"No evidence of learning: {done.loss_reason}")
    if done.leaks:
        st.warning(
            f"{len(done.leaks)} of the held-out pictures are, or may be, pictures that it trained "
            "on, as is known by now: its loss measures memory too. Train again to part them."
        )
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
