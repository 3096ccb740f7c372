"""What does a registry hold, as its users see it? Reads only; shared by every edge."""

from __future__ import annotations

from typing import Any

from picdeed.credentials.keys import Identity, load_identity
from picdeed.credentials.trust import Trust
from picdeed.flow.basefiles import deed_of, folder_of
from picdeed.registry import bases, datasets, subjects
from picdeed.registry.lineage import Graph, graph
from picdeed.registry.session import Registry


def identity_of(registry: Registry) -> Identity:
    """The registry's signing identity."""
    return load_identity(registry.keys)


def graph_of(registry: Registry, subject: str, depth: int | None = None) -> Graph:
    """The graph around anything that the registry knows."""
    with registry.read() as session:
        return graph(session, subjects.resolve(session, subject), depth)


def bases_of(registry: Registry) -> list[dict[str, Any]]:
    """Every base with its deed, None where it has none."""
    with registry.read() as session:
        rows = bases.all_bases(session)
    return [
        {
            "id": row.id,
            "name": row.name,
            "license": row.license,
            "sha256": row.sha256,
            "path": folder_of(registry, row),
            "deed": deed_of(row),
        }
        for row in rows
    ]


def datasets_of(registry: Registry) -> list[dict[str, Any]]:
    """Every dataset with the number of its pictures."""
    with registry.read() as session:
        sizes = datasets.sizes(session)
        rows = datasets.all_datasets(session)
    return [{"id": row.id, "name": row.name, "pictures": sizes.get(row.id, 0)} for row in rows]


def trust_of(registry: Registry | None) -> Trust:
    """Whose signatures mean what: the registry's own development root, when there is one."""
    if registry is None:
        return Trust()
    return Trust(development_roots=(identity_of(registry).root_pem,))
