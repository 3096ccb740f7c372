"""Which pictures are the same one, which pairs need a person, and what did people say?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed_ui import data
from picdeed_ui.parts import clusters, comparing, deciding
from picdeed_ui.parts.asked import KINDS, counts, following, name_of, place_of, queue
from picdeed_ui.parts.gallery import gallery, picture_card, picture_title
from picdeed_ui.parts.rows import (
    THUMBS,
    address,
    go,
    pages,
    picked,
    rows,
    sliced,
    thumbs,
)
from picdeed_ui.parts.words import clip, counted, figures, plain, problem, short, text, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from picdeed.flow.pipeline import Decided
    from picdeed.registry.pictures import PictureView
    from picdeed_ui.parts.asked import Item, Two

LOOK, CLUSTERS, DECIDED = "look", "clusters", "decided"
UNDOS = 12  # lines of decisions, each with a button of its own


def kept() -> dict[str, str | None]:
    """What of the address holds on every view of this page."""
    said = st.query_params
    return {key: said.get(key) for key in ("dataset", "kind", "view", "cluster-kind")}


def lists() -> None:
    """The three lists: what is to be looked at, clusters, decisions."""
    st.title("Copies")
    words(
        "lead",
        "A picture refused under one licence must not come back under another. What pixels can "
        "settle is settled; the rest is asked here, gravest first, and each pair only once.",
    )
    deciding.news()
    sizes = data.dataset_sizes()
    if not sizes:
        st.page_link(
            "picdeed_ui/pages/register.py",
            label="Register pictures",
            icon=":material/arrow_forward:",
        )
        return
    asked = st.query_params.get("dataset")
    dataset = asked if asked in sizes else None
    found, whole = data.copies(dataset), queue(dataset)
    names = {
        LOOK: f"To look at ({len(whole):,})",
        CLUSTERS: f"Clusters ({len(found.clusters):,})",
        DECIDED: f"Decided ({len(data.decided()):,})",
    }
    view = st.query_params.get("view", LOOK)
    left, right = st.columns((3, 1), vertical_alignment="bottom")
    chosen = left.radio(
        "Show",
        list(names),
        index=list(names).index(view) if view in names else 0,
        format_func=lambda key: names[key],
        horizontal=True,
        label_visibility="collapsed",
    )
    if chosen != (view if view in names else LOOK):
        go({"dataset": dataset, "view": None if chosen == LOOK else chosen})
    if chosen == DECIDED:
        decisions()
        return
    picked(right, "Dataset", "dataset", list(sizes), str)
    if chosen == CLUSTERS:
        clusters.listed(found.clusters, kept())
    else:
        to_look_at(whole)


def to_look_at(whole: Sequence[Item]) -> None:
    """The queue, one line an item."""
    if not whole:
        searched = data.waiting().searched
        words("note", "Nothing is left to look at." if searched else "Nothing was looked for yet.")
        return
    numbers = counts(whole)
    figures([(name_of(key), n, key == "opt-out") for key, n in numbers.items()])
    column, start = st.columns((3, 1), vertical_alignment="bottom")
    kind = picked(
        column, "Why", "kind", list(numbers), lambda key: f"{name_of(key)} ({numbers[key]:,})"
    )
    found = [one for one in whole if kind in (None, one.kind)]
    if start.button("Begin with the first", type="primary", width="stretch"):
        open_item(found[0])
    here = found[sliced(len(found))]
    seen = [one for item in here for one in _first(item)[:THUMBS]]
    titles = {view.picture.id: picture_title(view) for view in data.some_pictures(seen)}
    told = []
    for item in here:
        left, right = item.pairs[0]
        n = len(item.pairs)
        told.append(
            {
                "id": f"{item.kind} {left} {right}",
                "href": address("copies", {**kept(), "a": left, "b": right, "asked": item.kind}),
                "title": f"{titles.get(left, short(left))} and {titles.get(right, short(right))}",
                "mark": name_of(item.kind),
                "tone": "stop" if item.kind == "opt-out" else "wait",
                "notes": [
                    item.why,
                    f"{counted(len(item.pictures))}, {_pairs(n)} to decide",
                ],
                **thumbs(_first(item), titles, {}),
            }
        )
    opened = rows(told, key="queue")
    if opened:
        asked, left, right = opened.rsplit(" ", 2)
        go({**kept(), "a": left, "b": right, "asked": asked})
    pages(len(found))


def _pairs(n: int) -> str:
    return f"{n:,} {'pair' if n == 1 else 'pairs'}"


def _first(item: Item) -> list[str]:
    """Its pictures, those of the first pair first."""
    left, right = item.pairs[0]
    return [left, right, *(one for one in item.pictures if one not in (left, right))]


def open_item(item: Item, two: Two | None = None) -> None:
    left, right = two or item.pairs[0]
    go({**kept(), "a": left, "b": right, "asked": item.kind})


def decisions() -> None:
    """Every decision that stands, newest first, each with its way back."""
    found = data.decided()
    if not found:
        words("note", "Nobody has decided about a pair yet.")
        return
    start = sliced(len(found)).start
    here = found[start : start + sliced(len(found)).stop - start]
    views = data.some_pictures([one for each in here for one in each.pictures])
    titles = {view.picture.id: picture_title(view) for view in views}
    for at, one in enumerate(here):
        if at >= UNDOS and st.query_params.get("all") != "yes":
            if st.button(f"Show the other {len(here) - UNDOS}"):
                st.query_params["all"] = "yes"
                st.rerun()
            break
        _decision(one, titles, start + at)
    pages(len(found))


def _decision(one: Decided, titles: dict[str, str], at: int) -> None:
    left, right = one.pictures
    names = [titles.get(each, short(each)) for each in one.pictures]
    said, back = st.columns((8, 1.4), vertical_alignment="center")
    keeps = "" if one.keep is None else f"{titles.get(one.keep, short(one.keep))} stands for both"
    with said:
        line = {
            "id": str(at),
            "href": address("copies", {**kept(), "a": left, "b": right}),
            "title": f"{names[0]} and {names[1]}",
            "mark": one.verdict or "",
            "tone": "none",
            "notes": [deciding.in_words(one), *([keeps] if keeps else [])],
            **thumbs(one.pictures, titles, {}),
        }
        if rows([line], key=f"decided-{at}"):
            go({**kept(), "view": DECIDED, "a": left, "b": right})
    by = st.session_state.get(deciding.WHO, "")
    pressed = back.button("Undo", key=f"undo-{at}", width="stretch")
    if pressed and deciding.record(one.pictures, None, by=by):
        st.rerun()


def pair(first: str, second: str) -> None:
    """Two pictures beside each other, and what a person says about them."""
    asked, group = st.query_params.get("asked"), st.query_params.get("cluster")
    away, done = st.columns((1.6, 8), vertical_alignment="center")
    away.page_link(
        "picdeed_ui/pages/copies.py",
        label="The cluster" if group else "All of them",
        icon=":material/arrow_back:",
        query_params={k: v for k, v in {**kept(), "cluster": group}.items() if v},
    )
    try:
        left, right = (data.one_picture(one) for one in (first, second))
        before = queue(_dataset(), st.query_params.get("kind"))
    except PicdeedError as error:
        words("title", "No such pair")
        problem(error)
        return
    two = (left.picture.id, right.picture.id)
    if two[0] == two[1]:
        words("title", "No such pair")
        words("note", "That is one picture, not two.")
        return
    with done:  # beside the way back: the buttons below stay where they are
        deciding.last_done()
    # Whoever came from a cluster goes on with it, not with the queue.
    at = None if group else place_of(before, two, asked)
    heading(before, at, left, right)
    held = deciding.standing(two)
    if held is not None and deciding.undo(held, left, right):
        st.rerun()
    recorded, skipped = deciding.buttons(left, right, may_skip=at is not None)
    if recorded:
        forward(before, at)
    if skipped:
        skip(before, at)
    found = comparing.shown(left, right)
    if at is not None and len(before[at].pictures) > 2:  # noqa: PLR2004 (more than the pair)
        others(before[at], two)
    facts, evidence = st.columns((3, 2), gap="large")
    with facts:
        st.subheader("What is on record")
        comparing.in_facts(left, right)
    with evidence:
        st.subheader("What was measured")
        if found is None:
            words("note", "Nothing, for the pixels cannot be read.")
        else:
            comparing.measured(found)


def _dataset() -> str | None:
    asked = st.query_params.get("dataset")
    return asked if asked in data.dataset_sizes() else None


def heading(found: Sequence[Item], at: int | None, left: PictureView, right: PictureView) -> None:
    """Why these two are asked about, where they stand in the queue, and the way along it."""
    titles = f"{clip(picture_title(left), 50)} and {clip(picture_title(right), 50)}"
    if at is None:
        words("title", titles)
        return
    item = found[at]
    said, way = st.columns((7, 2.4), vertical_alignment="center")
    with said:
        st.html(f'<h1 class="pd-pair">{text(titles)}</h1>')
        hint = KINDS[item.kind][1] if item.kind in KINDS else ""
        words(
            "why", f"{name_of(item.kind)[:1].upper()}{name_of(item.kind)[1:]}: {item.why}. {hint}"
        )
        n = len(item.pairs)
        words("note", f"{at + 1:,} of {len(found):,}" + (f", {n} pairs in it" if n > 1 else ""))
    way = way.container(horizontal=True, horizontal_alignment="right")
    if way.button("Previous", disabled=at == 0):
        open_item(found[at - 1])
    if way.button("Next", disabled=at + 1 == len(found)):
        open_item(found[at + 1])


def forward(before: Sequence[Item], at: int | None) -> None:
    """After a decision: the next pair of this item, else the next item, else the list."""
    if at is None:
        st.rerun()
    came = following(before, at or 0, queue(_dataset(), st.query_params.get("kind")))
    if came is None:
        go(kept())
    else:
        open_item(*came)


def skip(before: Sequence[Item], at: int | None) -> None:
    """Go on without a word; what was skipped stays in the list."""
    st.session_state.pop("decided", None)
    if at is None or at + 1 == len(before):
        go(kept())
    else:
        open_item(before[at + 1])


def others(item: Item, two: Two) -> None:
    """The pairs of this item, and its other pictures: click one to see it on the right."""
    words("note", "Others of this question: click one to see it beside the left one.")
    rest = [one for one in item.pictures if one != two[0]][:24]
    views = data.some_pictures(rest)
    cards = [
        {
            **picture_card(view),
            "href": address("copies", {**kept(), "a": two[0], "b": view.picture.id}),
            "mark": "on the right" if view.picture.id == two[1] else "",
            "tone": "none",
        }
        for view in views
    ]
    opened = gallery(cards, key="others")
    if opened and opened != two[1]:
        go({**kept(), "a": two[0], "b": opened, "asked": item.kind})


def one_cluster(identity: str) -> None:
    """A cluster, by its id."""
    here = {**kept(), "view": CLUSTERS}
    st.page_link(
        "picdeed_ui/pages/copies.py",
        label="All clusters",
        icon=":material/arrow_back:",
        query_params={key: value for key, value in here.items() if value},
    )
    deciding.news()
    known = {one.id: one for one in data.copies().clusters}
    if identity not in known:
        words("title", "No such cluster")
        told = (
            f"{short(identity)} is gone: clusters are made anew when pictures come or are decided."
        )
        st.info(plain(told))
        return
    clusters.one(known[identity], here)


st.html(Path(__file__).parents[1] / "parts" / "copies.css")
first, second = st.query_params.get("a"), st.query_params.get("b")
cluster = st.query_params.get("cluster")
if first and second:
    pair(first, second)
elif cluster:
    one_cluster(cluster)
else:
    lists()
