"""The graph around one thing, drawn left to right; what there is much of becomes a counted box."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

import streamlit as st

from picdeed_ui.parts.words import clip, short

if TYPE_CHECKING:
    from picdeed.registry.lineage import Graph, Node

FILL = {
    "picture": "#f2ecdd",
    "dataset": "#f2ecdd",
    "cluster": "#f2ecdd",
    "snapshot": "#e5ebd9",
    "decision": "#f7e9cd",
    "base": "#e2e7ea",
    "run": "#e2e7ea",
    "adapter": "#e2e7ea",
    "output": "#ffffff",
    "revocation": "#f6e1da",
}
FALLEN = ("suspended", "revoked", "withdrawn", "erased", "not-usable", "failed", "DENY")
PAGES = {"picture": "browse?picture=", "output": "outputs?output="}
INK, SOFT, RED = "#1d1a16", "#857a66", "#a3231a"
# Above this many of one kind the boxes say less than their number does.
MANY = 6
SMALL = 5


def draw(graph: Graph, centre: str) -> None:
    """One box a thing, and one for all pictures: a snapshot of thousands stays readable."""
    # A small graph keeps its size: stretched, two boxes would fill the page.
    width = "stretch" if len({node.kind for node in graph.nodes}) > SMALL else "content"
    st.graphviz_chart(
        dot(graph, centre), width=width, alt=f"What {short(centre)} comes from and led to"
    )


def dot(graph: Graph, centre: str) -> str:
    """The DOT text. Labels are escaped: they hold prompts and names that people wrote."""
    kinds = Counter(node.kind for node in graph.nodes if node.id != centre)
    grouped = {
        node.id: node.kind
        for node in graph.nodes
        if node.id != centre and (kinds[node.kind] > MANY or _only_counted(node, kinds))
    }
    lines = [
        (
            'digraph { rankdir=LR; bgcolor="transparent"; nodesep=0.18; ranksep=0.45; '
            'node [shape=box, style="filled", margin="0.16,0.09", fontname="Source Sans", '
            f'fontsize=11, color="{SOFT}", fontcolor="{INK}"]; '
            f'edge [color="{SOFT}", fontcolor="{SOFT}", arrowsize=0.6, fontname="Source Sans", '
            "fontsize=9];"
        )
    ]
    for kind in sorted(set(grouped.values())):
        states = Counter(node.state for node in graph.nodes if grouped.get(node.id) == kind)
        told = ", ".join(f"{n} {state}".strip() for state, n in sorted(states.items()))
        lines.append(
            f"{_quote(kind)} [label={_quote(f'{kind}s', told)}, fillcolor={_quote(FILL[kind])}];"
        )
    lines += [_box(node, centre) for node in graph.nodes if node.id not in grouped]
    edges = {
        (grouped.get(start, start), grouped.get(end, end), word) for start, end, word in graph.edges
    }
    for start, end, word in sorted(edges):
        if start != end:
            lines.append(f"{_quote(start)} -> {_quote(end)} [label={_quote(word)}];")
    return "\n".join([*lines, "}"])


def _only_counted(node: Node, kinds: Counter[str]) -> bool:
    return node.kind == "picture" and kinds["picture"] > 1


def _box(node: Node, centre: str) -> str:
    fallen = node.state in FALLEN or node.label in FALLEN
    state = node.state if node.state not in ("", "good", "succeeded") else ""
    label = _quote(node.kind, clip(node.label, 34), short(node.id), state)
    fill = FILL["revocation"] if fallen else FILL.get(node.kind, "#ffffff")
    pen = f', penwidth=2.2, color="{INK}"' if node.id == centre else ""
    pen = f', color="{RED}"' if fallen and not pen else pen
    link = ""
    if node.kind in PAGES and node.id != centre:
        link = f', URL={_quote(PAGES[node.kind] + quote(node.id))}, target="_self"'
    return f"{_quote(node.id)} [label={label}, fillcolor={_quote(fill)}{pen}{link}];"


def _quote(*said: str) -> str:
    """A DOT string of these lines; whatever was written cannot end it or name an escape."""
    tame = (line.replace("\\", "\u29f5").replace('"', "\u201d") for line in said if line)
    return '"' + "\\n".join(tame) + '"'
