"""How does a page show many pictures? One grid; each card has an address and opens at a click."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import streamlit as st

from picdeed_ui.parts.words import clip, short, tone
from picdeed_ui.serving import file_url, thumb_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from picdeed.registry.outputs import Output
    from picdeed.registry.pictures import PictureView

_HERE = Path(__file__).parent
# Registered once for the whole server: a second registration under this name would warn.
_grid = st.components.v2.component(
    "picdeed_gallery",
    css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
    js=(_HERE / "gallery.js").read_text(encoding="utf-8"),
)


def gallery(cards: Iterable[dict[str, str]], key: str) -> str | None:
    """Show the cards; the id of the one that was just clicked."""
    result = _grid(data=list(cards), key=key, on_opened_change=_noticed)
    opened = getattr(result, "opened", None)
    return str(opened) if opened else None


def _noticed() -> None:
    """Streamlit reports a click only to components that name a callback."""


def picture_card(view: PictureView) -> dict[str, str]:
    """Caption, licence and the verdict for training; a picture that is not good says so."""
    picture, found = view.picture, view.conclusion
    verdict = found.verdicts.get("train", "") if found else ""
    mark = verdict if picture.state == "good" else picture.state
    return {
        "id": picture.id,
        "href": f"browse?picture={quote(picture.id)}",
        "src": thumb_url(picture.sha256),
        "title": picture_title(view),
        "note": found.license if found else "not concluded yet",
        "mark": mark,
        "tone": tone(mark),
    }


def picture_title(view: PictureView) -> str:
    """Its caption, else its file's name, else its id."""
    if view.captions:
        return clip(view.captions[0])
    if view.paths:
        return clip(Path(view.paths[0]).name)
    return short(view.picture.id)


def output_card(row: Output) -> dict[str, str]:
    """Prompt and seed; only a state that is not good is marked."""
    return {
        "id": row.id,
        "href": f"outputs?output={quote(row.id)}",
        "src": file_url(row.sha256 or ""),
        "title": clip(row.prompt),
        "note": f"seed {row.seed}, signed" + ("" if row.adapter_id else ", base alone"),
        "mark": "" if row.state == "good" else row.state,
        "tone": tone(row.state),
    }
