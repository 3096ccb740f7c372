"""The graph around one thing, drawn left to right; many pictures become one counted box."""

from __future__ import annotations

from collections import Counter

import streamlit as st
from picdeed.registry.lineage import Graph

FILL = {
    "picture": "#efe8d9",
    "snapshot": "#dfe7d8",
    "decision": "#f3dcc4",
    "base": "#d9e0ea",
    "run": "#e6dcea",
    "adapter": "#ead8d4",
    "output": "#ffffff",
}


def draw(graph: Graph, centre: str) -> None:
    """One box a thing. Pictures are one box, for a snapshot of thousands must stay readable."""
    st.graphviz_chart(dot(graph, centre), width="stretch")


def dot(graph: Graph, centre: str) -> str:
    """The DOT text. Labels are escaped: they hold prompts and names that people wrote."""
    grouped = {node.id for node in graph.nodes if node.kind == "picture" and node.id != centre}
    counted = Counter(node.state for node in graph.nodes if node.id in grouped)
    lines = [
        'digraph { rankdir=LR; bgcolor="transparent"; node [shape=box, style="filled,rounded", '
        'fontname="Georgia", fontsize=11, color="#8a7f6a"]; edge [color="#8a7f6a", '
        'fontname="Georgia", fontsize=9];'
    ]
    if grouped:
        states = ", ".join(f"{n} {state}" for state, n in sorted(counted.items()))
        lines.append(f'"pictures" [label={_quote(f"pictures\\n{states}")}, fillcolor="#efe8d9"];')
    for node in graph.nodes:
        if node.id in grouped:
            continue
        label = "\\n".join(part for part in (node.kind, node.id[:12], node.label[:40]) if part)
        pen = ", penwidth=2.4" if node.id == centre else ""
        fill = "#f2c1ba" if node.state in ("suspended", "revoked", "not-usable") else ""
        fill = fill or FILL.get(node.kind, "#ffffff")
        lines.append(f'"{node.id}" [label={_quote(label)}, fillcolor="{fill}"{pen}];')
    edges = {
        ("pictures" if start in grouped else start, "pictures" if end in grouped else end, word)
        for start, end, word in graph.edges
    }
    for start, end, word in sorted(edges):
        if start != end:
            lines.append(f'"{start}" -> "{end}" [label={_quote(word)}];')
    return "\n".join([*lines, "}"])


def _quote(text: str) -> str:
    return '"' + text.replace('"', "'").replace("\\n", "\n").replace("\\", "/").replace(
        "\n", "\\n"
    ) + '"'
