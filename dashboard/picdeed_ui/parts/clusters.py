"""Which pictures are one picture, which of them stands for the rest, and is it the right one?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from picdeed.registry.codes import PairVerdict
from picdeed.registry.similar import Likeness
from picdeed_ui import data
from picdeed_ui.parts import deciding
from picdeed_ui.parts.asked import sorted_two
from picdeed_ui.parts.gallery import gallery, picture_card, picture_title
from picdeed_ui.parts.rows import (
    LINES,
    THUMBS,
    address,
    go,
    pages,
    picked,
    rows,
    sliced,
    thumbs,
)
from picdeed_ui.parts.words import facts, short, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from picdeed.flow.dedup import Copies
    from picdeed.registry.pictures import PictureView
    from picdeed.registry.similar import Pair

KINDS = {
    "same-pixels": "copies, pixel for pixel",
    "near": "copies of one picture",
    "variant": "colourings of one drawing",
}
STANDS = "stands"


def name_of(kind: str) -> str:
    """A kind of cluster in words."""
    return KINDS.get(kind, kind)


def title_of(group: Copies) -> str:
    """How many of what."""
    return f"{len(group.members):,} {name_of(group.kind)}"


def listed(found: Sequence[Copies], query: Mapping[str, str | None]) -> None:
    """Every cluster as a line, largest first."""
    column, _ = st.columns((1, 3))
    kinds = sorted({one.kind for one in found})
    kind = picked(column, "Kind of cluster", "cluster-kind", kinds, name_of)
    groups = [one for one in found if kind in (None, one.kind)]
    groups.sort(key=lambda one: (-len(one.members), one.id))
    if not groups:
        words("note", "No cluster: every picture stands for itself.")
        return
    here = groups[sliced(len(groups))]
    lines = _lines(here, query)
    opened = rows(lines, key="clusters")
    if opened:
        go({**query, "cluster": opened})
    pages(len(groups))


def _lines(groups: Sequence[Copies], query: Mapping[str, str | None]) -> list[dict[str, Any]]:
    seen = [one for group in groups for one in _keeper_first(group)[:THUMBS]]
    titles = {view.picture.id: picture_title(view) for view in data.some_pictures(seen)}
    pairs = {(pair.a, pair.b): pair for pair in data.pairs_among(seen)}
    return [
        {
            "id": group.id,
            "href": address("copies", {**query, "cluster": group.id}),
            "title": title_of(group),
            "mark": "licences differ" if len(group.licenses) > 1 else "",
            "tone": "wait",
            "notes": [
                ", ".join(group.licenses) or "no licence is claimed for any of them",
                f"{titles.get(group.keeper, short(group.keeper))} stands for them"
                if group.kind != Likeness.VARIANT
                else "each stands for itself",
            ],
            **thumbs(
                _keeper_first(group),
                titles,
                {one: relation(one, group, pairs, brief=True) for one in group.members},
            ),
        }
        for group in groups
    ]


def _keeper_first(group: Copies) -> list[str]:
    return [group.keeper, *(one for one in group.members if one != group.keeper)]


def relation(
    one: str, group: Copies, pairs: Mapping[tuple[str, str], Pair], *, brief: bool = False
) -> str:
    """What a member is to the one that stands for the cluster; a crop is told by its direction."""
    if one == group.keeper:
        return "" if group.kind == Likeness.VARIANT else STANDS
    pair = pairs.get(sorted_two(one, group.keeper))
    if pair is None:
        return "" if brief else "not compared with it"
    kind = pair.kind
    if kind in (Likeness.CROP_OF, Likeness.CONTAINS):
        part = (kind == Likeness.CROP_OF) == (pair.a == one)
        return (
            ("crop" if part else "whole") if brief else ("a crop of it" if part else "shows more")
        )
    if brief:
        return ""
    said = {
        Likeness.SAME_PIXELS: "the same pixels",
        Likeness.NEAR: str(pair.evidence.get("edit") or "near"),
        Likeness.VARIANT: "other colours",
    }
    return said.get(Likeness(kind), "joined by a person")


def one(group: Copies, query: Mapping[str, str | None]) -> None:
    """A cluster's members, how each is related to the keeper, and another keeper."""
    words("title", title_of(group))
    facts(
        [
            ("Licences claimed", ", ".join(group.licenses) or "none"),
            ("Cluster", group.id),
        ]
    )
    if group.kind == Likeness.VARIANT:
        words("note", "Variants belong together, but none of them leaves another out.")
    else:
        words(
            "note",
            "One stands for all of them in snapshots; the strictest claim on any of them binds "
            "them all. Click one to see it beside the one that stands for them.",
        )
    members = _keeper_first(group)
    here = members[sliced(len(members))]
    views = data.some_pictures(here)
    pairs = {(pair.a, pair.b): pair for pair in data.pairs_among([group.keeper, *here])}
    opened = gallery([_card(view, group, pairs, query) for view in views], key="members")
    if opened and opened != group.keeper:
        go({**query, "a": group.keeper, "b": opened, "cluster": group.id})
    pages(len(members))
    if group.kind != Likeness.VARIANT:
        _other_keeper(group, views)


def _card(
    view: PictureView,
    group: Copies,
    pairs: Mapping[tuple[str, str], Pair],
    query: Mapping[str, str | None],
) -> dict[str, str]:
    identity = view.picture.id
    is_keeper = identity == group.keeper
    said = relation(identity, group, pairs)
    beside = {**query, "a": group.keeper, "b": identity, "cluster": group.id}
    keeps = is_keeper and group.kind != Likeness.VARIANT
    return {
        **picture_card(view),
        "href": address("browse", {"picture": identity})
        if is_keeper
        else address("copies", beside),
        "note": f"{view.picture.width} x {view.picture.height} px"
        + ("" if is_keeper or not said else f", {said}"),
        "mark": "stands for them" if keeps else "",
        "tone": "good" if keeps else "none",
    }


def _other_keeper(group: Copies, views: Sequence[PictureView]) -> None:
    """Let another member stand for the cluster: a decision about it and the present keeper."""
    others = {v.picture.id: v for v in views if v.picture.id != group.keeper}
    if not others:
        return
    left, middle, right = st.columns((4, 3, 2.4), vertical_alignment="bottom")
    chosen = left.selectbox(
        "Let another one stand for them",
        list(others),
        format_func=lambda key: _told(others[key]),
        help=f"Of the {LINES} on this page." if len(group.members) > LINES else None,
    )
    by = middle.text_input(
        "Who decides", value=st.session_state.get(deciding.WHO, ""), placeholder="Eve Example"
    ).strip()
    st.session_state[deciding.WHO] = by
    if right.button("Let it stand for them", width="stretch"):
        two = (group.keeper, str(chosen))
        if deciding.record(two, PairVerdict.MERGE, keep=two[1], by=by):
            st.rerun()


def _told(view: PictureView) -> str:
    picture = view.picture
    kind = picture.media_type.removeprefix("image/")
    return f"{picture_title(view)}, {picture.width} x {picture.height} px, {kind}"
