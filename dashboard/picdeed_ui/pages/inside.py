"""How does a diffusion model draw? Shown by the base that comes with picdeed, live."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.flow import inside, pipeline
from picdeed_ui import data
from picdeed_ui.parts import choices, insides, steps
from picdeed_ui.parts.lesson import SAMPLERS, Lesson
from picdeed_ui.parts.plates import side
from picdeed_ui.parts.words import plain, problem, words

MOST_STEPS = 50
WHITE = "white"
FIRST_GROUND = "blue"  # a word more to read in section 5


def asked(base: inside.Vocabulary) -> pipeline.Wish:
    """The picture that every section is about."""
    with st.container(border=True):
        prompt = _prompt(base)
        first, second, third, last = st.columns(4, vertical_alignment="bottom")
        seed = first.number_input("Seed", min_value=0, max_value=2**32 - 1, value=11)
        n = second.number_input("Steps", min_value=2, max_value=MOST_STEPS, value=20)
        guidance = third.number_input(
            "Guidance", min_value=1.0, max_value=15.0, value=base.suited.guidance, step=0.5
        )
        sampler = last.selectbox("Sampler", list(SAMPLERS), format_func=SAMPLERS.__getitem__)
    side(f"“{prompt}”")
    return pipeline.Wish(
        prompt, seed=int(seed), steps=int(n), guidance=float(guidance), sampler=sampler
    )


def _prompt(base: inside.Vocabulary) -> str:
    """A thing with its colour and what lies behind it, or the reader's own words."""
    columns = iter(st.columns(4 if base.tints else 3, vertical_alignment="bottom"))
    thing = next(columns).selectbox("Thing", base.things) if base.things else ""
    tint = ""
    if base.tints:
        tint = next(columns).selectbox("Its colour", ["", *base.tints], format_func=_own)
    grounds = ["", *base.grounds, *base.places]
    behind = next(columns).selectbox(
        "Behind it",
        grounds,
        index=grounds.index(FIRST_GROUND) if FIRST_GROUND in grounds else 0,
        format_func=lambda name: name or WHITE,
    )
    own = next(columns).text_input(
        "Or your own words", max_chars=200, help="Words that it never learned become a mixture."
    )
    return own.strip() or base.prompt(thing or "", tint=tint or "", behind=behind or "")


def _taught(base: inside.Vocabulary) -> str:
    counts = (("thing", base.things), ("colour", base.grounds), ("place", base.places))
    told = [
        f"{len(names)} {what}{'' if len(names) == 1 else 's'}" for what, names in counts if names
    ]
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def _own(name: str) -> str:
    return name or "its own"


st.html(Path(__file__).parents[1] / "parts" / "plates.css")
st.title("How it draws")
try:
    base = inside.embedded(data.registry())
except PicdeedError as error:
    problem(error)
    st.stop()
words(
    "lead",
    "A diffusion model learns to take noise away, and draws by doing so from nothing but noise. "
    "Here you can look into one: every picture and number on this page is computed now.",
)
st.markdown(
    f"The base is **{plain(base.name)}**, which ships with picdeed: {base.size / 1e6:.0f} MB, "
    f"taught {_taught(base)}, and nothing else. Large models work the same way, with hundreds of "
    "times as many weights."
)
lesson = Lesson(base, asked(base))
steps.to_noise(lesson)
steps.to_picture(lesson)
choices.guidance(lesson)
choices.samplers(lesson)
insides.attention(lesson)
insides.channels(lesson)
words(
    "note",
    "Nothing on this page is kept or signed. A picture that you draw under Outputs is.",
)
st.page_link("picdeed_ui/pages/outputs.py", label="Draw and sign", icon=":material/arrow_forward:")
