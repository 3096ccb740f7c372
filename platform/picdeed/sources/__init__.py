"""What people have -> bytes and statements. Nothing here decodes a picture or judges a right."""

from picdeed.sources.items import Found, Item, Origin, Refused, Skipped, Statement
from picdeed.sources.open import Source, SourceKind, open_source

__all__ = [
    "Found",
    "Item",
    "Origin",
    "Refused",
    "Skipped",
    "Source",
    "SourceKind",
    "Statement",
    "open_source",
]
