"""Do a row's canonical bytes say every cell apart, and are known rows told from new ones?"""

from __future__ import annotations

import math

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from picdeed.core.errors import IntegrityError
from picdeed.core.events import Event
from picdeed.registry import ledger, tables
from picdeed.registry.conclusions import Conclusion
from picdeed.registry.datasets import Dataset, Member
from picdeed.registry.runs import RunState
from picdeed.registry.tables import CanonicalJson, fresh, is_covered, json_value, merged, storable

AT = "2026-01-02T03:04:05.000000Z"
TEXT, FLAG = sa.Column("t", sa.Text), sa.Column("f", sa.Boolean)
WHOLE, REAL = sa.Column("i", sa.BigInteger), sa.Column("d", sa.Double)
JSON = sa.Column("j", CanonicalJson)


def test_which_tables_are_covered():
    assert is_covered("pictures")
    for name in ("events", "ledger_rows", "alembic_version", "a_cache", "b_rollup", "c_facet"):
        assert not is_covered(name)


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        (TEXT, "x", "x"),
        (TEXT, RunState.FAILED, "failed"),
        (TEXT, None, None),
        (WHOLE, 2**62, 2**62),
        (REAL, 3, 3.0),
        (FLAG, True, True),
        (JSON, {"b": [1, None], "a": 0.5}, '{"a":0.5,"b":[1,null]}'),
    ],
)
def test_what_a_column_takes(column, value, stored):
    found = tables.stored_value(column, value)
    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (TEXT, 1), (TEXT, b"x"), (WHOLE, "1"), (WHOLE, 1.0), (WHOLE, True), (REAL, "1"),
        (REAL, math.nan), (REAL, math.inf), (FLAG, 1), (FLAG, "yes"), (JSON, {"x": math.nan}),
        (JSON, {"x": object()}),
    ],
)  # fmt: skip
def test_what_a_column_refuses(column, value):
    with pytest.raises((TypeError, ValueError)):
        tables.stored_value(column, value)


def test_different_cells_never_look_the_same():
    cells = [None, "", "0", "1", 2, 3.5, 2**60, str(2**60), b"", b"1", "\udcff", math.inf, "inf",
             -math.inf, 10**30]  # fmt: skip
    seen = [tables.canonical_json(json_value(WHOLE, cell)) for cell in cells]
    assert len(set(seen)) == len(cells)
    assert json_value(FLAG, 1) is True
    assert json_value(FLAG, 2) == 2
    assert json_value(WHOLE, 1) == 1


@given(st.text() | st.binary() | st.integers() | st.floats() | st.none() | st.booleans())
def test_any_cell_has_canonical_bytes(cell):
    for column in (TEXT, WHOLE, FLAG, REAL, JSON):
        assert tables.canonical_json(json_value(column, cell))


@given(st.text(alphabet=st.characters()))
def test_stored_text_is_always_utf8_without_nul(text):
    kept = storable(text)
    assert b"\x00" not in kept.encode()
    assert storable(kept) == kept


def test_json_that_somebody_broke_is_an_integrity_error():
    for broken in ("{", 5, b"\xff", "[" * 100_000):
        with pytest.raises(IntegrityError):
            CanonicalJson().process_result_value(broken, None)


def dataset(name, created_at=AT):
    return Dataset(id="dat_" + name, name=name, created_at=created_at)


def test_fresh_keeps_what_is_not_known_yet(registry):
    with registry.write() as session:
        rows = fresh(session, [dataset("a"), dataset("b"), dataset("a", "later")])
        assert [(row.name, row.created_at) for row in rows] == [("a", AT), ("b", AT)]
        ledger.write(session, Event.INGEST_PICTURES, {}, rows)
        assert fresh(session, [dataset("a", "later"), dataset("b")]) == []
        assert [row.name for row in fresh(session, [dataset("b"), dataset("c")])] == ["c"]


def test_fresh_handles_many_rows_and_keys_of_two_columns(full):
    with full.read() as session:
        known = session.scalars(sa.select(Member)).all()
        again = [
            Member(dataset_id=m.dataset_id, picture_id=m.picture_id, added_at=AT) for m in known
        ]
        new = [Member(dataset_id="dat_x", picture_id=f"img_{i}", added_at=AT) for i in range(1200)]
        assert fresh(session, [*again, *new]) == new
        assert fresh(session, []) == []


def test_merged_gives_new_and_changed_rows_only(full):
    with full.write() as session:
        old = session.scalars(sa.select(Conclusion).order_by(Conclusion.picture_id)).all()
        cells = [{c: getattr(o, c) for c in sa.inspect(Conclusion).columns.keys()} for o in old]  # noqa: SIM118
        again = [Conclusion(**(c | {"concluded_at": "later"})) for c in cells]
        assert merged(session, again, ignoring=("concluded_at",)) == []
        changed = Conclusion(**(cells[0] | {"claims_hash": "R10", "concluded_at": "later"}))
        kept = merged(session, [changed, again[1]], ignoring=("concluded_at",))
        assert kept == [old[0]]
        assert (old[0].claims_hash, old[0].concluded_at, old[1].concluded_at) == (
            "R10",
            "later",
            AT,
        )
        ledger.write(session, Event.LICENSE_CONCLUDED, {}, kept)
        assert merged(session, [dataset("new")])[0].name == "new"


def test_chunks():
    assert list(tables.chunks([], 2)) == []
    assert list(tables.chunks({1: 0, 2: 0, 3: 0}, 2)) == [[1, 2], [3]]
