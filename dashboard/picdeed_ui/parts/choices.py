"""What do guidance, sampler and number of steps change? Sections 3 and 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from picdeed.flow import inside
from picdeed_ui.parts.lesson import SAMPLERS, answer, opening, took
from picdeed_ui.parts.plates import Plate, plates, side
from picdeed_ui.parts.words import words

if TYPE_CHECKING:
    from picdeed.diffusion.inside.views import Guided, Sampled
    from picdeed_ui.parts.lesson import Lesson

GUIDANCES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
STEPS = (4, 8, 20, 50)
FIRST_STEPS = (4, 8, 20)
GUIDED = (
    r"\hat v=v_\theta(z_t,t,\varnothing)"
    r"+w\,\bigl(v_\theta(z_t,t,\text{words})-v_\theta(z_t,t,\varnothing)\bigr)"
)
DDIM = r"z_s=\sqrt{\bar\alpha_s}\;\hat z_0+\sqrt{1-\bar\alpha_s}\;\hat\epsilon"


def guidance(lesson: Lesson) -> None:
    """3. The same seed under guidance 1 to 8."""
    opening(
        "3. Guidance",
        "The network is asked twice: with the words, and with none. The difference between its two "
        "answers is what the words want; guidance *w* exaggerates it. 1 adds nothing: the words "
        "alone. More makes things clearer and more colourful, and pictures of different seeds more "
        "alike; too much burns them. " + _within(lesson) + "The noise below is the same each time.",
        GUIDED,
        ("Ho and Salimans 2022, arXiv 2207.12598", "Kynkäänniemi et al. 2024, arXiv 2404.07724"),
    )
    seen: tuple[Guided, ...] | None = answer(
        "guidance", "Guide from 1 to 8", inside.guided, lesson, GUIDANCES
    )
    if seen is None:
        return
    plates(
        Plate((one.picture,), f"{one.guidance:g}", "the words alone" if one.guidance == 1 else "")
        for one in seen
    )
    took(sum(one.seconds for one in seen), "Your own guidance above is not used here.")


def _within(lesson: Lesson) -> str:
    """In which steps of the wish the base is guided, where it is not in all."""
    guided = lesson.base.suited.interval.steps(lesson.wish.steps)
    if len(guided) in {0, lesson.wish.steps}:
        return ""
    late = "; in the last steps nothing is left to decide" * (guided.stop < lesson.wish.steps)
    return (
        f"This base is guided in the steps {guided.start + 1} to {guided.stop} of "
        f"{lesson.wish.steps} only: out of static alone the words mean one mean picture, and "
        f"exaggerating it would pull all seeds there{late}. "
    )


def samplers(lesson: Lesson) -> None:
    """4. The same seed by several samplers in several numbers of steps."""
    opening(
        "4. Samplers and steps",
        "The network only says what it expects; a sampler decides how to walk there. DDIM and "
        "Euler are one method written twice. DPM++ 2M and UniPC remember earlier answers, to come "
        "nearer in as many steps. These four follow one path and meet as the steps grow. Euler "
        "ancestral throws new noise in at every step, and with other steps ends at another "
        "picture.",
        DDIM,
        (
            "DDIM (the step above, to an earlier time s): Song et al. 2020, arXiv 2010.02502",
            "DPM++: Lu et al. 2022, arXiv 2211.01095",
            "UniPC: Zhao et al. 2023, arXiv 2302.04867",
            "Euler: Karras et al. 2022, arXiv 2206.00364",
        ),
    )
    left, right = st.columns((3, 2))
    chosen = left.multiselect(
        "Samplers", list(SAMPLERS), default=list(SAMPLERS), format_func=SAMPLERS.__getitem__
    )
    steps = right.multiselect("Numbers of steps", STEPS, default=FIRST_STEPS)
    if not chosen or not steps:
        words("note", "Choose at least one of each.")
        return
    total = len(chosen) * sum(steps)
    words("note", f"{total:,} steps in all; a step takes 0.03 to 0.1 s on an ordinary core.")
    seen: tuple[Sampled, ...] | None = answer(
        "samplers", "Draw by each", inside.sampled_by, lesson, tuple(chosen), tuple(sorted(steps))
    )
    if seen is None:
        return
    for n in sorted(steps):
        side(f"{n} steps")
        row = [_plate(one) for one in seen if one.steps == n]
        plates(row, columns=len(row), width="10.5rem")
    took(
        sum(one.seconds for one in seen),
        "Apart: how far a picture is from the same sampler's in the most steps (root mean square, "
        "in shades of 0 to 255).",
    )


def _plate(one: Sampled) -> Plate:
    return Plate(
        (one.picture,),
        SAMPLERS.get(one.sampler, one.sampler),
        f"{one.seconds:.2f} s, apart {one.apart:.0f}",
    )
