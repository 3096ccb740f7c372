"""Words that look the same on every page: verdicts, states, errors, short ids."""

from __future__ import annotations

import streamlit as st
from picdeed.core.errors import PicdeedError

COLOURS = {
    "ALLOW": "green",
    "DUTIES": "green",
    "REVIEW": "orange",
    "DENY": "red",
    "good": "green",
    "succeeded": "green",
    "intact": "green",
    "running": "blue",
    "queued": "blue",
    "development": "orange",
    "suspended": "orange",
    "not-usable": "orange",
    "interrupted": "orange",
    "revoked": "red",
    "failed": "red",
    "withdrawn": "red",
    "altered": "red",
    "untrusted": "red",
}


def badge(word: str) -> str:
    """A verdict or state as coloured Markdown."""
    return f":{COLOURS.get(word, 'gray')}-badge[{word}]"


def short(identity: str) -> str:
    """The start of an id, enough to tell it from its neighbours."""
    return identity[:12]


def plain(text: str) -> str:
    """Text from files and people, never read as Markdown."""
    for mark in "\\`*_{}[]<>()#+-.!|~$:":
        text = text.replace(mark, f"\\{mark}")
    return text


def problem(error: PicdeedError) -> None:
    """An error that is meant for a person."""
    st.error(plain(error.message))
    if error.hint:
        st.caption(plain(error.hint))


def verdict_line(verdicts: dict[str, str]) -> str:
    """Every use with its verdict, in one line."""
    return "  ".join(f"{use} {badge(verdict)}" for use, verdict in verdicts.items())
