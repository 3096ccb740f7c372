"""Is there one write path, and does an event say exactly what it wrote?"""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from picdeed.core.events import Event
from picdeed.core.ids import sha256
from picdeed.registry import claims, datasets, ledger, pictures
from picdeed.registry.check import check_ledger

AT = "2026-01-02T03:04:05.000000Z"


def dataset(name, **changes):
    cells = {"id": datasets.dataset_id(name), "name": name, "created_at": AT}
    return datasets.Dataset(**(cells | changes))


def write(registry, *rows, deleted=(), event=Event.INGEST_PICTURES, payload=None, at=None):
    with registry.write() as session:
        return ledger.write(session, event, payload or {}, rows, deleted, at=at)


def test_an_event_binds_payload_rows_and_the_event_before(registry):
    digest = write(registry, dataset("x"), payload={"b": 1, "a": "ü"}, at=AT)
    with registry.read() as session:
        first, second = ledger.events(session)
        (row,) = session.scalars(sa.select(ledger.LedgerRow))
    assert (second.seq, second.kind, second.at) == (2, "ingest.pictures", AT)
    assert second.payload == '{"a":"ü","b":1}'
    assert second.previous == first.hash
    assert second.hash == digest
    assert first.previous == ledger.GENESIS
    assert (row.row_table, json.loads(row.row_key)) == ("datasets", [datasets.dataset_id("x")])
    cells = f'{{"created_at":"{AT}","id":"{datasets.dataset_id("x")}","name":"x"}}'
    assert row.row_sha256 == sha256(cells.encode())


def test_the_root_does_not_depend_on_the_order_of_the_rows(tmp_path):
    from picdeed.registry.session import create_registry

    roots = []
    for n, order in enumerate((("x", "y"), ("y", "x"))):
        made = create_registry(tmp_path / str(n))
        write(made, *[dataset(name) for name in order])
        with made.read() as session:
            roots.append(ledger.events(session)[-1].rows_root)
        made.close()
    assert roots[0] == roots[1]


def test_rows_are_changed_and_deleted_through_it(registry):
    write(registry, dataset("x"), dataset("y"))
    with registry.write() as session:
        x, y = datasets.by_name(session, "x"), datasets.by_name(session, "y")
        x.name = "z"
        ledger.write(session, Event.INGEST_PICTURES, {}, [x], [y])
    with registry.read() as session:
        assert [row.name for row in datasets.all_datasets(session)] == ["z"]
        last = session.scalars(sa.select(ledger.LedgerRow).where(ledger.LedgerRow.event_seq == 3))
        assert sorted(row.row_sha256 is None for row in last) == [False, True]
    assert check_ledger(registry).ok


def test_several_events_in_one_write(registry):
    with registry.write() as session:
        x = dataset("x")
        ledger.write(session, Event.INGEST_PICTURES, {}, [x])
        x.name = "y"
        ledger.write(session, Event.INGEST_PICTURES, {}, [x])
        ledger.write(session, Event.INGEST_PICTURES, {}, [], [x])
    report = check_ledger(registry)
    assert report.ok
    assert (report.events, report.rows) == (4, 0)


def test_parents_may_stand_behind_their_children(registry):
    d = dataset("x")
    digest = sha256(b"p")
    p = pictures.Picture(
        id=pictures.picture_id(digest), sha256=digest, bytes=1, media_type="image/png",
        width=1, height=1, first_seen=AT,
    )  # fmt: skip
    member = datasets.Member(dataset_id=d.id, picture_id=p.id, added_at=AT)
    write(registry, member, p, d)
    with registry.write() as session:
        rows = [session.merge(row) for row in (d, p, member)]
        ledger.write(session, Event.INGEST_PICTURES, {}, [], rows)
    assert check_ledger(registry).ok


def test_a_row_whose_parent_is_missing_is_refused(registry):
    with pytest.raises(sa.exc.IntegrityError):
        write(registry, datasets.Member(dataset_id="dat_0", picture_id="img_0", added_at=AT))
    assert check_ledger(registry).events == 1


def test_changed_rows_must_be_listed(registry):
    write(registry, dataset("x"))
    with registry.write() as session:
        datasets.by_name(session, "x").name = "y"
        with pytest.raises(ValueError, match="not listed"):
            ledger.write(session, Event.INGEST_PICTURES, {}, [dataset("z")])
        session.rollback()
    with registry.write() as session:
        session.add(dataset("y"))
        with pytest.raises(ValueError, match="not listed"):
            ledger.write(session, Event.INGEST_PICTURES, {}, [dataset("z")])
        session.rollback()
    x = dataset("q")
    with pytest.raises(ValueError, match="twice"):
        write(registry, x, x)
    with pytest.raises(ValueError, match="twice"):
        write(registry, x, deleted=[x])
    assert check_ledger(registry).events == 2


def _change(session):
    datasets.by_name(session, "x").name = "y"


WAYS = {
    "add": lambda s: s.add(dataset("y")),
    "change": _change,
    "delete": lambda s: s.delete(datasets.by_name(s, "x")),
    "insert": lambda s: s.execute(
        sa.insert(datasets.Dataset), [{"id": "dat_1", "name": "y", "created_at": AT}]
    ),
    "update": lambda s: s.execute(sa.update(datasets.Dataset).values(name="y")),
    "remove": lambda s: s.execute(sa.delete(ledger.LedgerEvent)),
    "text": lambda s: s.execute(sa.text("UPDATE datasets SET name = 'y'")),
}


@pytest.mark.parametrize("way", WAYS)
def test_there_is_no_other_way_to_write(registry, way):
    write(registry, dataset("x"))

    def attempt():
        with registry.write() as session:
            WAYS[way](session)

    with pytest.raises(RuntimeError, match=r"ledger\.write"):
        attempt()
    report = check_ledger(registry)
    assert report.ok
    with registry.read() as session:
        assert [row.name for row in datasets.all_datasets(session)] == ["x"]


@pytest.mark.parametrize(
    "changes", [{"name": 5}, {"created_at": b"x"}, {"name": "\ud800"}, {"created_at": True}]
)
def test_a_value_that_would_be_stored_differently_is_refused(registry, changes):
    with pytest.raises((TypeError, ValueError)):
        write(registry, dataset("x", **changes))
    assert check_ledger(registry).events == 1


@pytest.mark.parametrize("payload", [{"x": float("nan")}, {"x": b"y"}, {"x": 2**60}, {1: 2}])
def test_a_payload_that_is_no_json_is_refused(registry, payload):
    with pytest.raises(ValueError):
        write(registry, payload=payload)
    assert check_ledger(registry).events == 1


@pytest.mark.parametrize("end", ["commit", "rollback", "savepoint"])
def test_a_write_that_ended_early_takes_no_more_events(registry, end):
    with registry.write() as session:
        ledger.write(session, Event.INGEST_PICTURES, {}, [dataset("x")])
        if end == "savepoint":
            session.begin_nested().rollback()
        else:
            getattr(session, end)()
        with pytest.raises(RuntimeError, match="begin another"):
            ledger.write(session, Event.INGEST_PICTURES, {}, [dataset("y")])
    report = check_ledger(registry)
    assert report.ok
    # After a savepoint the next writer seals: this one no longer knows where the chain ends.
    assert (report.events, report.unsealed) == {
        "commit": (2, 0),
        "rollback": (1, 0),
        "savepoint": (2, 1),
    }[end]
    write(registry, dataset("z"))
    assert check_ledger(registry).ok


def test_hostile_text_is_registered_and_audited(registry):
    digest = sha256(b"p")
    p = pictures.Picture(
        id=pictures.picture_id(digest), sha256=digest, bytes=1, media_type="image/png",
        width=1, height=1, first_seen=AT,
    )  # fmt: skip
    nasty = "\x00 \ud800 '; DROP TABLE pictures; -- \u202e 😀" + "x" * 10_000
    row = claims.new_claim(
        p.id, source="embedded-xmp", kind="caption", raw=nasty, parsed=nasty, note=nasty,
        status="parsed", parser="x", observed_at=AT,
    )  # fmt: skip
    write(registry, p, row)
    with registry.read() as session:
        (found,) = claims.of(session, p.id)
    assert found.raw.startswith("\\x00 \\ud800 '; DROP")
    assert check_ledger(registry).ok


def test_events_can_be_paged_and_filtered(registry):
    for name in "abc":
        write(registry, dataset(name))
    write(registry, event=Event.SNAPSHOT_FROZEN)
    with registry.read() as session:
        assert ledger.last_event(session)[0] == 5
        assert [e.seq for e in ledger.events(session, after=2, limit=2)] == [3, 4]
        assert [e.seq for e in ledger.events(session, kind="snapshot.frozen")] == [5]
