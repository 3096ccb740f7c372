"""Are all tables known, and all but the ledger's own covered by it?"""

from __future__ import annotations

from types import ModuleType

from picdeed.registry import schema
from picdeed.registry.tables import CanonicalJson, Table


def test_every_mapped_table_belongs_to_a_subject():
    owners = {
        value.__tablename__: module.__name__
        for module in schema.SUBJECTS
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Table) and value is not Table
    }
    assert all(isinstance(module, ModuleType) for module in schema.SUBJECTS)
    assert set(schema.metadata().tables) == set(owners)


def test_all_but_the_ledger_itself_is_covered():
    covered = {table.name for table in schema.covered_tables()}
    assert set(schema.metadata().tables) - covered == {
        "events",
        "ledger_rows",
        "descent_nodes_rollup",
        "descent_edges_rollup",
        "snapshot_counts_rollup",
        "watermarks_cache",
    }


def test_only_types_that_both_databases_store_alike():
    kinds = {type(c.type) for t in schema.metadata().sorted_tables for c in t.columns}
    assert {kind.__name__ for kind in kinds} == {
        "Text", "BigInteger", "Double", "Boolean", CanonicalJson.__name__,
    }  # fmt: skip
