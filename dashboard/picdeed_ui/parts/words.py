"""Words that look the same on every page: verdicts, states, errors, short ids, small tables.

Text from files and people reaches a page only escaped: in HTML through `text`, in Markdown (the
labels of Streamlit's own elements) through `plain`.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from picdeed.core.errors import PicdeedError

TONES = {
    "yes": "good",
    "not yet": "wait",
    "ALLOW": "good",
    "DUTIES": "good",
    "REVIEW": "wait",
    "DENY": "stop",
    "good": "good",
    "succeeded": "good",
    "intact": "good",
    "trusted": "good",
    "running": "busy",
    "queued": "busy",
    "development": "wait",
    "suspended": "wait",
    "not-usable": "wait",
    "interrupted": "wait",
    "cancelled": "wait",
    "expired": "wait",
    "contested": "wait",
    "revoked": "stop",
    "erased": "stop",
    "failed": "stop",
    "withdrawn": "stop",
    "altered": "stop",
    "unreadable": "stop",
    "untrusted": "stop",
}
MOST_ROWS = 200
LONG = 24


@dataclass(frozen=True, slots=True)
class Stamp:
    """A verdict or state in a table's cell."""

    word: str


@dataclass(frozen=True, slots=True)
class Id:
    """An id or hash in a table's cell; all of it shows when the pointer rests on it."""

    whole: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A share of the longest bar, 0 to 1; red when what it counts is denied."""

    share: float
    denied: bool = False


Cell = str | int | Stamp | Id | Bar


def tone(word: str) -> str:
    """good, wait, stop, busy or none."""
    return TONES.get(word, "none")


def short(identity: str) -> str:
    """The start of an id, enough to tell it from its neighbours."""
    return identity[:12]


def clip(said: str, most: int = 90) -> str:
    """One line of at most `most` characters."""
    line = " ".join(said.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def text(value: object) -> str:
    """Text from files and people as HTML."""
    return html.escape(str(value), quote=True)


def plain(value: str) -> str:
    """Text from files and people as Markdown that shows exactly these characters.

    Streamlit looks for `:material/name:`, `:red[...]` and `:smile:` after Markdown's own escapes
    are gone, so an invisible word joiner parts the colon from what follows it.
    """
    for mark in "\\`*_{}[]<>()#+-.!|~$&":
        value = value.replace(mark, f"\\{mark}")
    return value.replace(":", ":\u2060").replace("\r", " ").replace("\n", " ")


def stamp(word: str) -> str:
    """A verdict or state as HTML."""
    return f'<span class="pd-stamp {tone(word)}">{text(word)}</span>'


def words(kind: str, said: str) -> None:
    """A line of text in one of the looks of look.css: lead, note, title, registry-name."""
    tag = "h1" if kind == "title" else "div"
    st.html(f'<{tag} class="pd-{kind}">{text(said)}</{tag}>')


def figures(numbers: Sequence[tuple[str, int, bool]]) -> None:
    """(label, number, whether it is bad) as one line of an account book."""
    cells = "".join(
        f'<div class="{"red" if bad else ""}"><b>{number:,}</b><span>{text(label)}</span></div>'
        for label, number, bad in numbers
    )
    st.html(f'<div class="pd-figures">{cells}</div>')


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """A small table; what is beyond MOST_ROWS is only counted."""
    listed = list(rows)
    numbers = [isinstance(cell, int) for cell in listed[0]] if listed else [False] * len(columns)
    head = "".join(
        f'<th class="{"n" if number else ""}">{text(column)}</th>'
        for column, number in zip(columns, numbers, strict=True)
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in listed[:MOST_ROWS])
    st.html(
        f'<div class="pd-scroll"><table class="pd-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
    if len(listed) > MOST_ROWS:
        words("note", f"and {len(listed) - MOST_ROWS:,} more")


def _cell(value: Cell) -> str:
    if isinstance(value, Stamp):
        return f"<td>{stamp(value.word)}</td>"
    if isinstance(value, Id):
        return f'<td class="id" title="{text(value.whole)}">{text(value.whole[:16])}</td>'
    if isinstance(value, Bar):
        width = max(1, round(100 * value.share))
        look = "pd-bar deny" if value.denied else "pd-bar"
        return f'<td class="bar"><div class="{look}" style="width:{width}%"></div></td>'
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    # Only long text may be broken anywhere: a word such as CONTESTED stays whole.
    return f'<td class="{"long" if len(value) > LONG else ""}">{text(value)}</td>'


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Names and values, side by side."""
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs)
    st.html(f'<dl class="pd-facts">{rows}</dl>')


def questions(answers: Sequence[tuple[str, str, str]]) -> None:
    """(question, state, more words), each on a line of its own."""
    rows = "".join(
        f"<div><span>{text(asked)}</span><span>{stamp(state)} {text(more)}</span></div>"
        for asked, state, more in answers
    )
    st.html(f'<div class="pd-questions">{rows}</div>')


def uses(verdicts: Mapping[str, str]) -> None:
    """Every use with its verdict, in one line."""
    each = "".join(
        f"<span>{text(use)} {stamp(verdict)}</span>" for use, verdict in verdicts.items()
    )
    st.html(f'<div class="pd-uses">{each}</div>')


def stamps(counted: Mapping[str, int], none: str = "none yet") -> str:
    """States with how many there are of each, as HTML."""
    return " ".join(f"{stamp(state)} {n}" for state, n in counted.items()) or text(none)


def mounted(url: str, said: str) -> None:
    """One picture on a white mount."""
    st.html(f'<div class="pd-mount"><img src="{text(url)}" alt="{text(clip(said))}"></div>')


def problem(error: PicdeedError) -> None:
    """An error that is meant for a person."""
    hint = f"\n\n{plain(error.hint)}" if error.hint else ""
    st.error(plain(error.message) + hint)
