"""How does a page show pictures that lie nowhere? As small plates, their bytes inside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from picdeed_ui.parts.words import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL import Image

PLATE = "6.4rem"
QUALITY = 90  # noise and squares of grey show what less does to them


@dataclass(frozen=True, slots=True)
class Plate:
    """Pictures one above the other over their caption. `alt` says what they show."""

    pictures: tuple[Image.Image, ...]
    title: str
    note: str = ""
    alt: str = ""


def plates(shown: Iterable[Plate], *, width: str = PLATE, columns: int = 0) -> None:
    """The plates side by side; with `columns` in rows of so many, else as many as fit."""
    each = "".join(map(_figure, shown))
    look = f"--plate:{width};--columns:{columns or 1}"
    st.html(f'<div class="pd-plates{" row" if columns else ""}" style="{look}">{each}</div>')


def side(said: str) -> None:
    """The name of a row of plates."""
    st.html(f'<div class="pd-side">{text(said)}</div>')


def _figure(plate: Plate) -> str:
    images = "".join(
        f'<img src="{_inline(picture)}" alt="{text(plate.alt or plate.title)}">'
        for picture in plate.pictures
    )
    note = text(plate.note)
    return f"<figure>{images}<figcaption><b>{text(plate.title)}</b>{note}</figcaption></figure>"


def _inline(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=QUALITY, method=2)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
