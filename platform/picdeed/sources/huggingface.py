"""What does a dataset's card say of all its pictures? Hugging Face's README.md with YAML on top.

The card speaks for the package, never for one picture: rights ranks it below what a row says.
https://huggingface.co/docs/hub/datasets-cards
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml  # type: ignore[import-untyped]  # PyYAML ships no annotations

from picdeed.sources.items import Origin, Statement, clean_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_MAX_CHARS = 1 << 20


def card_statements(data: bytes, name: str) -> tuple[tuple[Statement, ...], list[str]]:
    """The licence statements of a card and what a person should know about it.

    `license` may be a list: each entry is a statement of its own. `other` and `unknown` stay as
    they are; no parser takes them for a licence. A README without YAML on top says nothing. YAML
    that cannot be read and mentions a licence is itself the statement, so that it binds.
    """
    front, card = front_matter(data)
    if front is None:
        return (), []
    if card is None:
        if "license" not in front:
            return (), [f"{name}: the YAML on top cannot be read"]
        unread = f"unreadable YAML in {name}"
        return (Statement("license", unread, name, Origin.PACKAGE),), [
            f"{name}: the YAML on top cannot be read; its licence counts as unknown"
        ]
    statements = [
        Statement("license", clean_text(value), name, Origin.PACKAGE)
        for value in values_of(card, "license")
    ]
    return tuple(statements), []


def front_matter(data: bytes) -> tuple[str | None, yaml.Node | None]:
    """The YAML on top of a README, as text and as nodes.

    (None, None) without any; its nodes are None when it cannot be read, and a node without
    entries when it is empty.
    """
    found = _FRONT.match(data[:_MAX_CHARS].decode("utf-8-sig", "replace"))
    if found is None:
        return None, None
    try:
        card = yaml.compose(found[1], Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return found[1], None
    return found[1], card or yaml.ScalarNode("tag:yaml.org,2002:null", "")


def values_of(card: yaml.Node, wanted: str) -> Iterator[str]:
    """Every entry under a key, twice given ones too, where a loader would keep the last."""
    if not isinstance(card, yaml.MappingNode):
        return
    for key, value in card.value:
        if key.value == wanted:
            entries = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for entry in entries:
                scalar = isinstance(entry, yaml.ScalarNode)
                text = entry.value.strip() if scalar else "unreadable entry"
                if text and entry.tag != "tag:yaml.org,2002:null":
                    yield text
