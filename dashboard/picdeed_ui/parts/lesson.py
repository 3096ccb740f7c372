"""What has every section of "How it draws"? Words, one formula, a button, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.diffusion.samplers import LABELS
from picdeed_ui.looking import look
from picdeed_ui.parts.words import problem, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from picdeed.flow.inside import Vocabulary
    from picdeed.flow.pipeline import Wish

SAMPLERS = {str(sampler): label for sampler, label in LABELS.items()}
DOING = {"noise": "Adding noise", "generate": "Drawing", "decode": "Decoding"}


@dataclass(frozen=True, slots=True)
class Lesson:
    """The base that is looked into, and the picture that all sections are about."""

    base: Vocabulary
    wish: Wish


def opening(title: str, said: str, formula: str, sources: Sequence[str]) -> None:
    """A section's head: what happens, how it is written down, who found it."""
    st.subheader(title)
    st.markdown(said)
    st.latex(formula)
    words("note", "; ".join(sources))


def answer(
    section: str, button: str, part: Callable[..., Any], lesson: Lesson, *more: Any
) -> Any | None:
    """What the base shows once `button` was pressed for exactly this question; None before."""
    asked = (part.__name__, lesson.base.id, lesson.wish, more)
    if st.button(button, key=f"look-{section}"):
        st.session_state[f"looked-{section}"] = asked
    if st.session_state.get(f"looked-{section}") != asked:
        return None
    place = st.empty()

    def told(what: str, done: int, total: int) -> None:
        share = done / total if total else 0.0
        place.progress(share, text=f"{DOING.get(what, what)}: {done} of {total}")

    try:
        with st.spinner("Looking into the base"):
            return look(part, lesson.base.id, lesson.wish, *more, told=told)
    except PicdeedError as error:
        problem(error)
        return None
    finally:
        place.empty()


def took(seconds: float, more: str = "") -> None:
    """How long it took, and what else is worth a line."""
    words("note", f"{seconds:.1f} s of CPU time. {more}".strip())
