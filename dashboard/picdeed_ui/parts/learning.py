"""What did a run learn, and at what price? The held-out curve, its samples, and the figures."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.diffusion.curve import curve_of
from picdeed.diffusion.plan import read_plan
from picdeed.diffusion.samples import asked_for, samples_in
from picdeed.imaging.decode import decode
from picdeed_ui.parts.plates import Plate, plates, side
from picdeed_ui.parts.words import counted, facts, table, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from PIL import Image

    from picdeed.flow import pipeline

BLUE = "#1d4e89"
SIDE = 192  # pixels
ROWS = 6  # of samples, the first and the last among them
TRAITS = {
    "chroma": "colour",
    "light": "light and dark",
    "turns": "how edges lie",
    "slope": "coarse and fine",
    "texture": "texture",
}
SETS = {"adapter": "drawn with the adapter", "base": "drawn by the base", "real": "held out, real"}


def watched_layers(log: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The held-out loss as layers of the chart of training losses; none before it was measured."""
    curve = curve_of(log)
    if curve is None:
        return []
    points = [{"step": 0, "held_out": curve.base}]
    points += [{"step": point.step, "held_out": point.loss} for point in curve.points]
    value = {"field": "held_out", "type": "quantitative", "scale": {"zero": False}}
    across = {"field": "step", "type": "quantitative"}
    line = {"type": "line", "color": BLUE, "strokeWidth": 2, "point": {"color": BLUE}}
    rule = {"type": "rule", "color": BLUE, "strokeDash": [4, 4]}
    return [
        {
            "data": {"values": points},
            "mark": {**line, "tooltip": True},
            "encoding": {"x": across, "y": value},
        },
        {"data": {"values": points[:1]}, "mark": rule, "encoding": {"x": None, "y": value}},
    ]


def over_trained(log: Sequence[Mapping[str, Any]], done: pipeline.Trained) -> None:
    """Say that a run went on for too long, from its log while it goes on."""
    curve = curve_of(log)
    over = curve.over_trained if curve else None
    if over is None:
        return
    kept = ((done.evidence or {}).get("kept") or {}).get("step")
    said = (
        f"The weights after step {kept} were kept."
        if kept == over.best
        else "The recipe value keep = best keeps the weights of the lowest."
    )
    st.warning(
        f"It was trained for too long: from step {over.since} on the held-out loss was higher than "
        f"after step {over.best}, now by {over.rise:.1%}, beyond what chance makes of these "
        f"pictures. {said}"
    )


def samples(folder: Path, *, standing: str) -> None:
    """What the run drew on its way, a row a step; nothing where it was not asked to."""
    rows = samples_in(folder)
    if not rows:
        return
    st.html("<h4>On its way</h4>")
    if standing != "good":
        words("note", "Not shown: something that it learns from was revoked.")
        return
    try:
        prompts = asked_for(read_plan(folder))
    except PicdeedError:  # its plan is gone; its pictures are not
        prompts = ()
    for step in _some(list(rows)):
        side("the base alone" if step == 0 else f"after step {step}")
        plates(_plate(path, number, prompts) for number, path in rows[step].items())
    words("note", "The same prompts and seeds each time. Unsigned, and kept in the registry only.")


def _plate(path: Path, number: int, prompts: Sequence[str]) -> Plate:
    prompt = prompts[number] if number < len(prompts) else ""
    title = prompt or "a caption that was erased"
    return Plate((_small(path, path.stat().st_mtime_ns),), title, f"seed {number}")


@functools.lru_cache(maxsize=96)  # the page is drawn anew every two seconds
def _small(path: Path, _changed: int) -> Image.Image:
    image = decode(path.read_bytes()).image
    image.thumbnail((SIDE, SIDE))
    return image


def _some(steps: list[int]) -> list[int]:
    """At most ROWS of them, evenly spaced from the first to the last."""
    if len(steps) <= ROWS:
        return steps
    return [steps[round(k * (len(steps) - 1) / (ROWS - 1))] for k in range(ROWS)]


def learned(done: pipeline.Trained) -> None:
    """Kept step, forgetting, style and nearest pictures, as far as the result tells them."""
    told = done.evidence
    if told is None:
        return
    pairs = []
    if (told.get("kept") or {}).get("keep") == "best":
        pairs.append(("Kept", f"the weights after step {told['kept']['step']}, the best"))
    if forgot := told.get("forgetting"):
        way = "worse" if forgot["worse"] > 0 else "better"
        by = f"{abs(forgot['worse']):.1%} {way}"
        pairs.append(("Other things", f"{by} on {counted(len(forgot['prompts']))} by the base"))
    if nearest := told.get("nearest"):
        pairs.append(("Nearest pictures", _nearest(nearest)))
    if pairs:
        facts(pairs)
    if nearest and nearest["copied"]:
        st.warning(
            f"{counted(nearest['copied'])} among the samples show a picture that it trained on, "
            "or a part of one."
        )
    if style := told.get("style"):
        _style(style)


def _nearest(nearest: Mapping[str, Any]) -> str:
    expected = nearest["expected"]
    beside = "" if expected is None else f"; by chance {expected:.0%}"
    return (
        f"{nearest['nearer_to_trained']} of {len(nearest['samples'])} samples are nearer to a "
        f"trained picture than to any held-out one{beside}"
    )


def _style(style: Mapping[str, Any]) -> None:
    rows = [
        (said, *(f"{style[name][trait]:.3f}" for trait in TRAITS))
        for name, said in SETS.items()
        if style[name] is not None
    ]
    table(("pictures", *TRAITS.values()), rows)
    words(
        "note",
        "How far from the pictures that it learned from; 0 is equal. Real ones show how "
        "far equals lie apart.",
    )
