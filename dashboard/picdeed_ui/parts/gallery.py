"""A page of thumbnails, each with its verdict and a link that opens it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from picdeed.registry.pictures import PictureView
from picdeed_ui import data
from picdeed_ui.parts.words import badge, plain, short

COLUMNS = 6


def gallery(items: Sequence[PictureView]) -> None:
    """Thumbnails in rows. A link, not a button, so that a picture has an address."""
    for start in range(0, len(items), COLUMNS):
        row = st.columns(COLUMNS)
        for column, item in zip(row, items[start : start + COLUMNS], strict=False):
            with column:
                _card(item)


def _card(item: PictureView) -> None:
    picture = item.picture
    path = data.thumbnail(picture.sha256)
    caption = item.captions[0] if item.captions else short(picture.id)
    if path is not None:
        st.image(path.read_bytes(), width="stretch", caption=None)
    found = item.conclusion
    verdict = found.verdicts.get("train", "?") if found else "?"
    state = "" if picture.state == "good" else badge(picture.state)
    st.markdown(f"{badge(verdict)} {state} [{plain(caption)}](browse?picture={picture.id})")
    st.caption(plain(found.license) if found else "not concluded yet")
