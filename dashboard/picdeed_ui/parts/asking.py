"""Which snapshot, base and uses are asked about, read how, and what did the gate say?

Fine-tune and Rights ask the same question: an answer given on one page holds on the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.flow import pipeline
from picdeed.rights.verdict import Use
from picdeed_ui import data
from picdeed_ui.parts.words import counted, plain, problem, short, words

CONSERVATIVE = "conservative"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to the gate. `base` is a name."""

    snapshot: str
    base: str
    uses: tuple[str, ...]
    profile: str
    commercial: bool

    def address(self) -> dict[str, str]:
        """The question as the query of a page's address."""
        return {
            "snapshot": self.snapshot,
            "base": self.base,
            "uses": ",".join(self.uses),
            "profile": self.profile,
            "commercial": "yes" if self.commercial else "no",
        }

    def is_answered_by(self, gated: pipeline.Gated) -> bool:
        """Whether a decision is about exactly this."""
        return (
            gated.snapshot == self.snapshot
            and self.base in (gated.base, data.base_names().get(gated.base))
            and set(gated.uses) == set(self.uses)
            and (gated.profile, gated.commercial) == (self.profile, self.commercial)
        )


def question_of(gated: pipeline.Gated) -> Asked:
    """The question that a decision answers."""
    base = data.base_names().get(gated.base, gated.base)
    return Asked(gated.snapshot, base, gated.uses, gated.profile, gated.commercial)


def ask(button: str = "Ask the gate") -> Asked | None:
    """Show the question, begun from the address; press `button` and it is judged."""
    snapshots = {row.id: row for row in data.all_snapshots()}
    bases = list(data.base_names().values())
    if not snapshots or not bases:
        words("note", "There is no snapshot yet." if not snapshots else "There is no base yet.")
        return None
    known = list(snapshots)
    left, middle, right = st.columns((4, 2, 4), vertical_alignment="bottom")
    chosen = left.selectbox(
        "Snapshot",
        known,
        index=_place(known, "snapshot"),
        format_func=lambda key: (
            f"{short(key)}: {counted(snapshots[key].members)}"
            + ("" if snapshots[key].state == "good" else f" ({snapshots[key].state})")
        ),
    )
    base = middle.selectbox("Base", bases, index=_place(bases, "base"))
    profile = profile_picker(right)
    left, middle, right = st.columns((6, 2, 2), vertical_alignment="bottom")
    wanted = left.multiselect("Uses", [str(use) for use in Use], default=_uses())
    commercial = middle.toggle("Commercial", value=st.query_params.get("commercial") != "no")
    pressed = right.button(button, width="stretch", disabled=not wanted)
    caution(profile)
    asked = Asked(chosen, base, tuple(wanted), profile, commercial)
    if pressed:
        judge(asked)
    return asked


def profile_picker(column: st.delta_generator.DeltaGenerator) -> str:
    """How the rules are read; the cautious reading first."""
    profiles = sorted(data.profiles(), key=lambda name: (name != CONSERVATIVE, name))
    return str(
        column.selectbox(
            "Profile",
            profiles,
            index=_place(profiles, "profile"),
            help="How the rules are read. The templates ask a person wherever the law is argued; "
            "none of them allows anything by itself.",
        )
    )


def caution(profile: str) -> None:
    """Say plainly when no lawyer has looked at the reading that was picked."""
    read = data.profiles()[profile]
    if read.reviewed_by_lawyer:
        words("note", f"{read.title}. No legal advice.")
    elif profile == CONSERVATIVE:
        words("note", f"{read.title}. No lawyer has reviewed it; no legal advice.")
    else:
        st.warning(
            f"**{plain(profile)} is a template that no lawyer has reviewed.** Do not rely on it "
            "before one has: where the law is argued, it only asks a person to decide."
        )


def judge(asked: Asked) -> None:
    """Ask the gate; the answer stays until the next one."""
    st.session_state.pop("gated", None)
    try:
        with st.spinner("Deciding"):
            st.session_state["gated"] = pipeline.judge(
                data.registry(),
                asked.snapshot,
                asked.base,
                [Use(use) for use in asked.uses],
                profile=asked.profile,
                commercial=asked.commercial,
                what_if=True,
            )
    except PicdeedError as error:
        problem(error)


def answer_to(asked: Asked | None) -> pipeline.Gated | None:
    """The answer to this question as it stands now, an approval from elsewhere included."""
    last: pipeline.Gated | None = st.session_state.get("gated")
    if asked is None or last is None or not asked.is_answered_by(last):
        return None
    try:
        found = data.decision(last.decision)
    except PicdeedError:  # another registry lies there now
        del st.session_state["gated"]
        return None
    return replace(found, what_if=last.what_if)


def _place(known: list[str], key: str) -> int:
    """Where in the list the address points; the first where it points to nothing there is."""
    said = st.query_params.get(key)
    return known.index(said) if said in known else 0


def _uses() -> list[str]:
    said = st.query_params.get("uses", "").split(",")
    return [str(use) for use in Use if use in said] or [str(Use.TRAIN)]
