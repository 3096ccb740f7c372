"""What does a person say about two pictures, and what came of it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from picdeed.core.errors import PicdeedError, UsageError
from picdeed.flow import pipeline
from picdeed.registry.codes import PairVerdict
from picdeed.registry.similar import SAME
from picdeed_ui import data
from picdeed_ui.parts.asked import sorted_two
from picdeed_ui.parts.words import clip, plain, problem, words

if TYPE_CHECKING:
    from picdeed.flow.pipeline import Decided
    from picdeed.registry.pictures import PictureView
    from picdeed_ui.parts.asked import Two

SAID = {
    PairVerdict.MERGE: "Same picture",
    PairVerdict.NOT_A_MATCH: "Not a match",
    PairVerdict.VARIANT: "Same drawing, other colours",
}
HELP = {
    PairVerdict.MERGE: "They are one picture: one of them stands for both, and the strictest "
    "claim on either binds.",
    PairVerdict.NOT_A_MATCH: "Two pictures. Neither leaves the other out.",
    PairVerdict.VARIANT: "Two pictures that belong together. Neither leaves the other out.",
}
RULES, LEFT, RIGHT = "by the rules", "the left one", "the right one"
WHO = "decides"
LONGEST = 500
AT_ONCE = 500  # clusters: beyond that grouping anew is a wait of its own


@dataclass(frozen=True, slots=True)
class Done:
    """What was just recorded; `pictures` are left and right."""

    pictures: Two
    verdict: str | None
    told: str


def standing(two: Two) -> Decided | None:
    """What stands about these two."""
    wanted = sorted_two(*two)
    return next((one for one in data.decided() if sorted_two(*one.pictures) == wanted), None)


def buttons(left: PictureView, right: PictureView, *, may_skip: bool) -> tuple[bool, bool]:
    """The decisions, one click each. (Whether one was recorded, whether it was skipped.)"""
    two = (left.picture.id, right.picture.id)
    row = st.container(horizontal=True)  # columns would stand on one another in a narrow window
    pressed = {
        PairVerdict.MERGE: _button(row, PairVerdict.MERGE, primary=True),
        PairVerdict.NOT_A_MATCH: _button(row, PairVerdict.NOT_A_MATCH),
        PairVerdict.VARIANT: _button(row, PairVerdict.VARIANT),
    }
    skipped = may_skip and row.button("Skip", help="Nothing is recorded.")
    keep, because, by = _details(two)
    for verdict, hit in pressed.items():
        if hit:
            kept = {LEFT: two[0], RIGHT: two[1]}.get(keep) if verdict is PairVerdict.MERGE else None
            return record(two, verdict, keep=kept, by=by, because=because), skipped
    return False, skipped


def _button(
    column: st.delta_generator.DeltaGenerator, verdict: PairVerdict, *, primary: bool = False
) -> bool:
    look = "primary" if primary else "secondary"
    return column.button(SAID[verdict], type=look, help=HELP[verdict])


def _details(two: Two) -> tuple[str, str, str]:
    """Who stands for both, why, and who says so: asked once a session, and kept."""
    first, second, third = st.columns((4.6, 3.4, 3), vertical_alignment="bottom")
    keep = first.radio(
        "If they are one, which stands for both?",
        (RULES, LEFT, RIGHT),
        horizontal=True,
        key=f"keep-{two[0]}-{two[1]}",
    )
    because = second.text_input(
        "Why (optional)", key=f"why-{two[0]}-{two[1]}", max_chars=LONGEST
    ).strip()
    by = third.text_input(
        "Who decides",
        value=st.session_state.get(WHO, ""),
        placeholder="Eve Example",
        max_chars=LONGEST,
        help="Asked once; it stands beside every decision.",
    ).strip()
    st.session_state[WHO] = by
    return str(keep), because, by


def record(
    two: Two, verdict: PairVerdict | None, *, keep: str | None = None, by: str, because: str = ""
) -> bool:
    """Record it, and keep what there is to say for the next page; says so when it cannot."""
    together = _together(two)
    try:
        if not by and verdict is not None:
            raise UsageError(
                "Nobody was named; nothing was recorded.", hint="Say who decides: it is asked once."
            )
        pipeline.decide_pair(data.registry(), *two, verdict, keep=keep, by=by, because=because)
        grouped = _grouped()
    except PicdeedError as error:
        problem(error)
        return False
    said = told(verdict, keep, together=together, grouped=grouped)
    st.session_state["decided"] = Done(two, verdict and str(verdict), said)
    return True


def _together(two: Two) -> bool:
    """Whether both stand in one cluster of the same picture now."""
    return any(
        group.kind in SAME and set(two) <= set(group.members) for group in data.copies().clusters
    )


def _grouped() -> bool:
    """Group anew, if that takes no longer than a click: no picture waits, and clusters are few."""
    waiting = data.waiting()
    if not waiting.searched or waiting.pictures or len(data.copies().clusters) > AT_ONCE:
        return False
    pipeline.regroup(data.registry())
    return True


def told(verdict: PairVerdict | None, keep: str | None, *, together: bool, grouped: bool) -> str:
    """What a decision changes, and what it does not."""
    if verdict is None:
        return (
            "The decision is undone and stays on record as undone. They may be asked about again."
        )
    when = "now" if grouped else "when pictures are grouped anew"
    changes = {
        (PairVerdict.MERGE, True): "They stand in one cluster already; nothing else changes.",
        (PairVerdict.MERGE, False): f"They join one cluster {when}.",
        (PairVerdict.NOT_A_MATCH, True): f"They part {when}.",
        (PairVerdict.NOT_A_MATCH, False): "Clusters stay as they are.",
        (PairVerdict.VARIANT, True): f"They part {when}, and stay together as variants.",
        (PairVerdict.VARIANT, False): f"They become variants {when}; neither leaves the other out.",
    }[verdict, together]
    if keep is not None and together:
        changes = f"It stands for them {when}."
    return f"{SAID[verdict]}: recorded. {changes} Nobody is asked about these two again."


def last_done() -> None:
    """What was just recorded, with a way back."""
    done: Done | None = st.session_state.get("decided")
    if done is None:
        return
    said, back, gone = st.columns((8, 1.4, 1.4), vertical_alignment="center")
    said.success(plain(done.told))
    if done.verdict is not None and back.button("Undo", key="undo-last", width="stretch"):
        _back(done)
    if gone.button("Close", key="close-last", width="stretch"):
        del st.session_state["decided"]
        st.rerun()


def _back(done: Done) -> None:
    """Undo what was just recorded, and show the two again."""
    if record(done.pictures, None, by=st.session_state.get(WHO, "")):
        st.query_params["a"], st.query_params["b"] = done.pictures
        st.rerun()


def in_words(one: Decided) -> str:
    """A decision that stands, in one line."""
    verdict = SAID.get(PairVerdict(one.verdict), one.verdict) if one.verdict else "undone"
    because = f": {clip(one.because, 200)}" if one.because else ""
    return f"{verdict}, says {clip(one.by, 60) or 'nobody named'}, {one.recorded_at[:10]}{because}"


def undo(one: Decided, left: PictureView, right: PictureView) -> bool:
    """What stands about the open pair, and the way back from it; True when it was undone."""
    said, back = st.columns((8, 1.6), vertical_alignment="center")
    kept = {left.picture.id: " The left one stands for both.", right.picture.id: " The right one "
            "stands for both."}.get(one.keep or "", "")  # fmt: skip
    said.info(plain(f"Decided: {in_words(one)}.{kept} Another decision takes its place."))
    if back.button("Undo", key="undo-open", width="stretch"):
        return record(one.pictures, None, by=st.session_state.get(WHO, ""))
    return False


def news() -> None:
    """What clusters do not know yet, and what was just recorded, in one place of the page.

    A place of its own, so that what stands below keeps its place when the news is gone.
    """
    with st.container():
        not_grouped()
        last_done()


def not_grouped() -> None:
    """What the clusters do not know yet, and the button that brings them up to date."""
    waiting = data.waiting()
    if waiting.searched and not waiting.pictures and not waiting.decisions:
        return
    said, go = st.columns((7, 2.4), vertical_alignment="center")
    if not waiting.searched:
        told, label = "Nobody has looked for copies in this registry yet.", "Look for copies"
    elif waiting.pictures:
        n = waiting.pictures
        told = f"{n:,} {'picture' if n == 1 else 'pictures'} came or changed since copies were "
        told += "last looked for."
        label = "Look for copies"
    else:
        told = "What was decided last is not in the clusters yet; the next snapshot or gate groups "
        told += "anew by itself."
        label = "Group anew"
    said.info(told)
    if go.button(label, key="look", width="stretch"):
        search()


SEARCH = {
    "fingerprint": "Taking fingerprints",
    "corners": "Looking for corners",
    "compare": "Comparing pixels",
}


def search() -> None:
    """Bring fingerprints, pairs and clusters up to date, and say how far it is."""
    bar = st.progress(0.0, "Looking for copies")

    def progress(what: str, at: int, total: int | None) -> None:
        share = min(1.0, at / total) if total else 0.0
        bar.progress(
            share, f"{SEARCH.get(what, what)}: {at:,}" + (f" of {total:,}" if total else "")
        )

    try:
        pipeline.dedup(data.registry(), progress=progress)
    except PicdeedError as error:
        bar.empty()
        problem(error)
        words("note", "What was found so far is kept; looking again goes on from there.")
        return
    st.session_state.pop("decided", None)
    st.rerun()
