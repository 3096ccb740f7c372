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
    "alive": "good",
    "approved": "good",
    "in force": "good",
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
    "not begun": "wait",
    "ended": "stop",
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
    """A verdict or state in a table's cell; nothing when it is empty."""

    word: str


@dataclass(frozen=True, slots=True)
class Id:
    """An id or hash in a table's cell; all of it shows when the pointer rests on it."""

    whole: str


@dataclass(frozen=True, slots=True)
class Each:
    """Words in a table's cell, none of which is broken: uses, for instance."""

    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Link:
    """Words in a table's cell that lead to an address of this dashboard, written by us."""

    said: str
    href: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A share of the longest bar, 0 to 1; red when what it counts is denied."""

    share: float
    denied: bool = False


Cell = str | int | Stamp | Id | Each | Link | Bar


def tone(word: str) -> str:
    """good, wait, stop, busy or none."""
    return TONES.get(word, "none")


def short(identity: str) -> str:
    """The start of an id, enough to tell it from its neighbours."""
    return identity[:12]


def counted(n: int) -> str:
    """A number of pictures in words."""
    return f"{n:,} {'picture' if n == 1 else 'pictures'}"


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
    numbers = [
        any(isinstance(row[place], int) for row in listed[:MOST_ROWS])
        for place in range(len(columns))
    ]
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
    hint = ""
    match value:
        case Stamp(word):
            look, inside = "", stamp(word) if word else ""
        case Id(whole):
            look, inside, hint = "id", text(whole[:16]), f' title="{text(whole)}"'
        case Each(several):
            look, inside = "", ", ".join(f"<span>{text(word)}</span>" for word in several)
        case Link(said, href):
            look, inside = "id", f'<a href="{text(href)}">{text(said)}</a>'
        case Bar(share, denied):
            colour, width = "pd-bar deny" if denied else "pd-bar", max(1, round(100 * share))
            look, inside = "bar", f'<div class="{colour}" style="width:{width}%"></div>'
        case int(number):
            look, inside = "n", f"{number:,}"
        case said:
            # Only long text may be broken: a day, a name or CC-BY-SA-4.0 stays whole.
            look = "long" if len(said) > LONG else "whole"
            inside = text(said)
    return f'<td class="{look}"{hint}>{inside}</td>'


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
