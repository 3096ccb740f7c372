"""How does a person read what a run learned? The lines below the held-out loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from picdeed.cli.show import say, table

_SIGNS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_TRAITS = ("chroma", "light", "turns", "slope", "texture")
_SETS = {"adapter": "drawn with the adapter", "base": "drawn by the base", "real": "held out, real"}


def say_evidence(told: Mapping[str, Any] | None) -> None:
    """Curve, kept step, over-training, forgetting, style and nearest pictures, as far as known."""
    if told is None:
        return
    curve = told.get("curve")
    if curve is not None:
        _say_curve(curve, told["kept"])
    forgot = told.get("forgetting")
    if forgot is not None:
        way = "worse" if forgot["worse"] > 0 else "better"
        say(
            f"forgetting: {abs(forgot['worse']):.1%} {way} on the base's own pictures of other "
            f"things ({forgot['worsened']} of {len(forgot['prompts'])} got worse)"
        )
    if told.get("style") is not None:
        _say_style(told["style"])
    if told.get("nearest") is not None:
        _say_nearest(told["nearest"])


def on_which(loss: Mapping[str, Any]) -> str:
    """On which base both sides of it were measured, where that was not the base as it is."""
    return f", the base in {loss['quantize']}" if "quantize" in loss else ""


def _say_curve(curve: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    losses = [curve["base"], *(point["loss"] for point in curve["points"])]
    low, high = min(losses), max(losses)
    scale = (len(_SIGNS) - 1) / (high - low) if high > low else 0.0
    drawn = "".join(_SIGNS[round((loss - low) * scale)] for loss in losses)
    last = curve["points"][-1]
    say(
        f"on the way:    {drawn}  {losses[0]:.4f} at step 0, lowest {low:.4f}, "
        f"{last['loss']:.4f} at step {last['step']} (a part of the exercises)"
    )
    over = curve["over_trained"]
    if over is None:
        if kept["step"] != last["step"]:
            say(f"kept: the weights after step {kept['step']}, the best of the checkpoints")
        return
    if kept["step"] == over["best"]:
        said = f"the weights after step {kept['step']} were kept"
    else:
        said = f"--set keep=best keeps those after step {over['best']}"
    say(
        f"! It was trained for too long: from step {over['since']} on the held-out loss was higher "
        f"than after step {over['best']}, at the end by {over['rise']:.1%}; {said}",
        "yellow",
    )


def _say_style(style: Mapping[str, Any]) -> None:
    rows = [
        (words, *(f"{style[name][trait]:.3f}" for trait in _TRAITS))
        for name, words in _SETS.items()
        if style[name] is not None
    ]
    table("How far from the pictures it learned from", ("pictures", *_TRAITS), rows)


def _say_nearest(nearest: Mapping[str, Any]) -> None:
    expected = nearest["expected"]
    beside = "" if expected is None else f" (by chance {expected:.0%})"
    say(
        f"{nearest['nearer_to_trained']} of {len(nearest['samples'])} samples are nearer to a "
        f"picture that it trained on than to any held-out one{beside}"
    )
    if nearest["copied"]:
        say(
            f"! {nearest['copied']} of the samples show a picture that it trained on, or a part",
            "yellow",
        )
