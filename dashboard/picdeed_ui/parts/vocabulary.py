"""What may a prompt say? The words that the base that comes with picdeed was taught."""

from __future__ import annotations

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed.flow import inside
from picdeed_ui import data
from picdeed_ui.parts.words import facts

_INSTANCES = 4


def paintable() -> None:
    """Things, colours and places in an expander; nothing where the base cannot be used."""
    try:
        base = inside.embedded(data.registry())
    except PicdeedError:
        return
    if not base.things:
        return
    with st.expander(f"What {base.name} can paint: {len(base.things)} things"):
        said = [
            ("For instance", " · ".join(instances(base))),
            ("Things", ", ".join(base.things)),
            ("Their colours", ", ".join(base.tints)),
            ("On a background", ", ".join(base.grounds)),
            ("Places", ", ".join(base.places)),
        ]
        facts([pair for pair in said if pair[1]])


def instances(base: inside.Vocabulary) -> list[str]:
    """Four prompts from all over the list, with and without a colour, on colours and in places."""
    every = max(1, len(base.things) // _INSTANCES)
    grounds = [*base.places[:1], "", *base.places[1:2], *base.grounds[:1]]
    found = []
    for number, thing in enumerate(base.things[::every][:_INSTANCES]):
        tint = base.tints[number % len(base.tints)] if base.tints and number % 2 else ""
        found.append(base.prompt(thing, tint=tint, behind=grounds[number % len(grounds)]))
    return found
