"""How does a picture become noise, and noise a picture? Sections 1 and 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from picdeed.flow import inside
from picdeed_ui.parts.lesson import answer, opening, took
from picdeed_ui.parts.plates import Plate, plates

if TYPE_CHECKING:
    from picdeed.diffusion.inside.views import Denoised, Floats, Noised
    from picdeed_ui.parts.lesson import Lesson

SHOWN = 11  # times, evenly from the first to the last
POINTS = 100
MIXED = (
    r"z_t=\sqrt{\bar\alpha_t}\;z_0+\sqrt{1-\bar\alpha_t}\;\epsilon"
    r",\qquad\epsilon\sim\mathcal N(0,1)"
)
EXPECTED = {
    "v_prediction": (
        r"\hat z_0=\sqrt{\bar\alpha_t}\;z_t"
        r"-\sqrt{1-\bar\alpha_t}\;v_\theta(z_t,t,\text{words})"
        r",\qquad v=\sqrt{\bar\alpha_t}\;\epsilon-\sqrt{1-\bar\alpha_t}\;z_0"
    ),
    "epsilon": (
        r"\hat z_0=\frac{z_t-\sqrt{1-\bar\alpha_t}\;\epsilon_\theta(z_t,t,\text{words})}"
        r"{\sqrt{\bar\alpha_t}}"
    ),
    "sample": r"\hat z_0=z_\theta(z_t,t,\text{words})",
}


def to_noise(lesson: Lesson) -> None:
    """1. One picture along the schedule."""
    opening(
        "1. A picture becomes noise",
        "Noise is mixed into the picture's latents (section 6 shows what these are), more of it "
        "at every time. Nothing is learned in this direction; it makes the exercises. In training "
        "the network is shown such mixtures of known pictures, at times picked by chance, and has "
        "to say what was mixed.",
        MIXED,
        (
            "Ho et al. 2020, arXiv 2006.11239",
            "the cosine schedule: Nichol and Dhariwal 2021, arXiv 2102.09672",
            "noise alone at the end: Lin et al. 2023, arXiv 2305.08891",
        ),
    )
    last = lesson.base.times - 1
    times = tuple(round(last * n / (SHOWN - 1)) for n in range(SHOWN))
    seen: Noised | None = answer("noise", "Add noise", inside.noised, lesson, times)
    if seen is None:
        return
    shown = [Plate((seen.decoded,), "as it is", "no noise")]
    shown += [
        Plate(
            (one.picture,),
            f"time {one.time}",
            f"{one.signal:.2f} picture, {one.noise:.2f} noise",
        )
        for one in seen.mixed
    ]
    plates(shown, width="8.8rem")
    _schedule(seen.signal)
    left = float(seen.signal[-1])
    end = (
        "At the last time nothing of the picture is left, so drawing may begin with pure noise."
        if left == 0
        else f"At the last time {left:.4f} of the picture is left."
    )
    took(seen.seconds, f"{end} The squares of the two shares add up to 1.")


def to_picture(lesson: Lesson) -> None:
    """2. From static to the picture, step by step."""
    opening(
        "2. Noise becomes a picture",
        "Now backwards, from nothing but noise. At each step the network is shown the noisy "
        "latents and their time, and from what it says follows the clean picture that it expects "
        "by now (below). The sampler goes a part of the way there and asks again. The first "
        "expectation is a blur, near the mean of everything that the words allow; outline and "
        "colour come early, detail last.",
        EXPECTED.get(lesson.base.prediction, EXPECTED["epsilon"]),
        (
            "Ho et al. 2020, arXiv 2006.11239",
            "v: Salimans and Ho 2022, arXiv 2202.00512",
        ),
    )
    seen: Denoised | None = answer("denoise", "Remove the noise", inside.denoised, lesson)
    if seen is None:
        return
    shown = [
        Plate(
            (step.noisy, step.expected),
            f"time {step.time:g}",
            f"{step.signal:.2f} picture",
            f"above the noisy latents at time {step.time:g}, below what is expected of them",
        )
        for step in seen.steps
    ]
    plates(shown, width="5.1rem")
    plates([Plate((seen.picture,), "the picture", "as Outputs draws it")], columns=1, width="8rem")
    took(seen.seconds, "Above: what the network is shown. Below: what it expects.")


def _schedule(signal: Floats) -> None:
    """Both shares at every time."""
    every = max(1, len(signal) // POINTS)
    places = sorted({*range(0, len(signal), every), len(signal) - 1})
    rows: list[dict[str, Any]] = []
    for place in places:
        left = float(signal[place])
        rows.append({"time": place, "share": left, "of": "picture"})
        rows.append({"time": place, "share": max(0.0, 1 - left * left) ** 0.5, "of": "noise"})
    st.vega_lite_chart(
        rows,
        {
            "height": 180,
            "mark": {"type": "line", "strokeWidth": 2, "tooltip": True},
            "encoding": {
                "x": {"field": "time", "type": "quantitative", "title": "time"},
                "y": {"field": "share", "type": "quantitative", "title": "share"},
                "color": {
                    "field": "of",
                    "type": "nominal",
                    "title": None,
                    "scale": {"domain": ["picture", "noise"], "range": ["#a3231a", "#1d1a16"]},
                },
            },
        },
        alt="The shares of picture and noise at every time of the schedule",
    )
