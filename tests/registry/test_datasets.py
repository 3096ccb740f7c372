"""Does a dataset know its present members?"""

from __future__ import annotations

import pytest

from picdeed.core.errors import UnknownSubject
from picdeed.registry import datasets
from picdeed.registry.datasets import Member


def test_members_present_and_removed(registry, make, save):
    d, e = make.dataset("d"), make.dataset("a")
    p, q = sorted((make.picture("p"), make.picture("q")), key=lambda row: row.id)
    save(
        d, e, p, q,
        Member(dataset_id=d.id, picture_id=q.id, added_at=make.at),
        Member(dataset_id=d.id, picture_id=p.id, added_at=make.at, removed_at=make.at),
        Member(dataset_id=e.id, picture_id=q.id, added_at=make.at),
    )  # fmt: skip
    with registry.read() as session:
        assert [m.picture_id for m in datasets.members(session, d.id)] == [q.id]
        assert [m.picture_id for m in datasets.members(session, d.id, removed=True)] == [p.id, q.id]
        assert datasets.sizes(session) == {d.id: 1, e.id: 1}
        assert datasets.of_pictures(session, [p.id, q.id]) == {q.id: sorted([d.id, e.id])}
        assert [row.name for row in datasets.all_datasets(session)] == ["a", "d"]


def test_by_name(full, life):
    with full.read() as session:
        assert datasets.by_name(session, "birds").id == life.dataset.id
        with pytest.raises(UnknownSubject, match="cats"):
            datasets.by_name(session, "cats")


def test_the_id_is_the_name():
    assert datasets.dataset_id("a") == datasets.dataset_id("a") != datasets.dataset_id("b")
