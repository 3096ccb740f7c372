"""Are pictures found by bytes and id, and do pages show each of them exactly once?"""

from __future__ import annotations

import pytest

from picdeed.core.ids import sha256
from picdeed.registry import pictures
from picdeed.registry.datasets import Member
from picdeed.registry.pictures import PictureState, new_occurrence, page


@pytest.fixture
def many(registry, make, save):
    """25 pictures in `birds`, the first 5 also in `cats`; every fifth is denied, 20 concluded."""
    birds, cats = make.dataset("birds"), make.dataset("cats")
    shown = sorted((make.picture(f"p{i}") for i in range(25)), key=lambda p: p.id)
    answers = {True: make.standing("CC-BY-NC-4.0", "DENY"), False: make.standing()}
    rows = [birds, cats, *shown, *answers.values()]
    for i, p in enumerate(shown):
        rows.append(Member(dataset_id=birds.id, picture_id=p.id, caption=f"c{i}", added_at=make.at))
        rows.append(make.claim(p.id))
        if i < 5:
            removed = make.at if i == 0 else None
            rows.append(
                Member(dataset_id=cats.id, picture_id=p.id, added_at=make.at, removed_at=removed)
            )
        if i < 20:
            rows.append(make.conclusion(p.id, answers[i % 5 == 0]))
    shown[7].state = PictureState.REVOKED
    save(*rows)
    return birds, cats, shown


def walk(session, **filters):
    found, after = [], None
    while True:
        one = page(session, after=after, limit=4, **filters)
        assert 0 < len(one.items) <= 4 or not found
        found += [view.picture.id for view in one.items]
        if one.next is None:
            return found
        after = one.next


def test_pages_show_each_picture_once_and_in_order(registry, many):
    birds, cats, shown = many
    ids = [p.id for p in shown]
    with registry.read() as session:
        assert walk(session) == walk(session, dataset=birds.id) == ids
        assert walk(session, dataset=cats.id) == ids[1:5]  # the first was removed
        assert walk(session, verdict="DENY") == ids[:20:5]
        assert walk(session, verdict="DENY", use="sell-adapter") == ids[:20]
        assert walk(session, verdict="ALLOW", use="sell-adapter") == []
        assert walk(session, license="CC0-1.0", dataset=cats.id) == ids[1:5]
        assert walk(session, state="revoked") == [ids[7]]
        assert pictures.all_ids(session) == ids


def test_a_page_that_ends_exactly_at_the_end_has_no_next(registry, many):
    with registry.read() as session:
        assert page(session, limit=25).next is None
        assert page(session, limit=24).next is not None
        assert page(session, after="img_g").items == ()


@pytest.mark.parametrize("verdict", ["%", "ALLOW%", "_LLOW", '"', ""])
def test_a_verdict_is_compared_as_a_whole(registry, many, verdict):
    with registry.read() as session:
        assert page(session, verdict=verdict).items == ()


def test_a_view_holds_what_a_page_shows(registry, many, save, make):
    birds, _, shown = many
    save(
        new_occurrence(shown[1].id, birds.id, "b/two.png", "folder", seen_at=make.at),
        new_occurrence(shown[1].id, birds.id, "a/one.png", "folder", seen_at=make.at),
    )
    with registry.read() as session:
        first, second, *_, last = page(session).items
    assert second.picture.id == shown[1].id
    assert second.conclusion.license == "CC0-1.0"
    assert [c.raw for c in second.claims] == ["CC0-1.0"]
    assert second.datasets == ("birds", "cats")
    assert second.captions == ("c1",)
    assert second.paths == ("a/one.png", "b/two.png")
    assert first.datasets == ("birds",)
    assert last.conclusion is None
    assert last.paths == ()


def test_pictures_are_found_by_bytes_and_by_id(full, life):
    with full.read() as session:
        assert pictures.by_sha(session, sha256(b"a")).id == life.a.id
        assert pictures.by_sha(session, sha256(b"?")) is None
        assert set(pictures.by_ids(session, [life.a.id, "img_0"])) == {life.a.id}
        (seen,) = pictures.occurrences(session, life.a.id)
        assert seen.path == "x.png"


def test_the_same_place_has_the_same_id(make):
    one = new_occurrence("img_1", "dat_1", "a.png", "folder", seen_at="then")
    assert new_occurrence("img_1", "dat_1", "a.png", "folder", seen_at="now").id == one.id
    others = [("img_2", "dat_1", "a.png", "folder"), ("img_1", "dat_2", "a.png", "folder"),
              ("img_1", "dat_1", "b.png", "folder"), ("img_1", "dat_1", "a.png", "zip")]  # fmt: skip
    ids = {new_occurrence(*other, seen_at="then").id for other in others}
    assert len(ids | {one.id}) == 5
