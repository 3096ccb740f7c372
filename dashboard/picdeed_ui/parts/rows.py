"""How does a page list what has several pictures each? One line for each, page by page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import streamlit as st

from picdeed_ui.serving import thumb_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

LINES = 20
THUMBS = 6
ANY = "any"
_HERE = Path(__file__).parent
# Registered once for the whole server: a second registration under this name would warn.
_list = st.components.v2.component(
    "picdeed_rows",
    css=(_HERE / "rows.css").read_text(encoding="utf-8"),
    js=(_HERE / "rows.js").read_text(encoding="utf-8"),
)


def rows(lines: Iterable[Mapping[str, Any]], key: str) -> str | None:
    """Show the lines; the id of the one that was just clicked."""
    result = _list(data=list(lines), key=key, on_opened_change=_noticed)
    opened = getattr(result, "opened", None)
    return str(opened) if opened else None


def _noticed() -> None:
    """Streamlit reports a click only to components that name a callback."""


def thumbs(
    pictures: Sequence[str], titles: Mapping[str, str], marks: Mapping[str, str]
) -> dict[str, Any]:
    """The first few pictures of a line, and how many more there are."""
    more = len(pictures) - THUMBS
    return {
        "pictures": [
            {
                "src": thumb_url(one.removeprefix("img_")),
                "title": titles.get(one, ""),
                "mark": marks.get(one, ""),
            }
            for one in pictures[:THUMBS]
        ],
        "more": f"and {more:,} more" if more > 0 else "",
    }


def address(page: str, query: Mapping[str, str | None]) -> str:
    """An address of this dashboard."""
    return f"{page}?{urlencode({key: value for key, value in query.items() if value})}"


def go(query: Mapping[str, str | None]) -> None:
    """To another address of the same page."""
    st.query_params.from_dict({key: value for key, value in query.items() if value})
    st.rerun()


def picked(
    column: st.delta_generator.DeltaGenerator,
    label: str,
    key: str,
    known: Sequence[str],
    say: Callable[[str], str] = str,
) -> str | None:
    """One filter, begun from the address; what is picked goes there, and page 1 starts again."""
    options = [ANY, *known]
    asked = st.query_params.get(key, ANY)
    place = options.index(asked) if asked in options else 0
    value = str(
        column.selectbox(
            label, options, index=place, format_func=lambda one: one if one == ANY else say(one)
        )
    )
    if value != options[place]:
        go({**st.query_params.to_dict(), key: None if value == ANY else value, "page": None})
    return None if value == ANY else value


def sliced(total: int) -> slice:
    """Which lines the page in the address shows."""
    last = max(1, -(-total // LINES))
    said = st.query_params.get("page", "1")
    at = min(last, max(1, int(said))) if said.isdecimal() and len(said) < 9 else 1  # noqa: PLR2004 (digits)
    return slice((at - 1) * LINES, at * LINES)


def pages(total: int) -> None:
    """Previous and next page, where there is more than one."""
    last = -(-total // LINES)
    if last < 2:  # noqa: PLR2004 (pages)
        return
    at = sliced(total).start // LINES + 1
    here = st.query_params.to_dict()
    back, where, forward = st.columns((1, 3, 1), vertical_alignment="center")
    if back.button("Previous", disabled=at == 1, width="stretch"):
        go({**here, "page": str(at - 1)})
    where.caption(f"Page {at} of {last:,}", text_alignment="center")
    if forward.button("Next", disabled=at == last, width="stretch"):
        go({**here, "page": str(at + 1)})
